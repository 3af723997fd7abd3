"""The custodian's tables: load the books, save a batch; nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from deploy.custodian.answers import Order
from deploy.custodian.books import Books, Effects, Message
from shared.runtime.clients import Connection

TopicPartitionKey = tuple[str, int]


class PositionMoved(Exception):
    """Another custodian process has moved on from where this one read: this one must start over."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message in its place of the publishing order."""

    seq: int
    ce_time: str
    message: Message


async def prepare(connection: Connection) -> None:
    """Create the tables that are missing."""
    await connection.execute(files("deploy.custodian").joinpath("schema.sql").read_text())


SELECT_POSITIONS = "SELECT topic, partition, next_offset FROM read_positions"
INSERT_POSITION = "INSERT INTO read_positions VALUES ($1, $2, 0) ON CONFLICT DO NOTHING"


async def load_positions(
    connection: Connection, partitions: Iterable[TopicPartitionKey]
) -> dict[TopicPartitionKey, int]:
    """Where to read on in each of ``partitions``; one never read before starts at 0."""
    await connection.executemany(INSERT_POSITION, list(partitions))
    return {(row["topic"], row["partition"]): row["next_offset"] for row in await connection.fetch(SELECT_POSITIONS)}


MOVE_POSITIONS = """
UPDATE read_positions p SET next_offset = m.after
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS m (topic, partition, before, after)
WHERE p.topic = m.topic AND p.partition = m.partition AND p.next_offset = m.before
"""


async def move_positions(connection: Connection, moves: Mapping[TopicPartitionKey, tuple[int, int]]) -> None:
    """Move each position from where this process read; raises ``PositionMoved`` unless all were still there."""
    keys = sorted(moves)
    done = await connection.execute(
        MOVE_POSITIONS,
        [topic for topic, _ in keys],
        [partition for _, partition in keys],
        [moves[key][0] for key in keys],
        [moves[key][1] for key in keys],
    )
    if done != f"UPDATE {len(keys)}":
        raise PositionMoved(f"moved {done}, wanted {len(keys)}")


INSERT_ORDERS = """
INSERT INTO orders (order_id, plan_id, fund_id, trade_date, side, cents, shares, action)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
ON CONFLICT (order_id) DO NOTHING
RETURNING order_id
"""


async def insert_new_orders(connection: Connection, orders: Sequence[Order]) -> list[Order]:
    """Store ``orders`` and return those that were never seen before, in their order."""
    by_id = {order.order_id: order for order in reversed(orders)}
    rows = await connection.fetch(
        INSERT_ORDERS,
        *zip(
            *[
                (o.order_id, o.plan_id, o.fund_id, o.trade_date, o.side, o.cents, o.shares, o.action)
                for o in by_id.values()
            ],
            strict=True,
        ),
    )
    new = {row["order_id"] for row in rows}
    return [order for order in reversed(by_id.values()) if order.order_id in new]


UPDATE_ORDERS = """
UPDATE orders o SET state = c.state, booked_units = c.units, booked_cents = c.cents, booked_price = c.price
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[]) AS c (order_id, state, units, cents, price)
WHERE o.order_id = c.order_id
"""
INSERT_FUND = "INSERT INTO funds VALUES ($1, $2) ON CONFLICT DO NOTHING"
UPSERT_PRICE = """
INSERT INTO prices VALUES ($1, $2, $3, $4)
ON CONFLICT (fund_id, price_date) DO UPDATE SET price = excluded.price, version = excluded.version
"""
UPSERT_HOLDING = """
INSERT INTO holdings VALUES ($1, $2, $3) ON CONFLICT (plan_id, fund_id) DO UPDATE SET units = excluded.units
"""
INSERT_VALUE_CUT = "INSERT INTO value_cuts VALUES ($1) ON CONFLICT DO NOTHING"
OUTBOX_COLUMNS = ("seq", "kind", "key", "ce_id", "ce_time", "value")


async def save_effects(connection: Connection, books: Books, effects: Effects, next_seq: int) -> list[OutboxRow]:
    """Write what a batch changed; returns the outbox rows, numbered from ``next_seq``."""
    latest = {change.order_id: change for change in effects.changes}
    if latest:
        await connection.execute(
            UPDATE_ORDERS,
            list(latest),
            [change.state for change in latest.values()],
            [change.figures and change.figures.units for change in latest.values()],
            [change.figures and change.figures.cents for change in latest.values()],
            [change.figures and change.figures.price for change in latest.values()],
        )
    await connection.executemany(INSERT_FUND, list(effects.decimals_by_fund.items()))
    await connection.executemany(
        UPSERT_PRICE, [(fund, day, *price) for (fund, day), price in effects.price_by_fund_date.items()]
    )
    held = [(*place, books.units_by_plan_fund[place]) for place in sorted(effects.positions)]
    await connection.executemany(UPSERT_HOLDING, held)
    await connection.executemany(INSERT_VALUE_CUT, [(day,) for day in effects.value_cuts])
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    rows = [OutboxRow(seq, now, message) for seq, message in enumerate(effects.messages, start=next_seq)]
    records = [(r.seq, r.message.kind, r.message.key, r.message.ce_id, r.ce_time, r.message.value) for r in rows]
    if records:
        await connection.copy_records_to_table("outbox", records=records, columns=OUTBOX_COLUMNS)
    return rows


SELECT_FUNDS = "SELECT fund_id, share_decimals FROM funds"
SELECT_PRICES = "SELECT fund_id, price_date, price, version FROM prices"
SELECT_HOLDINGS = "SELECT plan_id, fund_id, units FROM holdings"
SELECT_LAST_VALUE_CUT = "SELECT coalesce(max(trade_date), '') FROM value_cuts"
SELECT_OPEN_ORDERS = """
SELECT order_id, plan_id, fund_id, trade_date, side, cents, shares, action
FROM orders WHERE state <> 'done' ORDER BY order_id
"""


async def load_books(connection: Connection) -> Books:
    """The books as of the last committed batch."""
    books = Books()
    for row in await connection.fetch(SELECT_FUNDS):
        books.decimals_by_fund[row["fund_id"]] = row["share_decimals"]
    for row in await connection.fetch(SELECT_PRICES):
        books.price_by_fund_date[row["fund_id"], row["price_date"]] = (row["price"], row["version"])
    for row in await connection.fetch(SELECT_HOLDINGS):
        books.units_by_plan_fund[row["plan_id"], row["fund_id"]] = row["units"]
    books.last_value_cut = await connection.fetchval(SELECT_LAST_VALUE_CUT)
    for row in await connection.fetch(SELECT_OPEN_ORDERS):
        books.restore_open(Order(**dict(row)))
    return books


SELECT_OUTBOX = "SELECT seq, kind, key, ce_id, ce_time, value FROM outbox ORDER BY seq"
DELETE_PUBLISHED = "DELETE FROM outbox WHERE seq <= $1"


async def load_outbox(connection: Connection) -> list[OutboxRow]:
    """Messages that may not have reached the broker, in order."""
    return [
        OutboxRow(row["seq"], row["ce_time"], Message(row["kind"], row["key"], row["ce_id"], row["value"]))
        for row in await connection.fetch(SELECT_OUTBOX)
    ]


async def forget_published(connection: Connection, seq: int) -> None:
    """Remove messages up to ``seq``, which the broker has acknowledged."""
    await connection.execute(DELETE_PUBLISHED, seq)

"""Reversals after the trade, first half: legs to take back are kept, and packed into sells at the cut."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
from asyncpg.pgproto.pgproto import UUID

from services.trading import store_reversals
from services.trading.building import pack_legs
from services.trading.handlers import RULE_SET
from services.trading.rules.orders import BUY, CENTS, SELL, SHARES, order_id_of
from services.trading.rules.unwinding import units_to_sell
from shared.events.packed import TakenBackBatch
from shared.events.topics import CUSTODIAN_CONFIRMATIONS
from shared.runtime.copying import copy_rows
from shared.runtime.definition import Progress
from shared.runtime.records import Record, dated, unpacked
from shared.runtime.work import Work
from shared.values.invariants import invariant
from shared.values.trading_days import previous_trading_day

LEGS_PER_SLICE = 4_000
SOLD, CANCELLED = "sold", "cancelled"
_decode = msgspec.json.Decoder(TakenBackBatch).decode


class ReversedLine(msgspec.Struct, gc=False):
    """A reversal of a line that was instructed earlier; ``legs`` is a matrix of positive cents, sources by funds."""

    lane: int
    topic: str
    offset: int
    recorded_at: datetime
    trade_date: date
    key: str
    plan_id: str
    bucket: int
    cause: str
    reverses: str
    instructed_for: str
    sources: list[str]
    funds: list[str]
    legs: list[int]
    trace: str | None = None
    forfeits: bool = False

    @property
    def cents(self) -> int:
        """Cents at stake: negative, they leave."""
        return -sum(self.legs)


def explode_reversed(record: Record) -> list[ReversedLine]:
    """The reversals of a packed record."""
    batch = _decode(record.value or b"")
    lines = len(batch.participants)
    return unpacked(
        ReversedLine, record, dated(record, batch.trade_date), batch.participants, batch.plan_ids, batch.buckets,
        batch.causes, batch.reverses, batch.instructed_for, batch.sources, batch.funds, batch.cents,
        batch.traces or [None] * lines, batch.forfeits or [False] * lines,
    )  # fmt: skip


async def keep_reversed(work: Work, items: list[ReversedLine]) -> None:
    """One journal row per reversal, and one row per leg for the cut to work through."""
    rows, legs = [], []
    for item in items:
        width = len(item.funds)
        invariant(len(item.legs) == width * len(item.sources), "legs are sources by funds")
        by_fund = [-sum(item.legs[column::width]) for column in range(width)]
        entry, recorded_at = work.next_entry(item.lane), work.at(item.lane, item.recorded_at)
        rows.append(
            (
                item.trade_date, item.lane, entry, recorded_at, "reverse", item.bucket, item.plan_id, item.key,
                UUID(item.cause), RULE_SET, item.trace, [*item.funds, "instructed"], [*by_fund, -sum(by_fund)],
                item.sources, [-cents for cents in item.legs], UUID(item.reverses),
            )
        )  # fmt: skip
        pairs = [(source, fund) for source in item.sources for fund in item.funds]
        legs += [
            (
                item.lane, entry, source, fund, item.trade_date, item.plan_id, item.key, item.bucket, UUID(item.cause),
                UUID(item.reverses), date.fromisoformat(item.instructed_for), cents, item.forfeits,
            )
            for (source, fund), cents in zip(pairs, item.legs, strict=True)
            if cents
        ]  # fmt: skip
    await copy_rows(work.connection, "journal", store_reversals.REVERSED_COLUMNS, rows)
    await copy_rows(work.connection, "reversal_legs", store_reversals.REVERSAL_LEG_COLUMNS, legs)


# -- at the cut ------------------------------------------------------------------------------------------------------


async def read_date(work: Work, lane: int, day: date) -> Progress:
    """Pack the lane's legs of ``day``, first what is bought, then what is taken back; done when nothing is left."""
    return await pack_reversals(work, lane, day) if await pack_legs(work, lane, day) else Progress.MORE


async def pack_reversals(work: Work, lane: int, day: date) -> Progress:
    """Sell what earlier dates bought, or cancel what the custodian rejected; one slice, done when all were tried.

    Sells come from fills that were posted up to the date before. Whether those are complete is a fact of the log: the
    value cut of that date stands below this cut in ``confirmations``, or it does not and reversals wait another date.
    """
    connection = work.connection
    if not await connection.fetchval(store_reversals.ANY_OPEN, lane, day):
        return Progress.DONE
    before = previous_trading_day(day)
    valued = work.lanes[lane].inputs[CUSTODIAN_CONFIRMATIONS.name].last_value_cut
    if valued is None or valued < before:
        return Progress.DONE
    closed = work.lanes[lane].cycles["value"].last_closed
    if closed is None or closed < before:
        return Progress.WAITING
    rows = await connection.fetch(store_reversals.OPEN_LEGS, lane, day, LEGS_PER_SLICE)
    done = await _undo(work, lane, rows)
    await _pack(work, lane, day, done)
    await connection.execute(
        store_reversals.NOTE_TRIED, lane, day, [row["entry"] for row in rows], [row["source"] for row in rows],
        [row["fund_id"] for row in rows],
    )  # fmt: skip
    return Progress.DONE if len(rows) < LEGS_PER_SLICE else Progress.MORE


class Undone(NamedTuple):
    """What is done about one leg; ``units`` of shares for a sell, ``None`` where rejected dollars are cancelled."""

    leg: Any
    bought_by: str
    units: int | None


async def _undo(work: Work, lane: int, rows: list[Any]) -> list[Undone]:
    """Decide each leg by the state of the order that bought it; those whose order is still in flight are left out."""
    connection = work.connection
    asked = sorted({(row["instructed_for"], row["plan_id"], row["fund_id"]) for row in rows})
    columns = map(list, zip(*asked, strict=True))
    orders = {
        (row["instructed_for"], row["plan_id"], row["fund_id"]): row
        for row in await connection.fetch(store_reversals.BOUGHT_BY, lane, *columns)
    }
    left = await _left(work, lane, [row["order_id"] for row in orders.values() if row["status"] == "confirmed"])
    done = []
    for leg in rows:
        order = orders.get((leg["instructed_for"], leg["plan_id"], leg["fund_id"]))
        if order is None:
            continue
        place = (order["order_id"], leg["participant_id"], leg["source"])
        if order["status"] == "rejected" and order["carried_to"] is None:
            done.append(Undone(leg, order["order_id"], None))
        elif place in left:
            cents, units = left[place]
            sold = units_to_sell(units, cents, leg["cents"])
            left[place] = (cents - leg["cents"], units - sold)
            done.append(Undone(leg, order["order_id"], sold))
    return done


async def _left(work: Work, lane: int, orders: list[str]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """(cents, units) that each (order, participant, source) leg bought and no reversal has sold yet."""
    left: dict[tuple[str, str, str], tuple[int, int]] = {}
    for row in await work.connection.fetch(store_reversals.BOUGHT, lane, orders):
        bought = zip(row["participants"], row["sources"], row["amounts"][:-1], row["units"][:-1], strict=True)
        for participant, source, cents, units in bought:
            left[row["order_id"], participant, source] = (cents, units)
    for row in await work.connection.fetch(store_reversals.SOLD_OF, lane, orders):
        place = (row["bought_by"], row["participant_id"], row["source"])
        cents, units = left[place]
        left[place] = (cents - row["cents"], units - row["units"])
    return left


async def _pack(work: Work, lane: int, day: date, done: list[Undone]) -> None:
    """Write the legs as packs of the orders of ``day``, and note what was done about each."""
    packs: dict[tuple[str, str, bool], dict[tuple[str, str], tuple[int, int, int]]] = {}
    for leg, _, units in done:
        pack = packs.setdefault((leg["plan_id"], leg["fund_id"], units is None), {})
        key = (leg["participant_id"], leg["source"])
        _, cents, sold = pack.get(key, (0, 0, 0))
        pack[key] = (leg["bucket"], cents + leg["cents"], sold + (units or 0))
    rows = [_row(day, lane, place, pack) for place, pack in sorted(packs.items())]
    await copy_rows(work.connection, "order_legs", store_reversals.SELL_LEG_COLUMNS, rows)
    await work.connection.execute(
        store_reversals.NOTE_DONE, lane, day,
        [one.leg["entry"] for one in done], [one.leg["source"] for one in done], [one.leg["fund_id"] for one in done],
        [CANCELLED if one.units is None else SOLD for one in done], [one.bought_by for one in done],
        [one.units for one in done],
    )  # fmt: skip


def _row(
    day: date, lane: int, place: tuple[str, str, bool], pack: dict[tuple[str, str], tuple[int, int, int]]
) -> tuple[Any, ...]:
    plan, fund, is_cancelled = place
    keys = sorted(pack)
    people, buckets, sources = [key[0] for key in keys], [pack[key][0] for key in keys], [key[1] for key in keys]
    cents, units = [pack[key][1] for key in keys], [pack[key][2] for key in keys]
    if is_cancelled:
        order_id = order_id_of(plan, fund, BUY, CENTS, day, 0)
        taken = [-one for one in cents]
        return (day, lane, plan, fund, BUY, order_id, day, sum(taken), people, buckets, sources, taken, None)
    order_id = order_id_of(plan, fund, SELL, SHARES, day, 0)
    return (day, lane, plan, fund, SELL, order_id, day, sum(units), people, buckets, sources, cents, units)

"""Every SQL statement of the valuation service; functions take a connection, return values and never commit."""

from __future__ import annotations

from datetime import date

from services.valuation.rules.holdings import CONFLICT, NEW, Part, added_up, judge_parts
from shared.runtime.clients import Connection
from shared.runtime.facts import FactRecord
from shared.runtime.pricefacts import price_name, sort_out_prices

HOLDINGS_CONFLICT = "HOLDINGS_CONFLICT"
JOURNAL_COLUMNS = [
    "trade_date", "lane", "entry", "recorded_at", "kind", "bucket", "plan_id", "cause", "rule_set",
    "amounts", "sources", "participants", "fund_id", "units", "order_id", "version", "order_date", "price",
]  # fmt: skip
SALE_COLUMNS = [*JOURNAL_COLUMNS, "accounts", "proceeds"]
FIND_POSITIONS = """
SELECT p.lane, p.plan_id, p.participant_id, p.holdings
FROM unnest($1::int[], $2::text[], $3::text[]) AS asked(lane, plan_id, participant_id)
CROSS JOIN LATERAL (SELECT lane, plan_id, participant_id, holdings FROM positions AS one
                    WHERE one.lane = asked.lane AND one.plan_id = asked.plan_id
                      AND one.participant_id = asked.participant_id OFFSET 0) AS p"""
SAVE_POSITIONS = """
INSERT INTO positions (lane, plan_id, participant_id, bucket, holdings)
SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::smallint[], $5::json[])
ON CONFLICT (lane, plan_id, participant_id) DO UPDATE SET holdings = excluded.holdings"""
POSITIONS_AFTER = """
SELECT plan_id, participant_id, bucket, holdings FROM positions
WHERE lane = $1 AND (plan_id, participant_id) > ($2, $3) ORDER BY plan_id, participant_id LIMIT $4"""
LAST_VALUED = """
SELECT plan_id, participant_id FROM balances WHERE trade_date = $1 AND lane = $2
ORDER BY plan_id DESC, participant_id DESC LIMIT 1"""
BALANCE_COLUMNS = ["trade_date", "lane", "participant_id", "plan_id", "bucket", "cents", "holdings"]
ADD_HOLDINGS = """
INSERT INTO lane_holdings (trade_date, lane, plan_id, fund_id, units, cost)
SELECT * FROM unnest($1::date[], $2::int[], $3::text[], $4::text[], $5::numeric[], $6::numeric[])
ON CONFLICT (trade_date, lane, plan_id, fund_id)
DO UPDATE SET units = lane_holdings.units + excluded.units, cost = lane_holdings.cost + excluded.cost"""
# A participant whose first fill of all is parked holds nothing yet, and has a balance that is not final.
INSERT_WAITING = """
INSERT INTO balances (trade_date, lane, participant_id, plan_id, bucket, holdings)
SELECT $1, $2, who, plan, bucket, '{}' FROM unnest($3::text[], $4::text[], $5::smallint[]) AS one(plan, who, bucket)
ON CONFLICT (trade_date, lane, plan_id, participant_id) DO NOTHING"""
PARKED_FILLS = """
SELECT trade_date, freed_for, item FROM parked
WHERE lane = ANY($1::int[]) AND topic = $2 AND trade_date <= $3 AND (freed_for IS NULL OR freed_for >= $3)
ORDER BY lane, key, number"""
PRICES_OF = """
SELECT DISTINCT ON (fund_id) fund_id, price FROM prices
WHERE price_date = $1 AND status IN ('final', 'corrected') AND value_date <= $2 ORDER BY fund_id, version DESC"""
HOLDINGS_PARTS = "SELECT count(*) AS seen, max(parts) AS parts FROM custodian_parts WHERE date = $1"
HELD_AT_CUSTODIAN = "SELECT plan_id, fund_id, shares FROM custodian_holdings WHERE date = $1"
HELD_HERE = """
SELECT plan_id, fund_id, sum(units)::bigint AS units FROM lane_holdings WHERE trade_date = $1
GROUP BY plan_id, fund_id"""
UPSTREAM = "SELECT lane, totals FROM upstream_totals WHERE trade_date = $1 ORDER BY lane"
LANE_POSTED = """
SELECT count(*) AS fills, coalesce(sum(-amounts[cardinality(amounts)]), 0)::bigint AS posted_cents,
       coalesce(sum(-units[cardinality(units)]), 0)::bigint AS posted_units
FROM journal WHERE trade_date = $1 AND lane = $2"""
ALL_POSTED = """
SELECT count(*) AS fills, coalesce(sum(-amounts[cardinality(amounts)]), 0)::bigint AS posted_cents,
       coalesce(sum(-units[cardinality(units)]), 0)::bigint AS posted_units
FROM journal WHERE trade_date = $1"""
INSERT_PROOF = """
INSERT INTO proofs (trade_date, status, equations, plan_cash, recorded_at) VALUES ($1, $2, $3, $4, $5)"""
KNOWN_PRICES = """
SELECT fund_id, price_date, version, status, price
FROM unnest($1::text[], $2::date[], $3::int[]) AS asked(fund_id, price_date, version)
JOIN prices USING (fund_id, price_date, version)"""
INSERT_PRICES = """
INSERT INTO prices (fund_id, price_date, version, status, price, value_date, recorded_at)
SELECT * FROM unnest($1::text[], $2::date[], $3::int[], $4::text[], $5::text[], $6::date[], $7::timestamptz[])
ON CONFLICT (fund_id, price_date, version) DO NOTHING"""
KNOWN_PARTS = "SELECT date, part, parts FROM custodian_parts WHERE date = ANY($1::date[])"
KNOWN_HELD = """
SELECT date, part, plan_id, fund_id, shares FROM unnest($1::date[], $2::int[]) AS asked(date, part)
JOIN custodian_holdings USING (date, part)"""
INSERT_PARTS = """
INSERT INTO custodian_parts (date, part, parts) SELECT * FROM unnest($1::date[], $2::int[], $3::int[])"""
INSERT_HELD = """
INSERT INTO custodian_holdings (date, part, plan_id, fund_id, shares)
SELECT * FROM unnest($1::date[], $2::int[], $3::text[], $4::text[], $5::text[])"""
SHARE_DECIMALS = """
SELECT DISTINCT ON (key) key, (body ->> 'share_decimals')::int AS decimals FROM facts WHERE topic = 'funds.v1'
ORDER BY key, version"""
BALANCE_ON = """
SELECT trade_date, plan_id, cents, holdings FROM balances WHERE participant_id = $1 AND trade_date = $2
ORDER BY plan_id"""
PLAN_BALANCES_ON = """
SELECT participant_id, cents, holdings FROM balances WHERE plan_id = $1 AND trade_date = $2 AND lane = ANY($3::int[])
ORDER BY participant_id"""
LAST_CLOSED = """
SELECT max(trade_date) FROM proofs
WHERE status = 'proven' AND recorded_at <= coalesce($1::timestamptz, 'infinity')
  AND trade_date <= coalesce($2::date, 'infinity')"""
PROOF_ON = "SELECT status, equations, plan_cash, recorded_at FROM proofs WHERE trade_date = $1"
ENTRIES_OF = """
SELECT trade_date, order_date, recorded_at, kind, plan_id, fund_id, order_id, version, price, sources, participants,
       amounts, units, proceeds
FROM journal WHERE lane = $1 AND participants @> ARRAY[$2::text] ORDER BY trade_date, entry"""


async def share_decimals(connection: Connection) -> dict[str, int]:
    """Decimals of a share by fund, as its first fact says."""
    return {row["key"]: row["decimals"] for row in await connection.fetch(SHARE_DECIMALS)}


async def store_prices(connection: Connection, facts: list[FactRecord]) -> list[tuple[FactRecord, str]]:
    """Keep every price version; returns those that contradict the first of their version."""
    names = [price_name(fact) for fact in facts]
    rows = await connection.fetch(KNOWN_PRICES, *map(list, zip(*names, strict=True)))
    facts, refused = sort_out_prices(facts, {tuple(row)[:3]: tuple(row)[3:] for row in rows})
    if not facts:
        return refused
    fresh = [
        (f.body.fund_id, f.body.price_date, f.body.version, f.body.status, f.body.price, f.received_for, f.recorded_at)
        for f in facts
    ]
    await connection.execute(INSERT_PRICES, *map(list, zip(*fresh, strict=True)))
    return refused


async def store_holdings(connection: Connection, facts: list[FactRecord]) -> list[tuple[FactRecord, str]]:
    """Keep the custodian's own figures, part by part; returns those that contradict the first of their part."""
    said = [
        Part(f.body.date, f.body.part, f.body.parts,
             added_up((one.plan_id, one.fund_id, one.shares) for one in f.body.positions))
        for f in facts
    ]  # fmt: skip
    verdicts = judge_parts(said, await _known_parts(connection, said))
    parts = [one for one, verdict in zip(said, verdicts, strict=True) if verdict == NEW]
    if parts:
        names = [(one.date, one.part, one.parts) for one in parts]
        await connection.execute(INSERT_PARTS, *map(list, zip(*names, strict=True)))
    rows = [(one.date, one.part, *place, f"{shares:f}") for one in parts for place, shares in one.shares.items()]
    if rows:
        await connection.execute(INSERT_HELD, *map(list, zip(*rows, strict=True)))
    return [(fact, HOLDINGS_CONFLICT) for fact, verdict in zip(facts, verdicts, strict=True) if verdict == CONFLICT]


async def _known_parts(connection: Connection, said: list[Part]) -> list[Part]:
    """All parts of the dates that are spoken of; the shares of those that are spoken of again."""
    positions: dict[tuple[date, int], list[tuple[str, str, str]]] = {}
    names = sorted({(one.date, one.part) for one in said})
    for day, part, *position in await connection.fetch(KNOWN_HELD, *map(list, zip(*names, strict=True))):
        positions.setdefault((day, part), []).append(tuple(position))
    rows = await connection.fetch(KNOWN_PARTS, sorted({one.date for one in said}))
    return [Part(day, part, parts, added_up(positions.get((day, part), ()))) for day, part, parts in rows]

"""Every SQL statement of the trading service; functions take a connection, return values and never commit."""

from __future__ import annotations

from shared.runtime.clients import Connection
from shared.runtime.facts import FactRecord
from shared.runtime.pricefacts import price_name, sort_out_prices

JOURNAL_COLUMNS = [
    "trade_date", "lane", "entry", "recorded_at", "kind", "bucket", "plan_id", "participant_id", "cause", "rule_set",
    "trace", "accounts", "amounts", "participants", "sources", "leg_cents", "units", "order_id", "version",
    "order_date",
]  # fmt: skip
LEG_COLUMNS = [
    "trade_date", "lane", "plan_id", "fund_id", "side", "order_id", "order_date", "total", "participants", "buckets",
    "sources", "cents",
]  # fmt: skip

PLANS_TO_PACK = """
SELECT plan_id, count(*) AS lines FROM journal WHERE trade_date = $1 AND lane = $2 AND kind = 'instruct'
GROUP BY plan_id ORDER BY plan_id"""
PLANS_PACKED = "SELECT DISTINCT plan_id FROM order_legs WHERE trade_date = $1 AND lane = $2"
LINES_TO_PACK = """
SELECT plan_id, participant_id, bucket, accounts, sources, leg_cents FROM journal
WHERE trade_date = $1 AND lane = $2 AND kind = 'instruct' AND plan_id = ANY($3::text[])"""
REJECTED_ORDERS = """
SELECT order_id, plan_id, fund_id, side, unit FROM orders WHERE status = 'rejected' AND carried_to IS NULL"""
CARRY_LEGS = """
UPDATE order_legs SET order_id = carried.following, order_date = $1
FROM unnest($2::text[], $3::text[]) AS carried(before, following) WHERE order_legs.order_id = carried.before"""
MARK_CARRIED = "UPDATE orders SET carried_to = $1 WHERE order_id = ANY($2::text[])"
ORDER_TOTALS = """
SELECT order_id, plan_id, fund_id, side, sum(total)::bigint AS total FROM order_legs WHERE order_date = $1
GROUP BY order_id, plan_id, fund_id, side HAVING sum(total) > 0 ORDER BY order_id"""
INSERT_ORDERS = """
INSERT INTO orders (order_id, trade_date, plan_id, fund_id, side, unit, wave, amount, lane, status, recorded_at)
SELECT o, $2, p, f, s, CASE s WHEN 'sell' THEN 'shares' ELSE 'cents' END, 0, a, l, 'open', $8
FROM unnest($1::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::int[]) AS new(o, p, f, s, a, l)"""
ORDERS_TO_SAY = """
SELECT order_id, plan_id, fund_id, side, unit, amount, wave FROM orders
WHERE trade_date = $1 AND lane = $2 AND order_id > $3 ORDER BY order_id LIMIT $4"""
KNOWN_ORDERS = "SELECT order_id, fund_id, trade_date FROM orders WHERE order_id = ANY($1::text[])"
KNOWN_CONFIRMATIONS = """
SELECT order_id, version, status, shares, price, cents FROM confirmations WHERE order_id = ANY($1::text[])"""
CONFIRMATION_COLUMNS = [
    "order_id", "version", "status", "units", "shares", "price", "cents", "reason", "lane", "value_date", "recorded_at",
]  # fmt: skip
TO_JUDGE = """
SELECT c.order_id, c.version, c.status, c.units, c.price, c.cents, o.fund_id, o.plan_id, o.trade_date, o.unit, o.amount,
       o.side, o.status AS order_status, o.version AS order_version, final.price AS final_price,
       heard.version AS heard_version
FROM confirmations AS c JOIN orders AS o USING (order_id)
CROSS JOIN LATERAL (SELECT coalesce(max(h.version), 0) AS version FROM confirmations AS h
                    WHERE h.order_id = c.order_id AND h.verdict <> 'pending'
                      AND h.verdict NOT LIKE 'refused:%') AS heard
LEFT JOIN LATERAL (SELECT p.price FROM prices AS p
                   WHERE p.fund_id = o.fund_id AND p.price_date = o.trade_date AND p.status IN ('final', 'corrected')
                     AND p.value_date <= $1 ORDER BY p.version DESC LIMIT 1) AS final ON true
WHERE c.verdict IS NULL AND c.value_date <= $1
  AND (c.status IN ('pending', 'rejected') OR final.price IS NOT NULL)
ORDER BY o.plan_id, o.fund_id, c.order_id, c.version LIMIT $2"""
SAVE_VERDICTS = """
UPDATE confirmations SET verdict = v.verdict
FROM unnest($1::text[], $2::int[], $3::text[]) AS v(order_id, version, verdict)
WHERE confirmations.order_id = v.order_id AND confirmations.version = v.version"""
SAVE_STATUSES = """
UPDATE orders SET status = v.status, break_code = v.code, version = coalesce(v.version, orders.version),
  price = coalesce(v.price, orders.price), cents = coalesce(v.cents, orders.cents),
  units = coalesce(v.units, orders.units)
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::bigint[], $7::bigint[])
  AS v(order_id, status, code, version, price, cents, units) WHERE orders.order_id = v.order_id"""
ADD_FUND_UNITS = """
INSERT INTO fund_units (fund_id, units)
SELECT o.fund_id, sum((c.units - coalesce(undone.units, 0)) * CASE o.side WHEN 'buy' THEN 1 ELSE -1 END)
FROM unnest($1::text[], $2::int[], $3::int[]) AS accepted(order_id, version, reverses)
JOIN orders AS o ON o.order_id = accepted.order_id
JOIN confirmations AS c ON c.order_id = accepted.order_id AND c.version = accepted.version
LEFT JOIN confirmations AS undone ON undone.order_id = accepted.order_id AND undone.version = accepted.reverses
GROUP BY o.fund_id
ON CONFLICT (fund_id) DO UPDATE SET units = fund_units.units + excluded.units"""
LEGS_OF = """
SELECT order_id, lane, participants, buckets, sources, cents FROM order_legs WHERE order_id = ANY($1::text[])
ORDER BY order_id, lane, leg_pack"""
LEGS_COUNTED = """
SELECT order_id, sum(cardinality(buckets))::bigint AS legs FROM order_legs WHERE order_id = ANY($1::text[])
GROUP BY order_id"""
LEGS_IN_LANE = """
SELECT order_id, participants, buckets, sources, cents FROM order_legs WHERE order_id = ANY($1::text[]) AND lane = $2
ORDER BY order_id, leg_pack"""
FILL_ENTRY = """
SELECT j.version, j.amounts, j.units, c.price FROM journal AS j JOIN confirmations AS c USING (order_id, version)
WHERE j.order_id = $1 AND j.version = $2 AND j.lane = $3 AND j.kind = 'fill'"""
UNDECIDED_CUT = """
SELECT min(trade_date) FROM decided_days WHERE cycle = 'day' AND trade_date > coalesce(
    (SELECT max(trade_date) FROM decided_days WHERE cycle = 'value'), '0001-01-01')"""
LAST_VALUED = "SELECT max(trade_date) FROM decided_days WHERE cycle = 'value'"
LANE_INSTRUCTED = """
SELECT count(*) AS lines, coalesce(sum(-amounts[cardinality(amounts)]), 0)::bigint AS cents
FROM journal WHERE trade_date = $1 AND lane = $2 AND kind = 'instruct'"""
LANE_PARKED = """
SELECT coalesce(sum(CASE WHEN trade_date = $2 THEN cents ELSE 0 END
                    - CASE WHEN freed_for = $2 THEN cents ELSE 0 END), 0)::bigint
FROM parked WHERE lane = $1 AND topic = $3 AND cents >= 0 AND (trade_date = $2 OR freed_for = $2)"""
LANE_LEGS = """
SELECT coalesce(sum(total), 0)::bigint FROM order_legs
WHERE trade_date = $1 AND lane = $2 AND side = 'buy' AND total >= 0"""
LANE_FILLED = """
SELECT count(*) AS fills, coalesce(sum(-amounts[cardinality(amounts)]), 0)::bigint AS filled_cents,
       coalesce(sum(-units[cardinality(units)]), 0)::bigint AS filled_units
FROM journal WHERE trade_date = $1 AND lane = $2 AND kind IN ('fill', 'fill_reversed', 'write_off')"""
DAY_ORDERS = """
SELECT count(*) AS orders, coalesce(sum(amount) FILTER (WHERE unit = 'cents'), 0)::bigint AS ordered_cents
FROM orders WHERE trade_date = $1"""
LEGS_ORDERED = """
SELECT coalesce(sum(total), 0)::bigint FROM order_legs JOIN orders USING (order_id)
WHERE orders.trade_date = $1 AND orders.unit = 'cents'"""
# By the amounts of the rejected orders, not by the legs that were moved: those are the other side.
CENTS_CARRIED = """
SELECT coalesce(sum(amount), 0)::bigint FROM orders WHERE carried_to = $1 AND unit = 'cents'"""
CONFIRMED_ON = """
SELECT coalesce(sum(c.units * way.sign), 0)::bigint AS units, coalesce(sum(c.cents * way.sign), 0)::bigint AS cents
FROM confirmations AS c JOIN orders AS o USING (order_id)
CROSS JOIN LATERAL (SELECT CASE o.side WHEN 'buy' THEN 1 ELSE -1 END AS sign) AS way
WHERE c.verdict = 'accepted:' || $1::date::text"""
REVERSED_ON = """
SELECT coalesce(sum(old.units * way.sign), 0)::bigint AS units, coalesce(sum(old.cents * way.sign), 0)::bigint AS cents,
       coalesce(sum(old.cents) FILTER (WHERE o.side = 'sell'), 0)::bigint AS sold_cents
FROM confirmations AS c JOIN orders AS o USING (order_id)
CROSS JOIN LATERAL (SELECT CASE o.side WHEN 'buy' THEN 1 ELSE -1 END AS sign) AS way
JOIN confirmations AS old ON old.order_id = c.order_id AND old.verdict LIKE 'accepted:%'
WHERE c.verdict = 'accepted:' || $1::date::text AND c.status = 'corrected' AND old.version < c.version
  AND old.version = (SELECT max(version) FROM confirmations AS x
                     WHERE x.order_id = c.order_id AND x.version < c.version AND x.verdict LIKE 'accepted:%')"""
NOTE_IN_FLIGHT = """
INSERT INTO in_flight (trade_date, plan_id, fund_id, units)
SELECT $1, o.plan_id, o.fund_id, sum((last.units - CASE o.status WHEN 'confirmed' THEN o.units ELSE 0 END)
                                     * CASE o.side WHEN 'buy' THEN 1 ELSE -1 END)::bigint
FROM orders AS o
JOIN LATERAL (SELECT units FROM confirmations AS c
              WHERE c.order_id = o.order_id AND c.status IN ('confirmed', 'corrected') AND c.value_date <= $1
              ORDER BY version DESC LIMIT 1) AS last ON true
WHERE o.order_id IN (SELECT order_id FROM orders WHERE status IN ('open', 'pending', 'broken')
                     UNION ALL SELECT order_id FROM confirmations WHERE verdict LIKE 'broken:%')
GROUP BY o.plan_id, o.fund_id"""
IN_FLIGHT = "SELECT plan_id, fund_id, units FROM in_flight WHERE trade_date = $1 ORDER BY plan_id, fund_id"
KNOWN_PRICES = """
SELECT fund_id, price_date, version, status, price
FROM unnest($1::text[], $2::date[], $3::int[]) AS asked(fund_id, price_date, version)
JOIN prices USING (fund_id, price_date, version)"""
INSERT_PRICES = """
INSERT INTO prices (fund_id, price_date, version, status, price, value_date, fact_version, recorded_at)
SELECT * FROM unnest($1::text[], $2::date[], $3::int[], $4::text[], $5::text[], $6::date[], $7::bigint[],
                     $8::timestamptz[])
ON CONFLICT (fund_id, price_date, version) DO NOTHING"""
INSERT_COMMANDS = """
INSERT INTO day_commands (version, kind, trade_date, cause, recorded_at)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::date[], $4::text[], $5::timestamptz[])"""
DAY_STATES = """
SELECT status, count(*) AS orders FROM orders WHERE trade_date = $1 GROUP BY status"""
DAY_BREAKS = """
SELECT order_id, plan_id, fund_id, break_code FROM orders WHERE trade_date = $1 AND status = 'broken'
ORDER BY order_id"""
DAY_REFUSED = """
SELECT order_id, c.version, c.status, split_part(c.verdict, ':', 2) AS code
FROM confirmations AS c JOIN orders AS o USING (order_id) WHERE o.trade_date = $1 AND c.verdict LIKE 'refused:%'
UNION ALL SELECT order_id, c.version, c.status, split_part(c.verdict, ':', 2)
FROM confirmations AS c JOIN orders AS o USING (order_id)
WHERE o.trade_date = $1 AND c.verdict LIKE 'broken:%' AND o.status = 'confirmed' AND c.version > o.version
ORDER BY order_id, version"""
# Few wait at a time, and this is asked often: by their own index, never as a join with all orders of the date.
UNJUDGED = """
SELECT count(*) FROM confirmations AS c
WHERE c.verdict IS NULL AND (SELECT o.trade_date FROM orders AS o WHERE o.order_id = c.order_id) = $1"""
DAY_PROGRESS = """
SELECT cycle, count(*) AS read, count(closed_at) AS closed FROM lane_days WHERE trade_date = $1 GROUP BY cycle"""


async def store_prices(connection: Connection, facts: list[FactRecord]) -> list[tuple[FactRecord, str]]:
    """Keep every price version; returns those that contradict the first of their version."""
    names = [price_name(fact) for fact in facts]
    rows = await connection.fetch(KNOWN_PRICES, *map(list, zip(*names, strict=True)))
    facts, refused = sort_out_prices(facts, {tuple(row)[:3]: tuple(row)[3:] for row in rows})
    if not facts:
        return refused
    fresh = [
        (f.body.fund_id, f.body.price_date, f.body.version, f.body.status, f.body.price, f.received_for, f.version,
         f.recorded_at)
        for f in facts
    ]  # fmt: skip
    await connection.execute(INSERT_PRICES, *map(list, zip(*fresh, strict=True)))
    return refused


async def store_commands(connection: Connection, facts: list[FactRecord]) -> None:
    """Requests to close or value a date, in the order they came."""
    rows = [
        (
            f.version,
            "close" if f.ce_type.endswith("close-requested.v1") else "value",
            f.body.trade_date,
            f.cause,
            f.recorded_at,
        )
        for f in facts
    ]
    await connection.execute(INSERT_COMMANDS, *map(list, zip(*rows, strict=True)))

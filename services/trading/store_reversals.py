"""Every SQL statement of the trading service about reversals after the trade: legs taken back, sells, plan cash."""

from __future__ import annotations

REVERSED_COLUMNS = [
    "trade_date", "lane", "entry", "recorded_at", "kind", "bucket", "plan_id", "participant_id", "cause", "rule_set",
    "trace", "accounts", "amounts", "sources", "leg_cents", "reverses",
]  # fmt: skip
REVERSAL_LEG_COLUMNS = [
    "lane", "entry", "source", "fund_id", "trade_date", "plan_id", "participant_id", "bucket", "cause", "reverses",
    "instructed_for", "cents", "forfeits",
]  # fmt: skip
SELL_LEG_COLUMNS = [
    "trade_date", "lane", "plan_id", "fund_id", "side", "order_id", "order_date", "total", "participants", "buckets",
    "sources", "cents", "units",
]  # fmt: skip
SALE_COLUMNS = [
    "trade_date", "lane", "entry", "recorded_at", "kind", "bucket", "plan_id", "participant_id", "cause", "rule_set",
    "trace", "accounts", "amounts", "participants", "sources", "units", "order_id", "version", "order_date", "proceeds",
]  # fmt: skip

ANY_OPEN = "SELECT EXISTS (SELECT FROM reversal_legs WHERE lane = $1 AND done IS NULL AND trade_date <= $2)"
OPEN_LEGS = """
SELECT entry, source, fund_id, plan_id, participant_id, bucket, instructed_for, cents FROM reversal_legs
WHERE lane = $1 AND done IS NULL AND trade_date <= $2 AND (tried_for IS NULL OR tried_for < $2)
ORDER BY entry, source, fund_id LIMIT $3"""
NOTE_TRIED = """
UPDATE reversal_legs AS r SET tried_for = $2
FROM unnest($3::bigint[], $4::text[], $5::text[]) AS tried(entry, source, fund_id)
WHERE r.lane = $1 AND r.entry = tried.entry AND r.source = tried.source AND r.fund_id = tried.fund_id"""
NOTE_DONE = """
UPDATE reversal_legs AS r SET done = d.done, done_for = $2, bought_by = d.bought_by, units = d.units
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
  AS d(entry, source, fund_id, done, bought_by, units)
WHERE r.lane = $1 AND r.entry = d.entry AND r.source = d.source AND r.fund_id = d.fund_id"""
# A rejected order's packs all join the same following order, so any of them names it.
BOUGHT_BY = """
SELECT asked.instructed_for, asked.plan_id, asked.fund_id, o.order_id, o.status, o.carried_to
FROM unnest($2::date[], $3::text[], $4::text[]) AS asked(instructed_for, plan_id, fund_id)
CROSS JOIN LATERAL (SELECT p.order_id FROM order_legs AS p
                    WHERE p.trade_date = asked.instructed_for AND p.lane = $1 AND p.plan_id = asked.plan_id
                      AND p.fund_id = asked.fund_id AND p.side = 'buy' ORDER BY p.leg_pack LIMIT 1) AS pack
JOIN orders AS o ON o.order_id = pack.order_id"""
BOUGHT = """
SELECT j.order_id, j.participants, j.sources, j.amounts, j.units FROM orders AS o
JOIN journal AS j ON j.order_id = o.order_id AND j.version = o.version AND j.lane = $1 AND j.kind = 'fill'
WHERE o.order_id = ANY($2::text[])"""
SOLD_OF = """
SELECT bought_by, participant_id, source, sum(cents)::bigint AS cents, sum(units)::bigint AS units
FROM reversal_legs WHERE lane = $1 AND bought_by = ANY($2::text[]) AND done = 'sold'
GROUP BY bought_by, participant_id, source"""
SOLD_SINCE = "SELECT DISTINCT bought_by FROM reversal_legs WHERE bought_by = ANY($1::text[]) AND done = 'sold'"

CANCELLED_ON = """
SELECT plan_id, fund_id, -sum(total)::bigint AS cents FROM order_legs
WHERE trade_date = $1 AND side = 'buy' AND total < 0 GROUP BY plan_id, fund_id ORDER BY plan_id, fund_id"""
SELLS_OF_NOTHING = """
SELECT order_id, plan_id, fund_id, lane, sum(cost)::bigint AS cost FROM (
    SELECT order_id, plan_id, fund_id, lane, (SELECT sum(c) FROM unnest(cents) AS c) AS cost,
           sum(total) OVER (PARTITION BY order_id) AS units
    FROM order_legs WHERE order_date = $1 AND side = 'sell') AS pack
WHERE units = 0 GROUP BY order_id, plan_id, fund_id, lane ORDER BY order_id, lane"""
SELL_LEGS_OF = """
SELECT order_id, lane, participants, buckets, sources, cents, units FROM order_legs
WHERE order_id = ANY($1::text[]) AND side = 'sell' ORDER BY order_id, lane, leg_pack"""
SELL_LEGS_IN_LANE = """
SELECT order_id, lane, participants, buckets, sources, cents, units FROM order_legs
WHERE order_id = ANY($1::text[]) AND side = 'sell' AND lane = $2 ORDER BY order_id, leg_pack"""
SALE_ENTRY = """
SELECT j.version, j.amounts, j.units, j.proceeds, c.price
FROM journal AS j JOIN confirmations AS c USING (order_id, version)
WHERE j.order_id = $1 AND j.version = $2 AND j.lane = $3 AND j.kind = 'fill'"""
CENTS_OF_VERSIONS = """
SELECT order_id, version, cents FROM unnest($1::text[], $2::int[]) AS asked(order_id, version)
JOIN confirmations USING (order_id, version)"""

LANE_REVERSALS = """
SELECT (SELECT coalesce(sum(amounts[cardinality(amounts)]), 0)::bigint FROM journal
        WHERE trade_date = $1 AND lane = $2 AND kind = 'reverse') AS reversed_cents,
       (SELECT coalesce(sum(cents), 0)::bigint FROM reversal_legs
        WHERE lane = $2 AND trade_date < $1 AND (done_for IS NULL OR done_for >= $1)) AS reversals_waited,
       (SELECT coalesce(sum(cents), 0)::bigint FROM reversal_legs
        WHERE lane = $2 AND trade_date <= $1 AND (done_for IS NULL OR done_for > $1)) AS reversals_waiting,
       (SELECT coalesce(sum((SELECT sum(c) FROM unnest(cents) AS c)), 0)::bigint FROM order_legs
        WHERE trade_date = $1 AND lane = $2 AND side = 'sell') AS sold_cost_cents,
       (SELECT -coalesce(sum(total), 0)::bigint FROM order_legs
        WHERE trade_date = $1 AND lane = $2 AND side = 'buy' AND total < 0) AS cancelled_cents"""
LANE_PARKED_REVERSALS = """
SELECT -coalesce(sum(CASE WHEN trade_date = $2 THEN cents ELSE 0 END
                     - CASE WHEN freed_for = $2 THEN cents ELSE 0 END), 0)::bigint
FROM parked WHERE lane = $1 AND topic = $3 AND cents < 0 AND (trade_date = $2 OR freed_for = $2)"""
# What is carried, by the amounts of the rejected orders, not by the legs that were moved: those are the other side.
SELL_UNITS = """
SELECT (SELECT coalesce(sum(amount), 0)::bigint FROM orders
        WHERE trade_date = $1 AND unit = 'shares') AS ordered_units,
       (SELECT coalesce(sum(amount), 0)::bigint FROM orders
        WHERE carried_to = $1 AND unit = 'shares') AS carried_leg_units,
       coalesce(sum(total) FILTER (WHERE trade_date = $1), 0)::bigint AS sell_leg_units,
       coalesce(sum(total), 0)::bigint AS ordered_leg_units
FROM order_legs WHERE order_date = $1 AND side = 'sell'"""
LANE_PLAN_CASH_POSTED = """
SELECT plan_id, sum(amounts[3] + amounts[4])::bigint AS cents
FROM journal WHERE lane = $1 AND kind IN ('plan_cash', 'plan_cash_reversed') AND trade_date = $2 GROUP BY plan_id"""
SOLD_ON = """
SELECT coalesce(sum(c.cents), 0)::bigint AS cents FROM confirmations AS c JOIN orders AS o USING (order_id)
WHERE c.verdict = 'accepted:' || $1::date::text AND o.side = 'sell'"""

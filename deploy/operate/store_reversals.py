"""The SQL of the proof of reversals: what was taken back on the way that the money took, and the plans' cash."""

from __future__ import annotations

TAKEN_BACK = """
SELECT coalesce(sum(leg.cents), 0)::bigint AS cents,
       coalesce(sum(hashtextextended(concat_ws(' ', r.identity, leg.source, -leg.cents), 0)), 0)::numeric % $2 AS digest
FROM reversals AS r CROSS JOIN LATERAL unnest(r.sources, r.cents) AS leg(source, cents)
WHERE r.trade_date = $1 AND r.went = 'taken_back'"""
RELEASED_LESS = """
SELECT coalesce(sum((SELECT sum(c) FROM unnest(cents) AS c)), 0)::bigint FROM reversals
WHERE trade_date = $1 AND went = 'released_less'"""
RELEASED_LESS_PARTS = """
SELECT (SELECT coalesce(-sum(amounts[cardinality(amounts)]), 0) FROM journal WHERE trade_date = $1 AND kind = 'line')
     - (SELECT coalesce(sum(credited), 0) FROM run_parts WHERE trade_date = $1)"""
JOURNALED = """
SELECT coalesce(sum(amounts[cardinality(amounts)]), 0)::bigint FROM journal
WHERE trade_date = $1 AND kind = 'reversal'"""
BOOKED = """
SELECT coalesce(sum((SELECT sum(c) FROM unnest(cents) AS c)), 0)::bigint FROM reversals WHERE trade_date = $1"""
BEYOND_THEIR_LINE = """
SELECT count(*) FROM (
    SELECT r.line_date, r.lane, r.line_entry, part.source, sum(part.cents) AS cents
    FROM reversals AS r CROSS JOIN LATERAL unnest(r.sources, r.cents) AS part(source, cents)
    WHERE r.trade_date <= $1 GROUP BY r.line_date, r.lane, r.line_entry, part.source
    HAVING max(r.trade_date) = $1) AS taken
LEFT JOIN LATERAL (SELECT sum(leg.cents) AS cents
                   FROM journal AS j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS leg(source, cents)
                   WHERE j.trade_date = taken.line_date AND j.lane = taken.lane AND j.entry = taken.line_entry
                     AND j.kind = 'line' AND leg.source = taken.source) AS line ON true
WHERE taken.cents > coalesce(line.cents, 0)"""
LEGS_TAKEN = """
SELECT coalesce(sum(cents), 0)::bigint AS cents FROM reversal_legs WHERE trade_date = $1"""
LEGS_DONE = """
SELECT coalesce(sum(cents) FILTER (WHERE done = 'sold'), 0)::bigint AS sold,
       coalesce(sum(units), 0)::bigint AS units,
       coalesce(sum(cents) FILTER (WHERE done = 'cancelled'), 0)::bigint AS cancelled
FROM reversal_legs WHERE done_for = $1"""
LEGS_PACKED = """
SELECT coalesce(sum((SELECT sum(c) FROM unnest(cents) AS c)) FILTER (WHERE side = 'sell'), 0)::bigint AS sold,
       coalesce(sum(total) FILTER (WHERE side = 'sell'), 0)::bigint AS units,
       -coalesce(sum(total) FILTER (WHERE side = 'buy' AND total < 0), 0)::bigint AS cancelled
FROM order_legs WHERE trade_date = $1"""
SOLD = """
SELECT c.order_id, c.version, c.cents, c.verdict FROM confirmations AS c JOIN orders AS o USING (order_id)
WHERE o.side = 'sell' AND c.verdict LIKE 'accepted:%' AND substr(c.verdict, 10) <= $1::date::text
ORDER BY c.order_id, c.version"""
PLAN_CASH_POSTED = """
SELECT coalesce(sum(amounts[3] + amounts[4]), 0)::bigint AS cents, coalesce(-sum(amounts[1]), 0)::bigint AS cost
FROM journal WHERE trade_date = $1 AND kind IN ('plan_cash', 'plan_cash_reversed')"""
PLAN_CASH = """
SELECT plan_id, sum(amounts[3] + amounts[4])::bigint AS cents FROM journal
WHERE trade_date <= $1 AND kind IN ('plan_cash', 'plan_cash_reversed') GROUP BY plan_id"""
FORFEITED_BY_JOURNAL = """
SELECT coalesce(sum(amounts[4]), 0)::bigint AS cents, coalesce(sum(amounts[5] - amounts[1]), 0)::bigint AS cost
FROM journal WHERE trade_date = $1 AND kind IN ('forfeiture', 'forfeiture_reversed')"""
FORFEITED_BY_PERSON = """
SELECT coalesce(sum(cents), 0)::bigint AS cents, coalesce(sum(cost), 0)::bigint AS cost FROM forfeitures
WHERE book_date = $1"""
UNUSED_FUNDING = """
SELECT plan_id, sum(greatest(cents, 0))::bigint AS cents FROM (
    SELECT plan_id, payroll_id, sum(cents) AS cents FROM (
        SELECT coalesce(f.plan_id, r.plan_id) AS plan_id, f.payroll_id, f.cents FROM fundings AS f
        LEFT JOIN (SELECT payroll_id, min(plan_id) AS plan_id FROM run_parts GROUP BY payroll_id) AS r
             USING (payroll_id)
        WHERE f.trade_date <= $1
        UNION ALL SELECT plan_id, payroll_id, -cash_used FROM run_releases WHERE trade_date <= $1) AS flow
    WHERE plan_id IS NOT NULL GROUP BY plan_id, payroll_id) AS run GROUP BY plan_id"""
PLAN_CASH_SAID = "SELECT plan_cash FROM proofs WHERE trade_date = $1"
SHORT_POSITIONS = """
SELECT count(*) FROM balances AS b CROSS JOIN LATERAL json_each(b.holdings) AS h
WHERE b.trade_date = $1 AND (h.value ->> 0)::bigint < 0"""
COST_OF_SALES = """
SELECT -coalesce(sum((SELECT sum(amount) FROM unnest(amounts[1:cardinality(amounts) - 2]) AS amount)), 0)::bigint
FROM journal WHERE trade_date = $1 AND proceeds IS NOT NULL"""

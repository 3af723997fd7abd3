"""The SQL of the plans' forfeiture accounts."""

from __future__ import annotations

# A pack keeps the date on which its legs were taken back, also when its order is rejected and another one carries it.
FORFEITED_OF = """
SELECT order_id, participant_id, source, sum(cents)::bigint AS cents
FROM (SELECT DISTINCT p.order_id, r.lane, r.entry, r.source, r.participant_id, r.cents
      FROM order_legs AS p
      JOIN reversal_legs AS r ON r.done_for = p.trade_date AND r.lane = p.lane AND r.plan_id = p.plan_id
                             AND r.fund_id = p.fund_id
      WHERE p.order_id = ANY($1::text[]) AND p.side = 'sell' AND r.done = 'sold' AND r.forfeits) AS leg
GROUP BY order_id, participant_id, source ORDER BY order_id, participant_id, source"""
CANCELLED_ON = """
SELECT plan_id, fund_id, participant_id, source, sum(cents)::bigint AS cents FROM reversal_legs
WHERE done_for = $1 AND done = 'cancelled' AND forfeits
GROUP BY plan_id, fund_id, participant_id, source ORDER BY plan_id, fund_id, participant_id, source"""
INSERT = """
INSERT INTO forfeitures (book_date, plan_id, participant_id, source, name, version, cost, cents)
SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[],
                     $8::bigint[])"""
OF_PLAN = """
SELECT participant_id, source, sum(cost)::bigint AS cost_cents, sum(cents)::bigint AS cents FROM forfeitures
WHERE plan_id = $1 GROUP BY participant_id, source ORDER BY participant_id, source"""
OF_PARTICIPANT = """
SELECT source, sum(cost)::bigint AS cost, sum(cents)::bigint AS cents FROM forfeitures
WHERE plan_id = $1 AND participant_id = $2 GROUP BY source ORDER BY source"""
LEGS_OF_PARTICIPANT = """
SELECT coalesce(sum(cents), 0)::bigint FROM reversal_legs
WHERE plan_id = $1 AND participant_id = $2 AND forfeits"""

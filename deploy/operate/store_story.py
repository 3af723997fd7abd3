"""The SQL behind an explanation: everything that made one participant's figures of one date."""

from __future__ import annotations

LANES = "SELECT count(*)::int FROM lanes"
LINES = """
SELECT j.trade_date, j.kind, j.plan_id, j.payroll_id, j.cause, j.pay_date, j.compensation,
       j.requested, j.rejected, j.accounts, j.amounts, j.detail::text AS detail, j.limit_uses, j.rule_set,
       r.released_for
FROM journal AS j LEFT JOIN run_parts AS r USING (trade_date, lane, plan_id, payroll_id)
WHERE j.lane = $1 AND j.participant_id = $2 AND (j.trade_date = $3 OR r.released_for = $3)
ORDER BY j.trade_date, j.entry"""
DECISIONS = """
SELECT identity, status::text AS status, accepted, rejected FROM identities
WHERE bucket = $1 AND identity = ANY($2::uuid[])"""
HELD = """
SELECT trade_date, plan_id, payroll_id, code, requested FROM held_lines
WHERE lane = $1 AND participant_id = $2 AND trade_date <= $3 ORDER BY entry"""
PARKED = """
SELECT topic, trade_date, code, detail, cents FROM parked
WHERE lane = $1 AND key = $2 AND trade_date <= $3 AND (freed_for IS NULL OR freed_for > $3) ORDER BY number"""
LETTERS = """
SELECT dead_letter, topic, code, detail FROM dead_letters WHERE key = $1 AND trade_date = $2 ORDER BY dead_letter"""
RUN = """
SELECT (SELECT coalesce(sum(cents), 0)::bigint FROM fundings WHERE payroll_id = $2 AND trade_date <= $3) AS funded,
       (SELECT coalesce(sum(credited), 0)::bigint FROM run_parts
        WHERE plan_id = $1 AND payroll_id = $2 AND trade_date <= $3) AS credited,
       (SELECT coalesce(sum(cents), 0)::bigint FROM run_releases
        WHERE plan_id = $1 AND payroll_id = $2 AND trade_date <= $3) AS released"""
WAIT = "SELECT code, short_by FROM run_waits WHERE plan_id = $1 AND payroll_id = $2"
CENSUS = """
SELECT plan_id, version, effective_from FROM participants WHERE participant_id = $1 AND effective_from <= $2
ORDER BY plan_id, version DESC"""
SPLITS = """
SELECT trade_date, cause, rule_set, accounts, sources, leg_cents, election FROM journal
WHERE lane = $1 AND participant_id = $2 AND kind IN ('split', 'split_reversed') AND cause = ANY($3::uuid[])
ORDER BY trade_date, entry"""
ELECTION = """
SELECT version, received_for, effective_from, parts::text AS parts FROM elections
WHERE participant_id = $1 AND plan_id = $2 AND version = $3"""
ELECTIONS_RECEIVED = """
SELECT plan_id, version, effective_from, parts::text AS parts FROM elections
WHERE participant_id = $1 AND received_for = $2 ORDER BY plan_id, version"""
LEGS = """
SELECT p.order_id, p.plan_id, p.fund_id, p.side, p.trade_date, leg.source, leg.cents
FROM order_legs AS p CROSS JOIN LATERAL unnest(p.participants, p.sources, p.cents) AS leg(who, source, cents)
WHERE p.lane = $1 AND (p.trade_date = ANY($3::date[])
                       OR p.order_id IN (SELECT order_id FROM orders WHERE trade_date = $4))
  AND p.participants @> ARRAY[$2::text] AND leg.who = $2
ORDER BY p.plan_id, p.fund_id, p.side, leg.source"""
TAKEN_BACK = """
SELECT trade_date, cause, reverses, plan_id, fund_id, source, cents, instructed_for, done, done_for, bought_by, units
FROM reversal_legs WHERE lane = $1 AND participant_id = $2 AND trade_date <= $3 ORDER BY entry, source, fund_id"""
ORDERS = """
SELECT order_id, trade_date, plan_id, fund_id, side, unit, amount, status, break_code, version, price, cents, units,
       carried_to
FROM orders WHERE order_id = ANY($1::text[]) ORDER BY order_id"""
CONFIRMATIONS = """
SELECT order_id, version, status, shares, price, cents, reason, verdict FROM confirmations
WHERE order_id = ANY($1::text[]) ORDER BY order_id, version"""
FILLS = """
SELECT j.trade_date, j.order_date, j.kind, j.plan_id, j.fund_id, j.order_id, j.version, j.price, j.rule_set, leg.source,
       leg.cents, leg.units
FROM journal AS j
CROSS JOIN LATERAL unnest(j.participants, j.sources, j.amounts, j.units) AS leg(who, source, cents, units)
WHERE j.lane = $1 AND leg.who = $2 AND (j.trade_date = $4 OR j.order_id = ANY($3::text[]))
ORDER BY j.trade_date, j.entry"""
BALANCES = """
SELECT plan_id, cents, holdings::text AS holdings FROM balances
WHERE trade_date = $1 AND lane = $2 AND participant_id = $3 ORDER BY plan_id"""

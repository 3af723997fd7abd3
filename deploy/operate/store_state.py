"""The SQL of the state hash: what the books say, without where and when it was written.

Every statement gives the hashed columns of one table up to a date ($1); the first is what the bucket is taken from.
Lanes, entry numbers, offsets, epochs and ``recorded_at`` are left out, and what a lane adds up is added up over lanes.
"""

from __future__ import annotations

LINES = """
SELECT participant_id, trade_date, kind, plan_id, cause, rule_set, reverses, accounts, amounts, detail::text,
       payroll_id, pay_date, compensation, requested, rejected
FROM journal WHERE participant_id IS NOT NULL AND trade_date <= $1"""
PLAN_MONEY = """
SELECT plan_id, trade_date, kind, payroll_id, accounts::text, sum(amounts[cardinality(amounts)])::text
FROM journal WHERE participant_id IS NULL AND trade_date <= $1
GROUP BY plan_id, trade_date, kind, payroll_id, accounts::text"""
PLAN_CASH = """
SELECT plan_id, trade_date, kind, order_id, version, amounts FROM journal
WHERE kind IN ('plan_cash', 'plan_cash_reversed', 'forfeiture', 'forfeiture_reversed') AND trade_date <= $1"""
RUN_PARTS = """
SELECT plan_id, trade_date, payroll_id, sum(lines)::text, sum(submitted)::text, sum(accepted)::text,
       sum(rejected)::text, released_for
FROM run_parts WHERE trade_date <= $1 GROUP BY plan_id, trade_date, payroll_id, released_for"""
IDENTITIES = """
SELECT bucket, identity, body_hash, trade_date, status::text, accepted, rejected FROM identities
WHERE trade_date <= $1"""
CENSUS = """
SELECT participant_id, plan_id, version, effective_from, body::text FROM participants WHERE received_for <= $1"""
ELECTIONS = """
SELECT participant_id, plan_id, version, received_for, effective_from, identity, parts::text FROM elections
WHERE received_for <= $1"""
SPLITS = """
SELECT participant_id, trade_date, plan_id, cause, rule_set, accounts, amounts, sources, leg_cents, election
FROM journal WHERE kind IN ('split', 'split_reversed') AND trade_date <= $1"""
INSTRUCTIONS = """
SELECT participant_id, trade_date, plan_id, cause, rule_set, accounts, amounts, sources, leg_cents
FROM journal WHERE kind IN ('instruct', 'reverse') AND trade_date <= $1"""
REVERSAL_LEGS = """
SELECT participant_id, trade_date, plan_id, cause, source, fund_id, instructed_for, cents,
       CASE WHEN done_for <= $1 THEN done END, CASE WHEN done_for <= $1 THEN done_for END, bought_by, units
FROM reversal_legs WHERE trade_date <= $1"""
ORDERS = """
SELECT plan_id, order_id, trade_date, fund_id, side, unit, wave, amount, status, break_code, version, price, cents,
       units, carried_to
FROM orders WHERE trade_date <= $1"""
CONFIRMATIONS = """
SELECT o.plan_id, c.order_id, c.version, c.status, c.units, c.price, c.cents, c.verdict
FROM confirmations AS c JOIN orders AS o USING (order_id) WHERE o.trade_date <= $1"""
FILLS = """
SELECT leg.participant_id, j.trade_date, j.kind, j.plan_id, j.fund_id, j.order_id, j.version, j.order_date, j.price,
       leg.source, leg.units, leg.cents
FROM journal AS j
CROSS JOIN LATERAL unnest(j.participants, j.sources, j.units, j.amounts) AS leg(participant_id, source, units, cents)
WHERE j.trade_date <= $1 AND leg.participant_id IS NOT NULL"""
BALANCES = "SELECT participant_id, plan_id, trade_date, cents, holdings::text FROM balances WHERE trade_date <= $1"
POSITIONS = "SELECT participant_id, plan_id, holdings::text FROM positions WHERE $1::date IS NOT NULL"

TABLES: tuple[tuple[str, str, str], ...] = (
    ("contribution", "lines", LINES),
    ("contribution", "plan money", PLAN_MONEY),
    ("contribution", "run parts", RUN_PARTS),
    ("contribution", "decisions", IDENTITIES),
    ("contribution", "census", CENSUS),
    ("allocation", "decisions", IDENTITIES),
    ("allocation", "elections", ELECTIONS),
    ("allocation", "splits", SPLITS),
    ("trading", "instructions", INSTRUCTIONS),
    ("trading", "reversals", REVERSAL_LEGS),
    ("trading", "plan cash", PLAN_CASH),
    ("trading", "orders", ORDERS),
    ("trading", "confirmations", CONFIRMATIONS),
    ("valuation", "fills", FILLS),
    ("valuation", "balances", BALANCES),
)
"""(service, name, statement)."""

"""The SQL of ending a business day: what became of a command, and how far the date is."""

from __future__ import annotations

COMMAND_OUTCOME = "SELECT outcome FROM day_commands WHERE kind = $1 AND cause = $2"
MARKED = "SELECT appended_at IS NOT NULL FROM day_marks WHERE kind = $1 AND trade_date = $2"
DECIDED = "SELECT EXISTS (SELECT FROM decided_days WHERE cycle = $1 AND trade_date = $2)"
ORDERS_BY_STATUS = (
    "SELECT status, count(*)::int AS orders FROM orders WHERE trade_date = $1 GROUP BY status ORDER BY status"
)
UNJUDGED = """
SELECT count(*)::int FROM confirmations AS c
WHERE c.verdict IS NULL AND (SELECT o.trade_date FROM orders AS o WHERE o.order_id = c.order_id) = $1"""
UNPRICED = """
SELECT held.fund_id FROM fund_units AS held WHERE held.units > 0
  AND NOT EXISTS (SELECT FROM prices AS p WHERE p.fund_id = held.fund_id AND p.price_date = $1
                    AND p.status IN ('final', 'corrected'))"""
PROOF = "SELECT status FROM proofs WHERE trade_date = $1"

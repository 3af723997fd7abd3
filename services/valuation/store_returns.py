"""The SQL behind returns."""

from __future__ import annotations

PLANS_OF = "SELECT plan_id FROM positions WHERE lane = $1 AND participant_id = $2 ORDER BY plan_id"
# One look-up by key per date: the key of a balance begins with its date.
VALUES_OF = """
SELECT p.trade_date, b.cents, b.holdings FROM proofs AS p
CROSS JOIN LATERAL (SELECT cents, holdings FROM balances AS one WHERE one.trade_date = p.trade_date AND one.lane = $1
                      AND one.plan_id = ANY($2::text[]) AND one.participant_id = $3 OFFSET 0) AS b
WHERE p.status = 'proven' AND p.trade_date BETWEEN coalesce($4::date, '-infinity') AND $5 ORDER BY p.trade_date"""
PRICES_BETWEEN = """
SELECT DISTINCT ON (price_date, fund_id) price_date, fund_id, price FROM prices
WHERE price_date BETWEEN $1 AND $2 AND status IN ('final', 'corrected') AND value_date <= price_date
ORDER BY price_date, fund_id, version DESC"""

"""The SQL of the third part of the proof: positions from the first entry on, prices, the custodian's figures."""

from __future__ import annotations

POSITIONS = """
WITH booked AS (
    SELECT j.plan_id, leg.participant_id, leg.source || '/' || j.fund_id AS key,
           sum(leg.units)::bigint AS units, sum(leg.cents)::bigint AS cents
    FROM journal AS j
    CROSS JOIN LATERAL unnest(j.participants, j.sources, j.units, j.amounts)
      AS leg(participant_id, source, units, cents)
    WHERE j.trade_date <= $1 AND leg.participant_id IS NOT NULL GROUP BY 1, 2, 3),
held AS (
    SELECT b.plan_id, b.participant_id, h.key, (h.value ->> 0)::bigint AS units, (h.value ->> 1)::bigint AS cents
    FROM balances AS b CROSS JOIN LATERAL json_each(b.holdings) AS h WHERE b.trade_date = $1)
SELECT count(booked.units) AS booked, count(held.units) AS held,
       coalesce(sum(booked.units), 0)::numeric AS booked_units, coalesce(sum(held.units), 0)::numeric AS held_units,
       coalesce(sum(booked.cents), 0)::numeric AS booked_cents, coalesce(sum(held.cents), 0)::numeric AS held_cents,
       count(*) FILTER (WHERE (booked.units, booked.cents) IS DISTINCT FROM (held.units, held.cents)) AS differing
FROM booked FULL JOIN held USING (plan_id, participant_id, key)"""
BOOKED_BY_FUND = """
SELECT plan_id, fund_id, sum(-units[cardinality(units)])::bigint AS units FROM journal
WHERE trade_date <= $1 GROUP BY plan_id, fund_id"""
AT_CUSTODIAN = "SELECT plan_id, fund_id, shares FROM custodian_holdings WHERE date = $1"
CUSTODIAN_PARTS = "SELECT count(*) AS seen, coalesce(max(parts), 0) AS parts FROM custodian_parts WHERE date = $1"
IN_FLIGHT = """
SELECT o.plan_id, o.fund_id, sum((coalesce(theirs.units, 0) - coalesce(ours.units, 0))
                                 * CASE o.side WHEN 'buy' THEN 1 ELSE -1 END)::bigint AS units
FROM orders AS o
LEFT JOIN LATERAL (SELECT c.units FROM confirmations AS c WHERE c.order_id = o.order_id AND c.value_date <= $1
                   AND c.status IN ('confirmed', 'corrected') ORDER BY c.version DESC LIMIT 1) AS theirs ON true
LEFT JOIN LATERAL (SELECT c.units FROM confirmations AS c WHERE c.order_id = o.order_id
                   AND c.verdict LIKE 'accepted:%' AND substr(c.verdict, 10) <= $1::date::text
                   ORDER BY c.version DESC LIMIT 1) AS ours ON true
WHERE o.trade_date <= $1 AND theirs.units IS DISTINCT FROM ours.units GROUP BY o.plan_id, o.fund_id"""
DECIMALS = """
SELECT DISTINCT ON (key) key AS fund_id, (body ->> 'share_decimals')::int AS decimals FROM facts
WHERE topic = 'funds.v1' ORDER BY key, version"""
PRICES = """
SELECT DISTINCT ON (fund_id) fund_id, price FROM prices
WHERE price_date = $1 AND status IN ('final', 'corrected') AND value_date <= $1 ORDER BY fund_id, version DESC"""
BALANCES = "SELECT plan_id, participant_id, cents, holdings FROM balances WHERE trade_date = $1"
BALANCES_TWICE = """
SELECT count(*) FROM (SELECT FROM balances WHERE trade_date = $1
                      GROUP BY plan_id, participant_id HAVING count(*) > 1) AS twice"""
ENGINE_PROOF = "SELECT status, equations FROM proofs WHERE trade_date = $1"

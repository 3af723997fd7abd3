"""The SQL of the second part of the proof: the way of the cents through the services.

A digest is an order-independent sum of hashes over (cause, source, fund, cents): equal digests in two databases mean
that every single leg arrived, not only their sum.
"""

from __future__ import annotations

LANES_OPEN = """
SELECT (SELECT count(*) FROM lanes) * (SELECT count(DISTINCT cycle) FROM lane_days WHERE cycle <> 'forward')
     - (SELECT count(*) FROM lane_days WHERE cycle <> 'forward' AND trade_date = $1 AND closed_at IS NOT NULL)"""
UNBALANCED = """
SELECT count(*) FROM journal WHERE trade_date = $1 AND (SELECT sum(a) FROM unnest(amounts) AS a) <> 0"""
UNBALANCED_UNITS = """
SELECT count(*) FROM journal
WHERE trade_date = $1 AND units IS NOT NULL AND (SELECT sum(u) FROM unnest(units) AS u) <> 0"""
# Funds are told twice: as `amounts`, and as `leg_cents` source by source, row after row of the matrix.
NOT_ITS_LEGS = """
SELECT count(*) FROM journal AS j
WHERE j.trade_date = $1 AND j.kind IN ('split', 'split_reversed', 'instruct', 'reverse') AND EXISTS (
    SELECT FROM (SELECT at, cents FROM unnest(j.amounts[:cardinality(j.accounts) - 1]) WITH ORDINALITY AS one(cents, at)
                 UNION ALL SELECT (at - 1) % (cardinality(j.accounts) - 1) + 1, -cents
                 FROM unnest(j.leg_cents) WITH ORDINALITY AS one(cents, at)) AS fund(at, cents)
    GROUP BY at HAVING sum(cents) <> 0)"""
TWICE = """
SELECT count(*) FROM (SELECT cause FROM journal WHERE kind = $2 AND trade_date <= $1 GROUP BY cause
                      HAVING count(*) > 1 AND max(trade_date) = $1) AS twice"""
FILLED_TWICE = """
SELECT count(*) FROM (SELECT FROM journal WHERE order_id IS NOT NULL AND trade_date <= $1
                      GROUP BY order_id, version, kind, lane HAVING count(*) > 1 AND max(trade_date) = $1) AS twice"""
RELEASED_BY_RUN = """
SELECT plan_id, payroll_id, cents FROM run_releases WHERE trade_date = $1"""
RELEASED_POSTED = """
SELECT plan_id, payroll_id, sum(amounts[cardinality(amounts)])::bigint AS cents FROM journal
WHERE trade_date = $1 AND kind = 'release' GROUP BY plan_id, payroll_id"""
RELEASED_LEGS = """
SELECT coalesce(sum(leg.cents), 0)::bigint AS cents,
       coalesce(sum(hashtextextended(concat_ws(' ', leg.cause, leg.source, leg.cents), 0)), 0)::numeric % $3 AS digest
FROM (SELECT j.cause, one.source, (one.cents - coalesce(less.cents, 0))::bigint AS cents
      FROM journal AS j JOIN run_parts AS r USING (trade_date, lane, plan_id, payroll_id)
      CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS one(source, cents)
      LEFT JOIN (SELECT line, part.source, sum(part.cents) AS cents
                 FROM reversals CROSS JOIN LATERAL unnest(sources, cents) AS part(source, cents)
                 WHERE went = 'released_less' GROUP BY line, part.source) AS less
             ON less.line = j.cause AND less.source = one.source
      WHERE r.released_for = $1 AND j.kind = 'line' AND one.source = ANY($2::text[])) AS leg
WHERE leg.cents <> 0"""
CASH_IN = "SELECT coalesce(sum(cents), 0)::bigint FROM fundings WHERE posted_for = $1"
CASH_USED = "SELECT coalesce(sum(cash_used), 0)::bigint FROM run_releases WHERE trade_date = $1"
CASH_POSTED = """
SELECT coalesce(sum(amounts[2]), 0)::bigint FROM journal WHERE trade_date = $1 AND kind = $2"""
PARKED_NET = """
SELECT coalesce(sum(CASE WHEN trade_date = $1 THEN cents ELSE 0 END), 0)::bigint AS parked,
       coalesce(sum(CASE WHEN freed_for = $1 THEN cents ELSE 0 END), 0)::bigint AS freed
FROM parked WHERE topic = $2 AND cents >= 0 AND (trade_date = $1 OR freed_for = $1)"""
PARKED_FILLS = """
SELECT trade_date, freed_for, item FROM parked
WHERE topic = $2 AND trade_date <= $1 AND (freed_for IS NULL OR freed_for >= $1) ORDER BY lane, key, number"""
PARKED_REVERSALS = """
SELECT -coalesce(sum(CASE WHEN trade_date = $1 THEN cents ELSE 0 END), 0)::bigint AS parked,
       -coalesce(sum(CASE WHEN freed_for = $1 THEN cents ELSE 0 END), 0)::bigint AS freed
FROM parked WHERE topic = $2 AND cents < 0 AND (trade_date = $1 OR freed_for = $1)"""
LEGS_BY_SOURCE = """
SELECT coalesce(sum(leg.cents), 0)::bigint AS cents,
       coalesce(sum(hashtextextended(concat_ws(' ', j.cause, leg.source, leg.cents), 0)), 0)::numeric % $3 AS digest
FROM journal AS j CROSS JOIN LATERAL (
    SELECT j.sources[(at - 1) / (cardinality(j.accounts) - 1) + 1] AS source, sum(cents)::bigint AS cents
    FROM unnest(j.leg_cents) WITH ORDINALITY AS one(cents, at) GROUP BY 1) AS leg
WHERE j.trade_date = $1 AND j.kind = $2 AND leg.cents <> 0"""
LEGS_BY_FUND = """
SELECT coalesce(sum(leg.cents), 0)::bigint AS cents,
       coalesce(sum(hashtextextended(concat_ws(' ', j.cause, leg.source, leg.fund, leg.cents), 0)), 0)::numeric % $3
         AS digest
FROM journal AS j CROSS JOIN LATERAL (
    SELECT j.sources[(at - 1) / (cardinality(j.accounts) - 1) + 1] AS source,
           j.accounts[(at - 1) % (cardinality(j.accounts) - 1) + 1] AS fund, cents
    FROM unnest(j.leg_cents) WITH ORDINALITY AS one(cents, at)) AS leg
WHERE j.trade_date = $1 AND j.kind = $2 AND leg.cents <> 0"""
INSTRUCTED_LEGS = """
SELECT coalesce(sum(cents), 0)::bigint AS cents,
       coalesce(sum(hashtextextended(concat_ws(' ', plan_id, fund, who, source, cents), 0)), 0)::numeric % $2 AS digest
FROM (SELECT j.plan_id, j.participant_id AS who, leg.source, leg.fund, sum(leg.cents)::bigint AS cents
      FROM journal AS j CROSS JOIN LATERAL (
          SELECT j.sources[(at - 1) / (cardinality(j.accounts) - 1) + 1] AS source,
                 j.accounts[(at - 1) % (cardinality(j.accounts) - 1) + 1] AS fund, cents
          FROM unnest(j.leg_cents) WITH ORDINALITY AS one(cents, at)) AS leg
      WHERE j.trade_date = $1 AND j.kind = 'instruct' AND leg.cents <> 0
      GROUP BY j.plan_id, j.participant_id, leg.source, leg.fund) AS legs"""
PACKED_LEGS = """
SELECT coalesce(sum(leg.cents), 0)::bigint AS cents,
       coalesce(sum(hashtextextended(concat_ws(' ', p.plan_id, p.fund_id, leg.who, leg.source, leg.cents), 0)), 0)
         ::numeric % $2 AS digest
FROM order_legs AS p CROSS JOIN LATERAL unnest(p.participants, p.sources, p.cents) AS leg(who, source, cents)
WHERE p.trade_date = $1 AND p.side = 'buy' AND p.total >= 0"""
PACKS_UNEQUAL = """
SELECT count(*) FROM order_legs
WHERE trade_date = $1 AND total <> (SELECT sum(one) FROM unnest(coalesce(units, cents)) AS one)"""
ORDERED = "SELECT order_id, amount FROM orders WHERE trade_date = $1 AND unit = $2 AND carried_to IS NULL"
ORDERED_LEGS = """
SELECT order_id, sum(p.total)::bigint AS amount FROM order_legs AS p JOIN orders AS o USING (order_id)
WHERE o.trade_date = $1 AND o.unit = $2 AND o.carried_to IS NULL GROUP BY order_id"""
ORDERED_BY_SIDE = "SELECT plan_id, fund_id, side, amount FROM orders WHERE trade_date = $1"
# Legs stay of the date they were packed for, whatever order has them; what is carried counts as it was rejected.
NEW_AND_CARRIED = """
SELECT plan_id, fund_id, side, sum(amount)::bigint AS amount FROM (
    SELECT plan_id, fund_id, side, total AS amount FROM order_legs WHERE trade_date = $1
    UNION ALL SELECT plan_id, fund_id, side, amount FROM orders WHERE carried_to = $1) AS part
GROUP BY plan_id, fund_id, side"""
ORDERS_SAID = "SELECT order_id, amount FROM orders WHERE trade_date = $1"
ACCEPTED = """
SELECT c.order_id, c.version, c.status, CASE o.side WHEN 'buy' THEN c.cents ELSE -c.cents END AS cents,
       CASE o.side WHEN 'buy' THEN c.units ELSE -c.units END AS units, c.verdict
FROM confirmations AS c JOIN orders AS o USING (order_id)
WHERE c.verdict LIKE 'accepted:%' AND substr(c.verdict, 10) <= $1::date::text ORDER BY c.order_id, c.version"""
FILLS = """
SELECT order_id, kind, version, sum(-amounts[cardinality(amounts)])::bigint AS cents,
       sum(-units[cardinality(units)])::bigint AS units
FROM journal WHERE trade_date = $1 AND kind IN ('fill', 'fill_reversed') GROUP BY order_id, kind, version"""
FILL_LEGS = """
SELECT coalesce(sum(hashtextextended(
         concat_ws(' ', j.order_id, j.kind, j.version, leg.who, leg.source, leg.cents, leg.units), 0)), 0)::numeric % $2
FROM journal AS j
CROSS JOIN LATERAL unnest(j.participants, j.sources, j.amounts, j.units) AS leg(who, source, cents, units)
WHERE j.trade_date = $1 AND j.kind IN ('fill', 'fill_reversed', 'write_off')"""

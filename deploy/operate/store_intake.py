"""The SQL of the first part of the proof: what came in, and what the engine says became of it."""

from __future__ import annotations

CUT_BEFORE = """
SELECT trade_date, marked_at FROM day_marks WHERE kind = 'cut' AND trade_date < $1 ORDER BY trade_date DESC LIMIT 1"""
COUNTS = """
SELECT lane, outcome, sum(records)::bigint AS records FROM input_counts WHERE topic = $1 AND trade_date = $2
GROUP BY lane, outcome"""
KNOWN_IDENTITIES = """
SELECT found.identity, found.body_hash, found.trade_date
FROM unnest($1::smallint[], $2::uuid[]) AS asked(bucket, identity)
CROSS JOIN LATERAL (SELECT i.identity, i.body_hash, i.trade_date FROM identities AS i
                    WHERE i.bucket = asked.bucket AND i.identity = asked.identity OFFSET 0) AS found"""
LETTERS = "SELECT topic, partition, record_offset FROM dead_letters WHERE trade_date = $1"
PARKED = (
    "SELECT topic, item, cents, trade_date, freed_for FROM parked WHERE topic = ANY($1::text[]) ORDER BY lane, number"
)
LINES = """
SELECT plan_id, payroll_id, sum(requested - rejected)::bigint AS accepted, sum(rejected)::bigint AS rejected
FROM journal WHERE trade_date = $1 AND kind = 'line' GROUP BY plan_id, payroll_id"""
HELD = """
SELECT plan_id, payroll_id, sum(requested)::bigint AS cents FROM (
    SELECT plan_id, payroll_id, requested FROM held_lines WHERE trade_date = $1
    UNION ALL SELECT plan_id, payroll_id, requested FROM freed_lines WHERE held_for = ANY($2::date[])) AS held
GROUP BY plan_id, payroll_id"""
FREED_LATER = "SELECT identity FROM freed_lines WHERE held_for = ANY($1::date[])"
FREED_NOW = """
SELECT plan_id, payroll_id, sum(requested)::bigint AS cents FROM freed_lines WHERE freed_for = $1
GROUP BY plan_id, payroll_id"""
DECISIONS = """
SELECT count(*)::bigint AS lines, coalesce(sum(accepted), 0)::bigint AS accepted,
       coalesce(sum(rejected), 0)::bigint AS rejected
FROM identities WHERE trade_date = ANY($1::date[]) AND status NOT IN ('h', 'i', 'n')"""
JOURNALED = """
SELECT count(*)::bigint AS lines, coalesce(sum(requested - rejected), 0)::bigint AS accepted,
       coalesce(sum(rejected), 0)::bigint AS rejected
FROM journal WHERE trade_date = $1 AND kind IN ('line', 'reversal')"""
SPREAD_IDENTITIES = """
SELECT count(*) FROM (SELECT identity FROM identities WHERE trade_date <= $1 GROUP BY identity
                      HAVING count(*) > 1 AND max(trade_date) = ANY($2::date[])) AS twice"""

"""The SQL behind forfeitures and restorations: a participant's lines in a plan, and what is left of each."""

from __future__ import annotations

LINES = """
SELECT j.cause, j.trade_date, j.lane, j.entry, j.accounts, j.amounts, j.detail::text AS detail, j.compensation,
       part.released_for
FROM journal AS j
LEFT JOIN run_parts AS part ON part.trade_date = j.trade_date AND part.lane = j.lane AND part.plan_id = j.plan_id
                           AND part.payroll_id = j.payroll_id
WHERE j.plan_id = $1 AND j.participant_id = $2 AND j.kind = 'line' AND cardinality(j.accounts) > 1
ORDER BY j.trade_date, j.entry"""
LEFT_OF = """
SELECT DISTINCT ON (line) line, left_of_line FROM reversals WHERE line = ANY($1::uuid[]) ORDER BY line, entry DESC"""
FORFEITED = """
SELECT r.line, r.entry, part.source, part.cents
FROM reversals AS r CROSS JOIN LATERAL unnest(r.sources, r.cents) AS part(source, cents)
WHERE r.line = ANY($1::uuid[]) AND r.forfeits ORDER BY r.entry"""
PERSON = """
SELECT person FROM participants WHERE plan_id = $1 AND participant_id = $2 ORDER BY version DESC LIMIT 1"""
HELD = "SELECT count(*)::int FROM held_lines WHERE plan_id = $1 AND participant_id = $2"
LAST_CUT = "SELECT max(trade_date) FROM lane_days WHERE cycle = 'day'"

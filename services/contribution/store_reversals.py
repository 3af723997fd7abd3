"""Every SQL statement of the contribution service about reversals."""

from __future__ import annotations

REVERSAL_COLUMNS = [
    "lane", "entry", "trade_date", "recorded_at", "bucket", "plan_id", "payroll_id", "participant_id", "identity",
    "line", "line_date", "line_entry", "sources", "cents", "left_of_line", "trace", "forfeits",
]  # fmt: skip
HELD_COLUMNS = [
    "lane", "entry", "trade_date", "plan_id", "participant_id", "payroll_id", "year", "code", "requested",
    "recorded_at", "item", "kind",
]  # fmt: skip
FIND_LINES = """
SELECT j.cause, j.trade_date, j.entry, j.plan_id, j.payroll_id, j.participant_id, j.pay_date, j.compensation,
       j.accounts, j.amounts, j.detail::text AS detail
FROM unnest($1::date[], $2::int[], $3::bigint[]) AS asked(trade_date, lane, entry)
CROSS JOIN LATERAL (SELECT * FROM journal AS one WHERE one.trade_date = asked.trade_date AND one.lane = asked.lane
                      AND one.entry = asked.entry AND one.kind = 'line' OFFSET 0) AS j"""
LEFT_OF = """
SELECT DISTINCT ON (line) line, left_of_line FROM reversals WHERE line = ANY($1::uuid[]) ORDER BY line, entry DESC"""
HELD_YEARS = """
SELECT h.lane, h.entry, h.plan_id, h.year FROM unnest($1::int[], $2::bigint[]) AS asked(lane, entry)
JOIN held_lines AS h ON h.lane = asked.lane AND h.entry = asked.entry WHERE h.kind = 'line'"""
MOVE_BEHIND = "UPDATE held_lines SET code = $3, year = $4 WHERE lane = $1 AND entry = $2"

# At the close of a date every release up to the date before is final: only then is it known what a reversal meets.
NAME_GENESIS_LINES = """
UPDATE reversals SET line_date = $1 WHERE trade_date >= $1 AND lane = $2 AND line_date = '0001-01-01'"""
SETTLE = """
UPDATE reversals AS r SET went = CASE WHEN part.released_for IS NULL THEN 'released_less' ELSE 'taken_back' END
FROM run_parts AS part
WHERE r.trade_date = $1 AND r.lane = $2 AND part.trade_date = r.line_date AND part.lane = r.lane
  AND part.plan_id = r.plan_id AND part.payroll_id = r.payroll_id"""
UNSETTLED = "SELECT count(*) FROM reversals WHERE trade_date = $1 AND lane = $2 AND went IS NULL"
RELEASE_LESS = """
INSERT INTO run_parts (trade_date, lane, plan_id, payroll_id, lines, submitted, accepted, rejected, credited,
                       hash_total)
SELECT trade_date, lane, plan_id, payroll_id, 0, 0, 0, 0, -sum(debited)::bigint, 0
FROM (SELECT r.*, (SELECT sum(c) FROM unnest(r.cents) AS c) AS debited FROM reversals AS r
      WHERE r.trade_date = $1 AND r.lane = $2 AND r.went = 'released_less') AS less
GROUP BY trade_date, lane, plan_id, payroll_id
ON CONFLICT (trade_date, lane, plan_id, payroll_id) DO UPDATE SET credited = run_parts.credited + excluded.credited"""
RELEASED_LESS_OF = """
SELECT line, sources, cents FROM reversals
WHERE line_date = $1 AND lane = $2 AND line_entry BETWEEN $3 AND $4 AND went = 'released_less'"""
ANY_TAKEN_BACK = """
SELECT DISTINCT lane FROM reversals WHERE trade_date = $1 AND went = 'taken_back' ORDER BY lane"""
TAKEN_BACK = """
SELECT r.entry, r.plan_id, r.participant_id, r.bucket, r.identity, r.line, r.sources, r.cents, r.trace,
       r.forfeits, part.released_for
FROM reversals AS r
JOIN run_parts AS part ON part.trade_date = r.line_date AND part.lane = r.lane AND part.plan_id = r.plan_id
                      AND part.payroll_id = r.payroll_id
WHERE r.trade_date = $1 AND r.lane = $2 AND r.went = 'taken_back' AND r.entry > $3 ORDER BY r.entry LIMIT $4"""
LANE_TAKEN_BACK = """
SELECT coalesce(sum((SELECT sum(c) FROM unnest(cents) AS c)), 0)::bigint FROM reversals
WHERE trade_date = $1 AND lane = $2 AND went = 'taken_back'"""

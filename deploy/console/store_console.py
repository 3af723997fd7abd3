"""The SQL of the console's pages; everything is read in transactions that cannot write."""

from __future__ import annotations

# -- business days -------------------------------------------------------------------------------------------------

DAYS = """
SELECT trade_date, bool_or(kind = 'cut') AS cut, bool_or(kind = 'value') AS valued FROM day_marks
GROUP BY trade_date ORDER BY trade_date DESC LIMIT $1"""
DECIDED = "SELECT cycle, trade_date FROM decided_days WHERE trade_date = ANY($1::date[])"
PROOFS = "SELECT trade_date, status FROM proofs WHERE trade_date = ANY($1::date[])"
PROOF = "SELECT status, equations::text AS equations, recorded_at FROM proofs WHERE trade_date = $1"
LAST_PROOF = "SELECT trade_date, status FROM proofs ORDER BY trade_date DESC LIMIT 1"
# Strays are forwarded once a date is read; that cycle never closes.
PROGRESS = """
SELECT cycle, count(*)::int AS read, count(closed_at)::int AS closed FROM lane_days
WHERE trade_date = $1 AND cycle <> 'forward' GROUP BY cycle ORDER BY cycle"""
LANES_OF_DAY = """
SELECT l.lane, l.owner, d.cycle, d.read_at, d.closed_at,
       (SELECT min(i.last_cut) FROM lane_inputs AS i WHERE i.lane = l.lane) AS last_cut,
       (SELECT count(*)::int FROM tasks AS t WHERE t.lane = l.lane AND t.trade_date = $1) AS tasks
FROM lanes AS l LEFT JOIN lane_days AS d ON d.lane = l.lane AND d.trade_date = $1 AND d.cycle <> 'forward'
ORDER BY l.lane, d.cycle"""
LANE_COUNT = "SELECT count(*)::int FROM lanes"
ORDERS_OF_DAY = """
SELECT status, count(*)::int AS orders, coalesce(sum(amount) FILTER (WHERE unit = 'cents'), 0)::bigint AS cents
FROM orders WHERE trade_date = $1 GROUP BY status ORDER BY status"""
COMMANDS_OF_DAY = """
SELECT kind, recorded_at, outcome FROM day_commands WHERE trade_date = $1 ORDER BY version"""

# -- payroll runs --------------------------------------------------------------------------------------------------

_RUN_COLUMNS = """
SELECT p.plan_id, p.payroll_id, min(p.trade_date) AS first_date, max(p.trade_date) AS last_date,
       min(p.first_pay_date) AS pay_date, sum(p.lines)::bigint AS lines, sum(p.submitted)::bigint AS submitted,
       sum(p.accepted)::bigint AS accepted, sum(p.rejected)::bigint AS rejected, sum(p.credited)::bigint AS credited,
       (sum(p.hash_total) % 10000000000)::text AS hash_total,
       coalesce(sum(p.credited) FILTER (WHERE p.released_for IS NOT NULL), 0)::bigint AS released,
       bool_or(p.released_for IS NULL AND p.credited > 0) AS waits
FROM run_parts AS p """
_RUN_GROUP = (
    " GROUP BY p.plan_id, p.payroll_id ORDER BY max(p.trade_date) DESC, p.payroll_id, p.plan_id LIMIT $1 OFFSET $2"
)
RUNS_WAITING = (
    _RUN_COLUMNS
    + """WHERE (p.plan_id, p.payroll_id) IN
    (SELECT plan_id, payroll_id FROM run_parts WHERE released_for IS NULL AND credited > 0)"""
    + _RUN_GROUP
)
RUNS_OF_DATE = (
    _RUN_COLUMNS
    + "WHERE (p.plan_id, p.payroll_id) IN (SELECT plan_id, payroll_id FROM run_parts WHERE trade_date = $3)"
    + _RUN_GROUP
)
RUNS_NAMED = _RUN_COLUMNS + "WHERE p.payroll_id = $3" + _RUN_GROUP
RUN_WAITS = """
SELECT plan_id, payroll_id, trade_date, code, short_by, deposit_due FROM run_waits
WHERE payroll_id = ANY($1::text[])"""
RUN_CASH = """
SELECT payroll_id, plan_id, sum(cents)::bigint AS cents FROM fundings WHERE payroll_id = ANY($1::text[])
GROUP BY payroll_id, plan_id"""
RUN_CONTROLS = """
SELECT DISTINCT ON (payroll_id) payroll_id, line_count, cents_total, hash_total::text AS hash_total FROM run_controls
WHERE kind = 'closed' AND payroll_id = ANY($1::text[]) ORDER BY payroll_id, version DESC"""
RUN_SHARERS = """
SELECT payroll_id, count(DISTINCT plan_id)::int AS plans, sum(lines)::bigint AS lines,
       sum(submitted)::bigint AS submitted, (sum(hash_total) % 10000000000)::text AS hash_total
FROM run_parts WHERE payroll_id = ANY($1::text[]) GROUP BY payroll_id"""

# -- money that waits ----------------------------------------------------------------------------------------------

HELD_BY_CODE = """
SELECT code, count(*)::int AS items, sum(requested)::bigint AS cents, min(recorded_at) AS oldest FROM held_lines
GROUP BY code ORDER BY code"""
RUNS_BY_WAIT = """
SELECT coalesce(w.code, 'AWAITING_CUT') AS code, count(DISTINCT (p.plan_id, p.payroll_id))::int AS items,
       sum(p.credited)::bigint AS cents, min(p.trade_date) AS oldest
FROM run_parts AS p LEFT JOIN run_waits AS w USING (plan_id, payroll_id)
WHERE p.released_for IS NULL AND p.credited > 0 GROUP BY 1 ORDER BY 1"""
UNRELEASED_ORDERS = """
SELECT status, count(*)::int AS items, coalesce(sum(amount) FILTER (WHERE unit = 'cents'), 0)::bigint AS cents,
       min(recorded_at) AS oldest
FROM orders WHERE status IN ('open', 'pending') OR (status = 'rejected' AND carried_to IS NULL)
GROUP BY status ORDER BY status"""
REVERSALS_WAITING = """
SELECT count(*)::int AS items, coalesce(sum(cents), 0)::bigint AS cents, min(trade_date) AS oldest FROM reversal_legs
WHERE done IS NULL"""
HELD_LINES = """
SELECT lane, entry, trade_date, plan_id, participant_id, payroll_id, code, requested, recorded_at, item, resolution
FROM held_lines WHERE $3::text IS NULL OR code = $3 ORDER BY recorded_at, lane, entry LIMIT $1 OFFSET $2"""
HELD_LINE = """
SELECT lane, entry, trade_date, plan_id, participant_id, payroll_id, code, requested, recorded_at, item, resolution
FROM held_lines WHERE lane = $1 AND entry = $2"""

# -- breaks --------------------------------------------------------------------------------------------------------

BREAKS = """
SELECT o.order_id, o.trade_date, o.plan_id, o.fund_id, o.side, o.unit, o.amount, o.status, c.version, c.shares, c.price,
       c.cents, substr(c.verdict, 8) AS code, c.recorded_at
FROM confirmations AS c JOIN orders AS o USING (order_id)
WHERE c.verdict LIKE 'broken:%'
  AND NOT EXISTS (SELECT FROM confirmations AS later
                  WHERE later.order_id = c.order_id AND later.version > c.version AND later.verdict IS NOT NULL)
ORDER BY c.recorded_at, o.order_id LIMIT $1"""
BROKEN_DAYS = """
SELECT trade_date, equations::text AS equations FROM proofs WHERE status = 'broken' ORDER BY trade_date DESC LIMIT $1"""

# -- dead letters --------------------------------------------------------------------------------------------------

LETTER_CLASSES = """
SELECT code, topic, count(*)::int AS letters, sum(abs(cents))::bigint AS cents, min(recorded_at) AS oldest
FROM dead_letters WHERE replayed_at IS NULL GROUP BY code, topic ORDER BY code, topic"""
PARKED_CLASSES = """
SELECT code, topic, count(DISTINCT key)::int AS letters, sum(abs(cents))::bigint AS cents, min(recorded_at) AS oldest
FROM parked WHERE freed_for IS NULL GROUP BY code, topic ORDER BY code, topic"""
LETTERS = """
SELECT dead_letter, topic, partition, record_offset, code, detail, trade_date, recorded_at, abs(cents) AS cents,
       replayed_at, replayed_by
FROM dead_letters
WHERE ($3::text IS NULL OR code = $3) AND (replayed_at IS NULL OR $4::boolean)
ORDER BY dead_letter LIMIT $1 OFFSET $2"""
PARKED = """
SELECT key, min(lane) AS lane, count(*)::int AS items, sum(abs(cents))::bigint AS cents, min(topic) AS topic,
       min(trade_date) AS trade_date, min(recorded_at) AS recorded_at, min(record_offset) AS record_offset,
       (array_agg(detail ORDER BY number))[1] AS detail
FROM parked WHERE freed_for IS NULL GROUP BY key ORDER BY min(recorded_at), key LIMIT $1 OFFSET $2"""
LETTER_STAKES = """
SELECT dead_letter, abs(cents)::bigint AS cents, replayed_at FROM dead_letters WHERE dead_letter = ANY($1::bigint[])"""
PARKED_STAKES = """
SELECT key, sum(abs(cents))::bigint AS cents FROM parked
WHERE key = ANY($1::text[]) AND freed_for IS NULL GROUP BY key"""

# -- what operators did --------------------------------------------------------------------------------------------

_ACTION = "action, kind, subjects, cents, reason, asked_by, asked_at, state, decided_by, decided_at, outcome"
ACTIONS = f"SELECT {_ACTION} FROM operator_actions ORDER BY action DESC LIMIT $1"
ACTIONS_ASKED = f"SELECT {_ACTION} FROM operator_actions WHERE state = 'asked' ORDER BY action LIMIT $1"
ACTION = f"SELECT {_ACTION} FROM operator_actions WHERE action = $1"
INSERT_ASKED = """
INSERT INTO operator_actions (kind, subjects, cents, reason, asked_by, state) VALUES ($1, $2, $3, $4, $5, 'asked')
ON CONFLICT DO NOTHING RETURNING action"""
INSERT_BEGUN = """
INSERT INTO operator_actions (kind, subjects, cents, reason, asked_by, state, decided_by, decided_at)
VALUES ($1, $2, $3, $4, $5, 'begun', $5, now()) RETURNING action"""
BEGIN_ASKED = """
UPDATE operator_actions SET state = 'begun', decided_by = $2, decided_at = now()
WHERE action = $1 AND state = 'asked' AND asked_by <> $2 RETURNING action"""
DECLINE_ASKED = """
UPDATE operator_actions SET state = 'declined', decided_by = $2, decided_at = now()
WHERE action = $1 AND state = 'asked' RETURNING kind"""
FINISH = "UPDATE operator_actions SET state = $2, outcome = $3 WHERE action = $1 AND state = 'begun'"

"""The SQL of dead letters and parked participants, the same in all four databases."""

from __future__ import annotations

LETTERS = """
SELECT dead_letter, topic, partition, record_offset, code, detail, trade_date, recorded_at, cents, replayed_at,
       replayed_by
FROM dead_letters ORDER BY dead_letter"""
LETTER = """
SELECT dead_letter, lane, topic, partition, record_offset, code, detail, trade_date, recorded_at, cents, key, value,
       headers, replayed_at, replayed_by
FROM dead_letters WHERE dead_letter = $1"""
LOCK_LETTER = "SELECT replayed_at FROM dead_letters WHERE dead_letter = $1 FOR UPDATE"
MARK_REPLAYED = "UPDATE dead_letters SET replayed_at = now(), replayed_by = $2 WHERE dead_letter = $1"
PARKED_KEYS = """
SELECT key, min(lane) AS lane, count(*)::int AS items, sum(cents)::bigint AS cents, min(topic) AS topic,
       min(trade_date) AS trade_date, min(recorded_at) AS recorded_at,
       (array_agg(code ORDER BY number))[1] AS code, (array_agg(detail ORDER BY number))[1] AS detail,
       (array_agg(record_offset ORDER BY number))[1] AS record_offset
FROM parked WHERE freed_for IS NULL GROUP BY key ORDER BY min(recorded_at), key"""
PARKED_ITEMS = """
SELECT number, lane, topic, record_offset, trade_date, recorded_at, code, detail, cents, item, freed_for FROM parked
WHERE key = $1 AND freed_for IS NULL ORDER BY number"""
ASK_TO_FREE = """
INSERT INTO tasks (lane, cycle, trade_date, kind, body, recorded_at)
SELECT p.lane, $2, '0001-01-01', $3, jsonb_build_object('key', p.key), max(l.recorded_at)
FROM parked AS p JOIN lanes AS l USING (lane) WHERE p.key = $1 AND p.freed_for IS NULL GROUP BY p.lane, p.key
RETURNING task"""
TASKS_LEFT = "SELECT count(*)::int FROM tasks WHERE task = ANY($1::bigint[])"
NOTIFY = "SELECT pg_notify('nestwork', '')"

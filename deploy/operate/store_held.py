"""The SQL of held payroll lines."""

from __future__ import annotations

HELD = """
SELECT lane, entry, trade_date, plan_id, participant_id, payroll_id, code, requested, recorded_at, item, resolution
FROM held_lines ORDER BY recorded_at, lane, entry"""
IS_HELD = "SELECT count(*)::int FROM held_lines WHERE lane = $1 AND entry = $2"

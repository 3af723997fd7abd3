"""The SQL behind vested percents: the facts that govern a date."""

from __future__ import annotations

PLAN_ON = """
SELECT body FROM facts WHERE topic = 'plans.v1' AND key = $1 AND effective_from <= $2 ORDER BY version DESC LIMIT 1"""
PEOPLE_ON = """
SELECT DISTINCT ON (participant_id) participant_id, person FROM participants
WHERE plan_id = $1 AND effective_from <= $2 ORDER BY participant_id, version DESC"""

"""The SQL behind vested percents: the facts that govern a date."""

from __future__ import annotations

PLAN_ON = """
SELECT body FROM facts WHERE topic = 'plans.v1' AND key = $1 AND effective_from <= $2 ORDER BY version DESC LIMIT 1"""
PEOPLE_ON = """
SELECT DISTINCT ON (participant_id) participant_id, person FROM participants
WHERE plan_id = $1 AND effective_from <= $2 ORDER BY participant_id, version DESC"""
FORFEITED_ON = """
SELECT r.participant_id, r.entry, part.source, part.cents
FROM reversals AS r CROSS JOIN LATERAL unnest(r.sources, r.cents) AS part(source, cents)
WHERE r.plan_id = $1 AND r.forfeits AND r.trade_date <= $2"""
# Looks over the plan's lines, and is asked only about those who forfeited.
RESTORED_ON = """
SELECT participant_id, max(entry) AS entry FROM journal
WHERE plan_id = $1 AND trade_date <= $2 AND participant_id = ANY($3::text[]) AND kind = 'line'
  AND detail ->> 'employer_money' = 'restoration' GROUP BY participant_id"""

"""The SQL behind the question which decided lines a corrected census fact would change."""

from __future__ import annotations

CORRECTED = """
SELECT participant_id, plan_id, version, received_for, effective_from, person FROM participants
WHERE (participant_id, plan_id) IN (SELECT participant_id, plan_id FROM participants
                                    WHERE ($1::text IS NULL OR plan_id = $1)
                                      AND ($2::text IS NULL OR participant_id = $2)
                                    GROUP BY participant_id, plan_id HAVING count(*) > 1)
ORDER BY participant_id, plan_id, version"""
FACTS = "SELECT key, effective_from, body FROM facts WHERE topic = $1 ORDER BY version"
LINES = """
SELECT j.participant_id, j.plan_id, j.trade_date, j.entry, j.cause, j.payroll_id, j.pay_date, j.compensation,
       j.accounts, j.amounts, j.detail::text AS detail
FROM unnest($1::text[], $2::text[]) AS asked(participant_id, plan_id)
JOIN journal AS j ON j.participant_id = asked.participant_id AND j.plan_id = asked.plan_id
WHERE j.kind = 'line' ORDER BY j.participant_id, j.plan_id, j.entry"""

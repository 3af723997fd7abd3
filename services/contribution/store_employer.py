"""The SQL behind the employer's money of a year: what each participant of a plan has by now."""

from __future__ import annotations

PLAN = "SELECT body FROM facts WHERE topic = 'plans.v1' AND key = $1 ORDER BY version DESC LIMIT 1"
ANNUAL_PLANS = """
SELECT key FROM (SELECT DISTINCT ON (key) key, body FROM facts WHERE topic = 'plans.v1'
                 ORDER BY key, version DESC) AS plan
WHERE body #>> '{match,period}' = 'annual' ORDER BY key COLLATE "C" """
LAST_CUT = "SELECT max(trade_date) FROM lane_days WHERE cycle = 'day'"
LIMITS = "SELECT body FROM facts WHERE topic = 'limits.v1' AND key = $1 ORDER BY version DESC LIMIT 1"
YEARS = """
SELECT participant_id, regular_pre_tax, regular_roth, catch_up, relabelled_pre_tax, relabelled_roth, other_additions,
       compensation, match
FROM year_to_date WHERE plan_id = $1 AND year = $2 ORDER BY participant_id COLLATE "C" """
PEOPLE = """
SELECT DISTINCT ON (participant_id) participant_id, person FROM participants
WHERE plan_id = $1 ORDER BY participant_id, version DESC"""
PAID = """
SELECT participant_id, sum(posted.cents)::bigint AS cents
FROM journal CROSS JOIN LATERAL unnest(accounts, amounts) AS posted(account, cents)
WHERE plan_id = $1 AND pay_date >= make_date($2, 1, 1) AND pay_date < make_date($2 + 1, 1, 1)
  AND kind IN ('line', 'reversal') AND posted.account = $3 AND accounts[cardinality(accounts)] <> 'forfeited'
  AND (detail ->> 'employer_money') IS DISTINCT FROM 'restoration'
GROUP BY participant_id"""
HELD = "SELECT count(*)::int FROM held_lines WHERE plan_id = $1 AND year = $2"

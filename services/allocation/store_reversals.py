"""The SQL of the allocation service about reversals of lines that were split on an earlier date."""

from __future__ import annotations

JOURNAL_COLUMNS = [
    "trade_date", "lane", "entry", "recorded_at", "kind", "bucket", "plan_id", "participant_id", "cause", "rule_set",
    "trace", "accounts", "amounts", "sources", "leg_cents", "election", "reverses",
]  # fmt: skip
SPLITS_OF = """
SELECT cause, trade_date, accounts, sources, leg_cents, election FROM journal
WHERE trade_date = $1 AND lane = $2 AND kind = 'split' AND cause = ANY($3::uuid[])"""
# A participant who was parked when his line came was split on a later date.
SPLITS_LATER = """
SELECT cause, trade_date, accounts, sources, leg_cents, election FROM journal
WHERE trade_date > $1 AND lane = $2 AND kind = 'split' AND cause = ANY($3::uuid[])"""
TAKEN_BACK = """
SELECT reverses, sources, leg_cents FROM journal
WHERE reverses = ANY($2::uuid[]) AND lane = $1 AND kind = 'split_reversed' ORDER BY trade_date, entry"""
LANE_REVERSED = """
SELECT coalesce(sum(amounts[cardinality(amounts)]), 0)::bigint FROM journal
WHERE trade_date = $1 AND lane = $2 AND kind = 'split_reversed'"""
LANE_PARKED_REVERSALS = """
SELECT -coalesce(sum(CASE WHEN trade_date = $2 THEN cents ELSE 0 END
                     - CASE WHEN freed_for = $2 THEN cents ELSE 0 END), 0)::bigint
FROM parked WHERE lane = $1 AND cents < 0 AND (trade_date = $2 OR freed_for = $2)"""

"""Every SQL statement of the allocation service; functions take a connection, return values and never commit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import orjson

from services.allocation.rules.elections import parts_from_json
from shared.runtime.clients import Connection

FIND_ELECTIONS = """
SELECT asked.participant_id, asked.plan_id, e.version, e.parts
FROM unnest($1::text[], $2::text[]) AS asked(participant_id, plan_id)
CROSS JOIN LATERAL (SELECT version, parts FROM elections
                    WHERE participant_id = asked.participant_id AND plan_id = asked.plan_id AND effective_from <= $3
                    ORDER BY effective_from DESC, version DESC LIMIT 1) AS e"""
# By date first: an election that was held may be accepted, at the end of its date, after one of the date that follows.
ELECTIONS_OF = """
SELECT plan_id, version, received_for, effective_from, recorded_at, parts FROM elections WHERE participant_id = $1
ORDER BY plan_id, version"""
LAST_VERSIONS = """
SELECT participant_id, plan_id, max(version) AS version FROM elections
WHERE participant_id = ANY($1::text[]) GROUP BY participant_id, plan_id"""
JOURNAL_COLUMNS = [
    "trade_date", "lane", "entry", "recorded_at", "kind", "bucket", "plan_id", "participant_id", "cause", "rule_set",
    "trace", "accounts", "amounts", "sources", "leg_cents", "election",
]  # fmt: skip
ELECTION_COLUMNS = [
    "participant_id", "plan_id", "version", "bucket", "lane", "received_for", "effective_from", "recorded_at",
    "identity", "parts",
]  # fmt: skip
FIND_IDENTITIES = """
SELECT found.identity, found.body_hash, found.status, found.reason
FROM unnest($1::smallint[], $2::uuid[]) AS asked(bucket, identity)
CROSS JOIN LATERAL (SELECT i.identity, i.body_hash, i.status, i.reason
                    FROM identities AS i
                    WHERE i.bucket = asked.bucket AND i.identity = asked.identity OFFSET 0) AS found"""
IDENTITY_COLUMNS = ["bucket", "identity", "body_hash", "trade_date", "entry", "status", "reason"]
SETTLE_IDENTITIES = """
UPDATE identities SET status = d.status, reason = CASE WHEN d.code IS NULL THEN NULL ELSE ARRAY[d.code, d.detail] END
FROM unnest($1::smallint[], $2::uuid[], $3::"char"[], $4::text[], $5::text[])
  AS d(bucket, identity, status, code, detail)
WHERE identities.bucket = d.bucket AND identities.identity = d.identity"""
HELD_COLUMNS = ["lane", "entry", "trade_date", "recorded_at", "item"]
SELECT_HELD = """
SELECT entry, trade_date, item FROM held_requests WHERE lane = $1 AND trade_date <= $2 ORDER BY entry LIMIT $3"""
DELETE_HELD = "DELETE FROM held_requests WHERE lane = $1 AND entry = ANY($2::bigint[])"
LANE_TOTALS = """
SELECT count(*) AS lines, coalesce(sum(-amounts[cardinality(amounts)]), 0)::bigint AS cents
FROM journal WHERE trade_date = $1 AND lane = $2 AND kind = 'split'"""
LANE_PARKED = """
SELECT coalesce(sum(CASE WHEN trade_date = $2 THEN cents ELSE 0 END
                    - CASE WHEN freed_for = $2 THEN cents ELSE 0 END), 0)::bigint
FROM parked WHERE lane = $1 AND cents >= 0 AND (trade_date = $2 OR freed_for = $2)"""


async def find_elections(
    connection: Connection, asked: Iterable[tuple[str, str]], day: date
) -> dict[tuple[str, str], tuple[int, dict[str, list[tuple[str, int]]]]]:
    """The election in force on ``day`` of each (participant, plan): version and parts; without one, no entry."""
    pairs = list(set(asked))
    rows = await connection.fetch(FIND_ELECTIONS, [pair[0] for pair in pairs], [pair[1] for pair in pairs], day)
    known: dict[str, dict[str, list[tuple[str, int]]]] = {}
    found = {}
    for participant, plan, version, parts in rows:
        if parts not in known:
            known[parts] = parts_from_json(orjson.loads(parts))
        found[participant, plan] = (version, known[parts])
    return found

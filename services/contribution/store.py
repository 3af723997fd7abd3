"""Every SQL statement of the contribution service; functions take a connection, return values and never commit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
import orjson
from asyncpg.pgproto.pgproto import UUID
from msgspec.structs import astuple

from services.contribution.rules.participant import Participant
from services.contribution.rules.records import YearToDate
from shared.runtime.clients import Connection
from shared.runtime.facts import FactRecord
from shared.values.hashing import bucket_of
from shared.values.trading_days import GENESIS

FIND_IDENTITIES = """
SELECT found.identity, found.body_hash, found.status, found.accepted, found.rejected, found.trade_date, found.entry
FROM unnest($1::smallint[], $2::uuid[]) AS asked(bucket, identity)
CROSS JOIN LATERAL (SELECT i.identity, i.body_hash, i.status, i.accepted, i.rejected, i.trade_date, i.entry
                    FROM identities AS i
                    WHERE i.bucket = asked.bucket AND i.identity = asked.identity OFFSET 0) AS found"""
IDENTITY_COLUMNS = ["bucket", "identity", "body_hash", "trade_date", "entry", "status", "accepted", "rejected"]
DECIDE_HELD_IDENTITIES = """
UPDATE identities SET trade_date = d.trade_date, entry = d.entry, status = d.status, accepted = d.accepted,
  rejected = d.rejected
FROM unnest($1::smallint[], $2::uuid[], $3::date[], $4::bigint[], $5::"char"[], $6::bigint[], $7::bigint[])
  AS d(bucket, identity, trade_date, entry, status, accepted, rejected)
WHERE identities.bucket = d.bucket AND identities.identity = d.identity"""
# Facts of the time before the first date are named by it once it closes; the identity keeps its first label.
FIND_DECISIONS = """
SELECT j.cause, j.accounts, j.amounts, j.detail
FROM unnest($1::date[], $2::int[], $3::bigint[]) AS asked(trade_date, lane, entry)
CROSS JOIN LATERAL (SELECT one.cause, one.accounts, one.amounts, one.detail::text AS detail FROM journal AS one
                    WHERE one.trade_date = asked.trade_date AND one.lane = asked.lane AND one.entry = asked.entry
                      AND one.kind IN ('line', 'reversal') OFFSET 0) AS j"""
FIRST_DATE = "SELECT min(trade_date) FROM lane_days WHERE cycle = 'day'"
FIND_PARTICIPANTS = """
SELECT asked.participant_id, asked.plan_id, p.person
FROM unnest($1::text[], $2::text[]) AS asked(participant_id, plan_id)
CROSS JOIN LATERAL (SELECT person FROM participants
                    WHERE participant_id = asked.participant_id AND plan_id = asked.plan_id AND effective_from <= $3
                    ORDER BY version DESC LIMIT 1) AS p"""
FIND_YEARS = """
SELECT asked.participant_id, asked.plan_id, asked.year, y.regular_pre_tax, y.regular_roth, y.catch_up,
       y.relabelled_pre_tax, y.relabelled_roth, y.other_additions, y.compensation, y.match, y.line_marks
FROM unnest($1::text[], $2::text[], $3::int[]) AS asked(participant_id, plan_id, year)
CROSS JOIN LATERAL (SELECT * FROM year_to_date AS one WHERE one.participant_id = asked.participant_id
                      AND one.plan_id = asked.plan_id AND one.year = asked.year OFFSET 0) AS y"""
SAVE_YEARS = """
INSERT INTO year_to_date (participant_id, plan_id, year, bucket, lane, regular_pre_tax, regular_roth, catch_up,
                          relabelled_pre_tax, relabelled_roth, other_additions, compensation, match, line_marks)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::smallint[], $5::int[], $6::bigint[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                     $14::bytea[])
ON CONFLICT (participant_id, plan_id, year) DO UPDATE SET
  regular_pre_tax = excluded.regular_pre_tax, regular_roth = excluded.regular_roth, catch_up = excluded.catch_up,
  relabelled_pre_tax = excluded.relabelled_pre_tax, relabelled_roth = excluded.relabelled_roth,
  other_additions = excluded.other_additions, compensation = excluded.compensation, match = excluded.match,
  line_marks = excluded.line_marks"""
FIND_CENSUS = """
SELECT asked.participant_id, asked.plan_id, p.version, p.body, p.person
FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS one(participant_id, plan_id)) AS asked
CROSS JOIN LATERAL (SELECT version, body, person FROM participants
                    WHERE participant_id = asked.participant_id AND plan_id = asked.plan_id
                    ORDER BY version DESC LIMIT 1) AS p"""
PARTICIPANT_COLUMNS = [
    "participant_id", "plan_id", "version", "bucket", "lane", "received_for", "effective_from", "recorded_at", "body",
    "person",
]  # fmt: skip
JOURNAL_COLUMNS = [
    "trade_date", "lane", "entry", "recorded_at", "kind", "bucket", "plan_id", "participant_id", "cause", "rule_set",
    "trace", "reverses", "accounts", "amounts", "detail", "payroll_id", "pay_date", "compensation", "requested",
    "rejected",
    "limit_uses",
]  # fmt: skip
HELD_COLUMNS = [
    "lane", "entry", "trade_date", "plan_id", "participant_id", "payroll_id", "year", "code", "requested",
    "recorded_at", "item",
]  # fmt: skip
SELECT_HELD = """
SELECT entry, trade_date, code, item, kind, participant_id, plan_id, year, resolution, resolved_for,
       not_before
FROM held_lines WHERE lane = $1 AND entry > $2 ORDER BY entry LIMIT $3"""
# Found by participant and put in order after: in the order of entries the server looks over all that the lane holds.
SELECT_HELD_OF = """
SELECT * FROM (SELECT entry, trade_date, code, item, kind, participant_id, plan_id, year, resolution, resolved_for,
                      not_before
               FROM held_lines WHERE lane = $1 AND entry > $2 AND participant_id = ANY($4::text[]) OFFSET 0) AS theirs
ORDER BY entry LIMIT $3"""
SELECT_HELD_KEYS = """
SELECT DISTINCT lane, participant_id, plan_id, year, kind FROM held_lines WHERE lane = ANY($1::int[])"""
# What else is held of the participants of a page, before and after it.
HELD_BESIDE = """
SELECT participant_id, plan_id, year, kind, entry > $3 AS is_later, min(coalesce(not_before, trade_date)) AS first_for
FROM held_lines WHERE lane = $1 AND (entry < $2 OR entry > $3) AND participant_id = ANY($4::text[])
GROUP BY participant_id, plan_id, year, kind, entry > $3"""
DATE_BEHIND = """
UPDATE held_lines SET not_before = before.day
FROM unnest($3::text[], $4::text[], $5::int[], $6::date[]) AS before(participant_id, plan_id, year, day)
WHERE lane = $1 AND entry > $2 AND kind = 'line' AND held_lines.participant_id = before.participant_id
  AND held_lines.plan_id = before.plan_id AND held_lines.year = before.year
  AND coalesce(not_before, trade_date) < before.day"""
MOVE_HELD = """
UPDATE held_lines SET code = moved.code FROM unnest($2::bigint[], $3::text[]) AS moved(entry, code)
WHERE lane = $1 AND held_lines.entry = moved.entry"""
RESOLVE_HELD = """
UPDATE held_lines SET resolution = $3, resolved_for = $4
WHERE lane = $1 AND entry = $2 AND code = 'DUPLICATE_PAYROLL_LINE' AND resolution IS NULL RETURNING entry"""
FREED_COLUMNS = ["lane", "entry", "identity", "plan_id", "payroll_id", "requested", "held_for", "freed_for"]
DELETE_HELD = "DELETE FROM held_lines WHERE lane = $1 AND entry = ANY($2::bigint[])"
ADD_UP_RUNS = """
INSERT INTO run_parts (trade_date, lane, plan_id, payroll_id, lines, submitted, accepted, rejected, credited,
                       hash_total, first_pay_date)
SELECT trade_date, lane, plan_id, payroll_id, count(*), sum(requested), sum(requested - rejected), sum(rejected),
       sum(-amounts[cardinality(amounts)]),
       sum((('x' || encode(substring(sha256(convert_to(participant_id, 'UTF8')) FOR 4), 'hex'))::bit(32)::bigint
            & 4294967295)::numeric) % 10000000000,
       min(pay_date) FILTER (WHERE requested > rejected)
FROM journal WHERE trade_date = $1 AND lane = $2 AND kind = 'line' GROUP BY trade_date, lane, plan_id, payroll_id"""
UNRELEASED_RUNS = """
SELECT plan_id, payroll_id, sum(credited)::bigint AS credited, min(first_pay_date) AS first_pay_date
FROM run_parts WHERE released_for IS NULL AND trade_date <= $1
GROUP BY plan_id, payroll_id ORDER BY plan_id, payroll_id"""
RUN_TOTALS = """
SELECT plan_id, payroll_id, sum(lines)::bigint AS lines, sum(submitted)::bigint AS submitted,
       sum(hash_total) % 10000000000 AS hash_total
FROM run_parts WHERE payroll_id = ANY($1::text[]) AND trade_date <= $2 GROUP BY plan_id, payroll_id"""
RUN_PLANS = """
SELECT payroll_id, min(plan_id) AS plan_id FROM run_parts WHERE payroll_id = ANY($1::text[]) GROUP BY payroll_id"""
UNUSED_CASH = """
SELECT f.payroll_id, f.cash - coalesce(r.used, 0) AS unused
FROM (SELECT payroll_id, sum(cents)::bigint AS cash FROM fundings
      WHERE payroll_id = ANY($1::text[]) AND trade_date <= $2 GROUP BY payroll_id) AS f
LEFT JOIN (SELECT payroll_id, sum(cash_used)::bigint AS used FROM run_releases
           WHERE payroll_id = ANY($1::text[]) GROUP BY payroll_id) AS r USING (payroll_id)"""
RETURNED_AFTER_TRADE = """
SELECT r.plan_id, r.payroll_id, (sum(r.cash_used) - max(f.cash))::bigint AS missing
FROM (SELECT payroll_id, sum(cents)::bigint AS cash FROM fundings
      WHERE trade_date <= $1 AND payroll_id IN (SELECT payroll_id FROM fundings WHERE cents < 0 AND trade_date <= $1)
      GROUP BY payroll_id) AS f
JOIN run_releases AS r USING (payroll_id)
GROUP BY r.plan_id, r.payroll_id HAVING sum(r.cash_used) > max(f.cash) ORDER BY r.plan_id, r.payroll_id"""
CLOSED_CONTROLS = """
SELECT DISTINCT ON (payroll_id) payroll_id, line_count, cents_total, hash_total,
       body -> 'cents_by_source' AS by_source FROM run_controls
WHERE kind = 'closed' AND payroll_id = ANY($1::text[]) AND trade_date <= $2 ORDER BY payroll_id, version DESC"""
# What was sent by source: credits without the engine's match, and cuts; or what the journal says was asked for.
SUBMITTED_BY_SOURCE = """
SELECT j.plan_id, j.payroll_id, said.source, sum(said.cents)::bigint AS cents
FROM (SELECT DISTINCT trade_date, lane FROM run_parts WHERE payroll_id = ANY($1::text[]) AND trade_date <= $2) AS place
JOIN journal AS j USING (trade_date, lane)
CROSS JOIN LATERAL (
    SELECT part ->> 0 AS source, (part ->> 1)::bigint AS cents FROM jsonb_array_elements(j.detail -> 'asked') AS part
    UNION ALL SELECT own.source, own.cents FROM (
        SELECT posted.source, posted.cents FROM unnest(j.accounts, j.amounts) AS posted(source, cents)
        UNION ALL SELECT cut ->> 0, (cut ->> 1)::bigint FROM jsonb_array_elements(j.detail -> 'cuts') AS cut
        UNION ALL SELECT j.detail -> 'record' ->> 'match_source', -(j.detail -> 'record' ->> 'match_cents')::bigint
    ) AS own WHERE j.detail -> 'asked' IS NULL) AS said
WHERE j.kind = 'line' AND j.payroll_id = ANY($1::text[]) AND said.source NOT IN ('', 'receivable')
GROUP BY j.plan_id, j.payroll_id, said.source HAVING sum(said.cents) <> 0"""
INSERT_RELEASES = """
INSERT INTO run_releases (trade_date, plan_id, payroll_id, cents, cash_used)
SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])"""
MARK_RELEASED = """
UPDATE run_parts SET released_for = $1 FROM unnest($2::text[], $3::text[]) AS run(plan_id, payroll_id)
WHERE run_parts.plan_id = run.plan_id AND run_parts.payroll_id = run.payroll_id
  AND run_parts.released_for IS NULL AND run_parts.trade_date <= $1"""
CLEAR_WAITS = "DELETE FROM run_waits"
INSERT_WAITS = """
INSERT INTO run_waits (plan_id, payroll_id, trade_date, code, short_by, deposit_due)
SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::bigint[], $6::date[])"""
UNPOSTED_FUNDINGS = """
SELECT f.version, f.payroll_id, coalesce(f.plan_id, r.plan_id) AS plan_id, f.cents, f.cause, f.recorded_at
FROM fundings AS f
LEFT JOIN LATERAL (SELECT min(plan_id) AS plan_id FROM run_parts WHERE payroll_id = f.payroll_id) AS r ON true
WHERE f.posted_for IS NULL AND f.trade_date <= $1 AND coalesce(f.plan_id, r.plan_id) IS NOT NULL ORDER BY f.version"""
MARK_POSTED = "UPDATE fundings SET posted_for = $1 WHERE version = ANY($2::bigint[])"
RELEASED_PARTS = """
SELECT plan_id, payroll_id, trade_date, credited FROM run_parts WHERE released_for = $1 AND lane = $2
ORDER BY trade_date, plan_id, payroll_id"""
RELEASED_DATES = "SELECT DISTINCT trade_date FROM run_parts WHERE released_for = $1 AND lane = $2 ORDER BY trade_date"
# One look-up by key per line: as a join the planner, knowing nothing yet of a date that began today, compares each line
# with every run.
RELEASED_LINES = """
SELECT j.entry, j.plan_id, j.payroll_id, j.participant_id, j.bucket, j.cause, j.accounts, j.amounts, j.trace
FROM journal AS j
WHERE j.trade_date = $1 AND j.lane = $2 AND j.entry > $3 AND j.kind = 'line'
  AND (SELECT r.released_for FROM run_parts AS r
       WHERE r.trade_date = $1 AND r.lane = $2 AND r.plan_id = j.plan_id AND r.payroll_id = j.payroll_id) = $4
ORDER BY j.entry LIMIT $5"""
FUNDINGS_OF = "SELECT payroll_id, plan_id, reference, cents FROM fundings WHERE payroll_id = ANY($1::text[])"
INSERT_FUNDINGS = """
INSERT INTO fundings (version, payroll_id, plan_id, cents, reference, received_on, trade_date, recorded_at, cause)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::date[], $7::date[],
                     $8::timestamptz[], $9::text[])"""
INSERT_CONTROLS = """
INSERT INTO run_controls (payroll_id, kind, version, line_count, cents_total, hash_total, body, trade_date)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::numeric[], $7::jsonb[],
                     $8::date[])"""
LANE_TOTALS = """
SELECT coalesce(sum(lines), 0)::bigint AS lines, coalesce(sum(submitted), 0)::bigint AS submitted,
       coalesce(sum(accepted), 0)::bigint AS accepted, coalesce(sum(rejected), 0)::bigint AS rejected,
       coalesce(sum(credited), 0)::bigint AS credited
FROM run_parts WHERE trade_date = $1 AND lane = $2"""
LANE_RELEASED = """
SELECT coalesce(sum(credited), 0)::bigint AS released FROM run_parts WHERE released_for = $1 AND lane = $2"""
LANE_OPEN = """
SELECT coalesce(sum(credited), 0)::bigint FROM run_parts WHERE lane = $1 AND trade_date <= $2
  AND (released_for IS NULL OR released_for > $2)"""
LANE_HELD = "SELECT count(*) AS lines, coalesce(sum(requested), 0)::bigint AS cents FROM held_lines WHERE lane = $1"
LANE_PARKED = """
SELECT count(*) AS items, coalesce(sum(cents), 0)::bigint AS cents FROM parked WHERE lane = $1 AND freed_for IS NULL"""
RUN = """
SELECT plan_id, payroll_id, sum(lines)::bigint AS lines, sum(submitted)::bigint AS submitted_cents,
       sum(accepted)::bigint AS accepted_cents, sum(rejected)::bigint AS rejected_cents,
       coalesce(sum(credited) FILTER (WHERE released_for IS NOT NULL), 0)::bigint AS released_cents,
       min(first_pay_date) FILTER (WHERE released_for IS NULL) AS first_pay_date
FROM run_parts WHERE payroll_id = $1 GROUP BY plan_id, payroll_id"""
RUN_CASH = "SELECT coalesce(sum(cents), 0)::bigint FROM fundings WHERE payroll_id = $1"
RUN_WAIT = "SELECT code, short_by, deposit_due FROM run_waits WHERE payroll_id = $1"
RUNS_MOVED = """
SELECT payroll_id FROM fundings WHERE ($1::date IS NULL OR trade_date > $1) AND trade_date <= $2
UNION ALL SELECT payroll_id FROM run_releases WHERE ($1::date IS NULL OR trade_date > $1) AND trade_date <= $2
UNION ALL SELECT payroll_id FROM run_parts WHERE ($1::date IS NULL OR trade_date > $1) AND trade_date <= $2"""
# Cash that names no plan is that of the run's; which plan it is may be known later than the cash came.
PLAN_CASH_OF = """
SELECT plan_id, sum(unused)::bigint AS cents FROM (
    SELECT plan_id, payroll_id, greatest(sum(cents), 0) AS unused FROM (
        SELECT coalesce(f.plan_id, (SELECT min(r.plan_id) FROM run_parts AS r
                                    WHERE r.payroll_id = f.payroll_id AND r.trade_date <= $2)) AS plan_id,
               f.payroll_id, f.cents
        FROM fundings AS f WHERE f.payroll_id = ANY($1::text[]) AND f.trade_date <= $2
        UNION ALL SELECT plan_id, payroll_id, -cash_used FROM run_releases
        WHERE payroll_id = ANY($1::text[]) AND trade_date <= $2) AS flow
    WHERE plan_id IS NOT NULL GROUP BY plan_id, payroll_id) AS run
GROUP BY plan_id"""


YearKey = tuple[str, str, int]
"""Participant, plan and calendar year of the pay date."""

_person = msgspec.json.Decoder(Participant).decode


class Known(NamedTuple):
    """An identity that was seen before, with its decision."""

    body_hash: bytes
    status: str
    accepted: int
    rejected: int
    trade_date: date
    entry: int


async def find_identities(connection: Connection, buckets: list[int], identities: list[bytes]) -> dict[bytes, Known]:
    """Those of ``identities`` that were decided or held before."""
    rows = await connection.fetch(FIND_IDENTITIES, buckets, [UUID(identity) for identity in identities])
    return {row[0].bytes: Known(row[1].bytes, row[2].decode(), row[3], row[4], row[5], row[6]) for row in rows}


async def decide_held(connection: Connection, identities: list[tuple[Any, ...]]) -> None:
    """Write what was decided of held requests over their rows; ``identities`` has the columns of a new one."""
    if identities:
        bucket, identity, _, *decided = map(list, zip(*identities, strict=True))
        await connection.execute(DECIDE_HELD_IDENTITIES, bucket, identity, *decided)


class Decided(NamedTuple):
    """What the journal says of a request: credits by source (negative for a reversal), and why the rest was cut."""

    accounts: list[str]
    amounts: list[int]
    detail: str | None


def _is_decided(known: Known) -> bool:
    return known.status in ("a", "p", "r")


async def find_decisions(connection: Connection, asked: Iterable[tuple[int, Known]]) -> dict[bytes, Decided]:
    """The decisions behind known identities, each with its lane: those that were made and are written."""
    places = [(known.trade_date, lane, known.entry) for lane, known in asked if _is_decided(known)]
    if not places:
        return {}
    if any(day == GENESIS for day, _, _ in places):
        first = await connection.fetchval(FIRST_DATE)
        places += [(first, lane, entry) for day, lane, entry in places if day == GENESIS and first is not None]
    rows = await connection.fetch(FIND_DECISIONS, *map(list, zip(*places, strict=True)))
    return {row[0].bytes: Decided(row[1], row[2], row[3]) for row in rows}


async def find_participants(
    connection: Connection, asked: Iterable[tuple[str, str]], day: date
) -> dict[tuple[str, str], Participant]:
    """What the census says of each (participant, plan) for money of ``day``; unknown ones are missing."""
    pairs = list(set(asked))
    rows = await connection.fetch(FIND_PARTICIPANTS, [pair[0] for pair in pairs], [pair[1] for pair in pairs], day)
    return {(row[0], row[1]): _person(row[2]) for row in rows}


async def find_years(
    connection: Connection, asked: Iterable[YearKey]
) -> tuple[dict[YearKey, YearToDate], dict[YearKey, bytes]]:
    """The accumulators of each (participant, plan, year) that has any, and the marks of its lines."""
    keys = list(set(asked))
    rows = await connection.fetch(
        FIND_YEARS, [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]
    )
    years, marks = {}, {}
    for row in rows:
        participant, plan, year, *sums, line_marks = row
        years[participant, plan, year] = YearToDate(*sums)
        marks[participant, plan, year] = line_marks
    return years, marks


async def save_years(
    connection: Connection, years: dict[YearKey, tuple[int, int, YearToDate]], marks: dict[YearKey, bytes]
) -> None:
    """Write accumulators, each with its bucket and lane, in key order, so that writers can't deadlock."""
    if years:
        rows = [
            (*key, bucket, lane, *astuple(year), marks.get(key, b""))
            for key, (bucket, lane, year) in sorted(years.items())
        ]
        await connection.execute(SAVE_YEARS, *map(list, zip(*rows, strict=True)))


async def find_census(
    connection: Connection, asked: list[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, Any, Participant]]:
    """The newest census fact of each (participant, plan): version, body and the person so far."""
    rows = await connection.fetch(FIND_CENSUS, [pair[0] for pair in asked], [pair[1] for pair in asked])
    return {(row[0], row[1]): (row[2], orjson.loads(row[3]), _person(row[4])) for row in rows}


async def store_run_facts(connection: Connection, facts: list[FactRecord]) -> list[tuple[FactRecord, str]]:
    """Opened, closed, funded and returned runs. Cash is named by its bank reference: what is said twice counts once."""
    money, controls, refused = [], [], []
    known: dict[tuple[str, str | None, str, bool], int] = {
        (row["payroll_id"], row["plan_id"], row["reference"], row["cents"] < 0): row["cents"]
        for row in await connection.fetch(FUNDINGS_OF, list({fact.body.payroll_id for fact in facts}))
    }
    for fact in facts:
        body = fact.body
        if fact.ce_type.endswith((".funded.v1", ".returned.v1")):
            cents = body.cents if fact.ce_type.endswith(".funded.v1") else -body.cents
            name = (body.payroll_id, body.plan_id, body.reference, cents < 0)
            if name in known:
                refused += [(fact, "IDEMPOTENCY_MISMATCH")] if known[name] != cents else []
                continue
            known[name] = cents
            money.append(
                (fact.version, body.payroll_id, body.plan_id, cents, body.reference, body.received_on,
                 fact.received_for, fact.recorded_at, fact.cause)
            )  # fmt: skip
        else:
            kind = "closed" if fact.ce_type.endswith(".closed.v1") else "opened"
            text = orjson.dumps(body.model_dump(mode="json")).decode()
            counts = [getattr(body, name, None) for name in ("line_count", "cents_total", "hash_total")]
            controls.append((body.payroll_id, kind, fact.version, *counts, text, fact.received_for))
    if money:
        await connection.execute(INSERT_FUNDINGS, *map(list, zip(*money, strict=True)))
    if controls:
        await connection.execute(INSERT_CONTROLS, *map(list, zip(*controls, strict=True)))
    return refused


def plan_lane(plan_id: str, partitions: int) -> int:
    """The lane that posts a plan's own money."""
    return bucket_of(plan_id) % partitions


def entry(
    day: date, lane: int, number: int, recorded_at: datetime, kind: str, plan_id: str, cause: bytes,
    accounts: list[str], amounts: list[int], payroll_id: str, rule_set: str,
) -> tuple[Any, ...]:  # fmt: skip
    """A journal row of plan-level money."""
    return (
        day, lane, number, recorded_at, kind, bucket_of(plan_id), plan_id, None, UUID(cause), rule_set, None, None,
        accounts, amounts, None, payroll_id, None, None, None, None, None,
    )  # fmt: skip

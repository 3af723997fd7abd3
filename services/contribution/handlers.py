"""Load, decide, save, say: payroll lines and census, a batch of one business date at a time."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import orjson
from asyncpg.pgproto.pgproto import UUID

from services.contribution import receipts, store
from services.contribution.items import LineItem
from services.contribution.rules import intake
from shared.events.census import Census
from shared.events.topics import PLANS
from shared.runtime.records import PublicRecord
from shared.runtime.work import Work
from shared.values.hashing import bucket_of, murmur2_many
from shared.values.trading_days import day_after

RULE_SET = "2026.1"
UNKNOWN_NAME = ("UNKNOWN_PLAN", "UNKNOWN_PARTICIPANT")


class LaneCache:
    """What a lane knows without asking: who has a held line, and which facts were last tried on those."""

    def __init__(self) -> None:
        self.waiting: set[tuple[str, str, int]] = set()
        self.tried_changes = -1


class PlanTerms:
    """A plan's terms as the rules need them, made once per fact version."""

    __slots__ = ("sources", "trade_on")

    def __init__(self, body: dict[str, Any]) -> None:
        self.sources = frozenset(body["sources"])
        self.trade_on = body["trade_on"]


class Decided:
    """Collects a batch's rows, so that each table is written once."""

    def __init__(self) -> None:
        self.journal: list[tuple[Any, ...]] = []
        self.identities: list[tuple[Any, ...]] = []
        self.held: list[tuple[Any, ...]] = []


async def on_claim(connection: Any, lanes: list[int]) -> dict[int, LaneCache]:
    """Load who is waiting in these lanes."""
    caches = {lane: LaneCache() for lane in lanes}
    for row in await connection.fetch(store.SELECT_HELD_KEYS, lanes):
        caches[row["lane"]].waiting.add((row["participant_id"], row["plan_id"], row["year"]))
    return caches


async def accept_lines(work: Work, items: list[LineItem]) -> None:
    """Decide payroll lines: identity, names, sources; record and answer each."""
    buckets = [hashed % 4096 for hashed in murmur2_many([item.key.encode() for item in items])]
    known = await store.find_identities(work.connection, buckets, [item.identity for item in items])
    people = await store.find_participants(
        work.connection, ((item.line.participant_id, item.line.plan_id) for item in items)
    )
    decided = Decided()
    for item, bucket in zip(items, buckets, strict=True):
        if work.guards.identity.known(known, item.identity):
            _answer_known(work, item, known[item.identity])
            continue
        reason = _hold_reason(work, item, people)
        if reason is not None:
            _hold(work, decided, item, bucket, reason)
        else:
            _record(work, decided, item, bucket, _decide(work, item))
        known[item.identity] = _remember(decided.identities[-1])
    await _save(work, decided)


def _remember(row: tuple[Any, ...]) -> store.Known:
    return store.Known(row[2].bytes, row[5].decode(), row[6], row[7], row[3], row[4])


def _answer_known(work: Work, item: LineItem, known: store.Known) -> None:
    same = known.body_hash == item.body_hash
    work.count(item.lane, item.topic, item.trade_date, "duplicates" if same else "mismatches")
    receipts.say_known(work, item, known)


def _hold_reason(work: Work, item: LineItem, people: dict[tuple[str, str], date]) -> str | None:
    """Why the line can't be decided yet; ``None`` when it can."""
    line = item.line
    if line.participant_id != item.key or intake.has_negative(line):
        return None
    if work.facts.get(PLANS.name, line.plan_id, item.trade_date) is None:
        return "UNKNOWN_PLAN"
    since = people.get((line.participant_id, line.plan_id))
    if since is None or since > item.trade_date:
        return "UNKNOWN_PARTICIPANT"
    if item.waits_behind in work.lanes[item.lane].cache.waiting:
        return "WAITING_FOR_EARLIER_LINE"
    return None


def _decide(work: Work, item: LineItem) -> intake.Decision:
    if item.line.participant_id != item.key:
        return intake.reject_all(item.line, "KEY_MISMATCH")
    if intake.has_negative(item.line):
        return intake.reject_all(item.line, "INVALID_AMOUNT")
    plan = work.facts.need(PLANS.name, item.line.plan_id, item.trade_date)
    return intake.decide(item.line, plan.sources)


def _record(work: Work, decided: Decided, item: LineItem, bucket: int, decision: intake.Decision) -> None:
    """One journal row: what payroll owes against what each source is credited."""
    line, lane = item.line, item.lane
    number = work.next_entry(lane)
    recorded_at = work.at(lane, item.recorded_at)
    accepted, rejected = decision.accepted_cents, decision.rejected_cents
    status = intake.status_of(line, decision)
    accounts, amounts = [source for source, _ in decision.accepted], [cents for _, cents in decision.accepted]
    accounts.append("receivable")
    amounts.append(-accepted)
    identity = UUID(item.identity)
    detail = orjson.dumps({"cuts": decision.cuts}).decode() if decision.cuts else None
    decided.journal.append(
        (
            item.trade_date, lane, number, recorded_at, "line", bucket, line.plan_id, line.participant_id, identity,
            RULE_SET, item.trace, None, accounts, amounts, detail, line.payroll_id, line.pay_date, line.compensation,
            accepted + rejected, rejected,
        )
    )  # fmt: skip
    decided.identities.append(
        (bucket, identity, UUID(item.body_hash), item.trade_date, number, receipts.LETTER[status].encode(), accepted,
         rejected)
    )  # fmt: skip
    work.count(lane, item.topic, item.trade_date, "decided")
    receipts.say_final(work, item, status, decision)


def _hold(work: Work, decided: Decided, item: LineItem, bucket: int, reason: str) -> None:
    """Keep the line until what it lacks is known; those behind it wait too."""
    number = work.next_entry(item.lane)
    line = item.line
    decided.held.append(
        (item.lane, number, item.trade_date, line.plan_id, line.participant_id, line.payroll_id, line.pay_date.year, reason,
         item.cents, work.at(item.lane, item.recorded_at), msgspec.msgpack.encode(item))
    )  # fmt: skip
    decided.identities.append((bucket, UUID(item.identity), UUID(item.body_hash), item.trade_date, number, b"h", 0, 0))
    work.lanes[item.lane].cache.waiting.add(item.waits_behind)
    work.count(item.lane, item.topic, item.trade_date, "held")
    receipts.say_held(work, item, reason)


async def _save(work: Work, decided: Decided) -> None:
    await store.copy(work.connection, "journal", store.JOURNAL_COLUMNS, decided.journal)
    await store.copy(work.connection, "identities", store.IDENTITY_COLUMNS, decided.identities)
    await store.copy(work.connection, "held_lines", store.HELD_COLUMNS, decided.held)


# -- held lines ------------------------------------------------------------------------------------------------------


async def free_held(work: Work, lane: int, closing: date | None = None) -> int:
    """Decide the held lines whose names are known now, in the order they came; returns how many were decided.

    With ``closing`` the date ends: its lines that still name an unknown plan or participant are rejected.
    """
    cache: LaneCache = work.lanes[lane].cache
    cache.tried_changes = work.facts.changes
    if not cache.waiting:
        return 0
    rows = await work.connection.fetch(store.SELECT_HELD, lane)
    items = [msgspec.msgpack.decode(row["item"], type=LineItem) for row in rows]
    people = await store.find_participants(
        work.connection, ((item.line.participant_id, item.line.plan_id) for item in items)
    )
    cache.waiting = set()
    decided, done = Decided(), []
    for row, item in zip(rows, items, strict=True):
        item.trade_date = row["trade_date"]
        reason = _hold_reason(work, item, people)
        if reason in UNKNOWN_NAME and closing is not None and item.trade_date <= closing:
            decision = intake.reject_all(item.line, str(reason))
        elif reason is not None:
            cache.waiting.add(item.waits_behind)
            continue
        else:
            decision = _decide(work, item)
        work.count(lane, item.topic, item.trade_date, "held", -1)
        _record(work, decided, item, bucket_of(item.key), decision)
        done.append(row["entry"])
    await store.copy(work.connection, "journal", store.JOURNAL_COLUMNS, decided.journal)
    for row in decided.identities:
        await work.connection.execute(
            store.DECIDE_HELD_IDENTITY, row[0], row[1], row[5], row[6], row[7], row[3], row[4]
        )
    await work.connection.execute(store.DELETE_HELD, lane, done)
    return len(done)


async def free_if_facts_changed(work: Work) -> bool:
    """Try the held lines again after a plan became known."""
    freed = 0
    for number, lane in work.lanes.items():
        if lane.cache.waiting and lane.cache.tried_changes != work.facts.changes:
            freed += await free_held(work, number)
    return freed > 0


# -- census ----------------------------------------------------------------------------------------------------------


async def note_census(work: Work, items: list[PublicRecord]) -> None:
    """Keep each participant's facts with their history, then free the lines that waited for them."""
    asked = [(item.body["participant_id"], item.body["plan_id"]) for item in items]
    known = await store.find_census(work.connection, asked)
    rows = []
    for item, pair in zip(items, asked, strict=True):
        work.count(item.lane, item.topic, item.trade_date, "decided")
        body = Census.model_validate(item.body).model_dump(mode="json")
        before = known.get(pair)
        if before is not None and before[1] == body:
            continue
        version = before[0] + 1 if before else 1
        effective = item.trade_date if before is None else day_after(item.trade_date)
        known[pair] = (version, body)
        rows.append(
            (*pair, version, bucket_of(pair[0]), item.lane, item.trade_date, effective,
             work.at(item.lane, item.recorded_at), orjson.dumps(body).decode())
        )  # fmt: skip
    await store.copy(work.connection, "participants", store.PARTICIPANT_COLUMNS, rows)
    for lane in {item.lane for item in items}:
        await free_held(work, lane)

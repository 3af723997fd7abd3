"""Load, decide, save, say: reversals of payroll lines, and where their money comes from when a date closes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

import msgspec
import orjson
from asyncpg.pgproto.pgproto import UUID

from services.contribution import receipts, store, store_reversals
from services.contribution.handlers import RULE_SET, Batch, answer_known, find_decided, limits_for, remember
from services.contribution.items import ReversalRequest
from services.contribution.rules.forfeiting import forfeit_part, take_uncounted
from services.contribution.rules.line import RESTORATION
from services.contribution.rules.records import NOTHING_YET, LineRecord, RecordedPart
from services.contribution.rules.repeats import without_request
from services.contribution.rules.reversals import (
    REVERSES_UNKNOWN,
    ReversalDecision,
    refuse_reversal,
    reverse_line,
)
from shared.events.packed import ReversedBatch
from shared.events.topics import CONTRIBUTIONS_RELEASED, PLANS
from shared.runtime.copying import copy_rows
from shared.runtime.work import Task, Work
from shared.values.hashing import bucket_of
from shared.values.invariants import InvariantBroken, invariant
from shared.values.trading_days import GENESIS

WAITING, UNSEEN = "WAITING_FOR_EARLIER_LINE", "WAITING_FOR_ITS_LINE"
NO_YEAR = 0
"""The year of a reversal whose line did not come yet."""
FORFEITED = "forfeited"
TAKEN_BACK = "nestwork.contributions.reversed.v1"
REVERSALS_PER_SLICE = 4_000
REVERSALS_PER_RECORD = 500
_json = msgspec.json.Encoder().encode
_record = msgspec.json.Decoder(LineRecord).decode


class _Line:
    """A recorded line, and what is left of it."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.row = row
        self.year_key: store.YearKey = (row["participant_id"], row["plan_id"], row["pay_date"].year)
        said = orjson.loads(row["detail"] or "{}")
        kept = said.get("record")
        self.left: LineRecord = msgspec.convert(kept, LineRecord) if kept else _plain_record(row)
        self.is_restoration: bool = said.get("employer_money") == RESTORATION


def _plain_record(row: Mapping[str, Any]) -> LineRecord:
    """A line without catch-up and without the engine's match says all of itself in its postings."""
    parts = tuple(RecordedPart(source, cents, 0) for source, cents in zip(row["accounts"], row["amounts"], strict=True))
    return LineRecord(parts[:-1], "", 0, 0, row["compensation"])


class HeldReversal(NamedTuple):
    """A reversal that waits behind a held line, or for a line that did not come yet."""

    entry: int
    held_for: date
    year: int
    item: ReversalRequest


class _Known:
    """What a batch of reversals is decided from."""

    def __init__(self) -> None:
        self.identities: dict[bytes, store.Known] = {}
        self.lines: dict[bytes, _Line] = {}
        self.held: dict[bytes, store.YearKey] = {}
        """Lines that are held themselves."""


async def _load(work: Work, items: list[ReversalRequest]) -> _Known:
    known = _Known()
    asked = [(bucket_of(item.key), identity) for item in items for identity in (item.identity, item.line_identity)]
    known.identities = await store.find_identities(
        work.connection, [one[0] for one in asked], [one[1] for one in asked]
    )
    decided = [(item, known.identities[item.line_identity]) for item in items if item.line_identity in known.identities]
    first = None
    if any(line.trade_date == GENESIS for _, line in decided):
        first = await work.connection.fetchval(store.FIRST_DATE)
    places = [(line.trade_date, item.lane, line.entry) for item, line in decided if line.status != "h"]
    places += [(first, lane, entry) for day, lane, entry in places if day == GENESIS and first is not None]
    columns = [list(column) for column in zip(*dict.fromkeys(places), strict=True)] or [[], [], []]
    for row in await work.connection.fetch(store_reversals.FIND_LINES, *columns):
        known.lines[row["cause"].bytes] = _Line(row)
    for row in await work.connection.fetch(store_reversals.LEFT_OF, [UUID(line) for line in known.lines]):
        known.lines[row["line"].bytes].left = _record(row["left_of_line"])
    held = {(item.lane, line.entry): item for item, line in decided if line.status == "h"}
    if held:
        columns = [list(column) for column in zip(*held, strict=True)]
        for row in await work.connection.fetch(store_reversals.HELD_YEARS, *columns):
            item = held[row["lane"], row["entry"]]
            known.held[item.line_identity] = (item.key, row["plan_id"], row["year"])
    return known


async def _batch(work: Work, known: _Known, day: date) -> Batch:
    """The people and years of the lines, as lines of ``day`` would find them."""
    keys = {line.year_key for line in known.lines.values()}
    people = await store.find_participants(work.connection, (key[:2] for key in keys), day)
    return Batch(people, *await store.find_years(work.connection, keys))


async def accept_reversals(work: Work, items: list[ReversalRequest]) -> None:
    """Decide reversals of one date: identity, the line, what is left of it; record and answer each."""
    known = await _load(work, items)
    batch = await _batch(work, known, items[0].trade_date)
    batch.decided = await find_decided(work, items, known.identities)
    rows: list[tuple[Any, ...]] = []
    later: list[tuple[Any, ...]] = []
    for item in items:
        if work.guards.identity.known(known.identities, item.identity):
            answer_known(work, batch, item, known.identities[item.identity])
            continue
        waits = _waits_behind(work, known, item, is_closing=False)
        if waits is not None:
            await _hold(work, batch, item, waits)
        else:
            work.count(item.lane, item.topic, item.trade_date, "decided")
            day = _record_reversal(work, batch, rows, item, known.lines.get(item.line_identity))
            later += _freed_later(item, batch.identities[-1][4], item.trade_date, day)
        known.identities[item.identity] = remember(batch.identities[-1])
    await copy_rows(work.connection, "identities", store.IDENTITY_COLUMNS, batch.identities)
    await _save(work, batch, rows, later)


async def _save(work: Work, batch: Batch, rows: list[tuple[Any, ...]], later: list[tuple[Any, ...]]) -> None:
    await copy_rows(work.connection, "journal", store.JOURNAL_COLUMNS, batch.journal)
    await copy_rows(work.connection, "reversals", store_reversals.REVERSAL_COLUMNS, rows)
    await copy_rows(work.connection, "freed_lines", store.FREED_COLUMNS, later)
    await store.save_years(work.connection, batch.changed, batch.marks)


def _freed_later(item: ReversalRequest, entry: int, received_for: date, day: date) -> list[tuple[Any, ...]]:
    """What the proof must know of a reversal that was booked on a later date than it was received for."""
    body = item.body
    row = (item.lane, entry, UUID(item.identity), body["plan_id"], body["payroll_id"], 0, received_for, day)
    return [row] if day > received_for else []


def _waits_behind(work: Work, known: _Known, item: ReversalRequest, *, is_closing: bool) -> store.YearKey | None:
    """A held line makes what the participant sends for that plan and year wait, its own reversal first.

    A line that did not come yet may be on its way from another partition; until the date ends, its reversal waits.
    """
    if item.line_identity not in known.identities:
        # A forfeiture names a line that was recorded long ago; a reversal may name one that is on its way.
        return None if is_closing or item.forfeits else (item.key, item.body["plan_id"], NO_YEAR)
    if item.line_identity in known.held:
        return known.held[item.line_identity]
    line = known.lines.get(item.line_identity)
    waiting = work.lanes[item.lane].cache.waiting
    return line.year_key if line is not None and line.year_key in waiting else None


async def _hold(work: Work, batch: Batch, item: ReversalRequest, waits: store.YearKey) -> None:
    number = work.next_entry(item.lane)
    participant, plan, year = waits
    code = WAITING if year else UNSEEN
    row = (
        item.lane, number, item.trade_date, plan, participant, item.body["payroll_id"], year, code, 0,
        work.at(item.lane, item.recorded_at), msgspec.msgpack.encode(item), "reversal",
    )  # fmt: skip
    await copy_rows(work.connection, "held_lines", store_reversals.HELD_COLUMNS, [row])
    batch.identities.append(
        (bucket_of(item.key), UUID(item.identity), UUID(item.body_hash), item.trade_date, number, b"h", 0, 0)
    )
    work.lanes[item.lane].cache.reversing.add(item.key)
    work.count(item.lane, item.topic, item.trade_date, "held")
    receipts.say_held(work, item, code)


def _decide(work: Work, batch: Batch, item: ReversalRequest, line: _Line | None) -> ReversalDecision:
    """By the plan and the limits that the line was decided by."""
    is_his = line is not None and (line.row["plan_id"], line.row["participant_id"]) == (item.body["plan_id"], item.key)
    if line is None or not is_his or not line.row["accounts"][:-1]:
        return refuse_reversal(item.amounts or (("", 0),), REVERSES_UNKNOWN, NOTHING_YET)
    plan_id, decided_for = line.row["plan_id"], line.row["trade_date"]
    plan = work.facts.need(PLANS.name, plan_id, decided_for).rules
    person, before = batch.people[line.year_key[:2]], batch.year_to_date(line.year_key)
    if item.forfeits:
        now = work.facts.need(PLANS.name, plan_id, item.trade_date).rules
        because = item.body["because"]
        return forfeit_part(line.left, item.amounts or (), because, now, person, item.trade_date, before)
    if line.is_restoration:
        return take_uncounted(line.left, item.amounts, before)
    limits = limits_for(work, line.year_key[2], decided_for)
    if limits is None:
        raise InvariantBroken("a line was decided by limits")
    if not line.left.match_source and plan.match is not None:
        line.left = msgspec.structs.replace(line.left, match_source=plan.match.source)
    return reverse_line(line.left, item.amounts, plan, person, limits, before)


def _record_reversal(
    work: Work, batch: Batch, rows: list[tuple[Any, ...]], item: ReversalRequest, line: _Line | None
) -> date:
    """One journal row against the line's, linked to it; what is left of the line; the year moves back.

    Returns the date it is booked on: never one before its line's, which may have come by another partition.
    """
    decision = _decide(work, batch, item, line)
    day = item.trade_date if line is None else max(item.trade_date, line.row["trade_date"])
    lane, number, bucket = item.lane, work.next_entry(item.lane), bucket_of(item.key)
    recorded_at, identity = work.at(lane, item.recorded_at), UUID(item.identity)
    sources, cents = [source for source, _ in decision.debited], [cents for _, cents in decision.debited]
    said = {"cuts": decision.cuts, "relabels": decision.relabels, "reason": item.body["reason"]}
    reverses = None if line is None else line.row["cause"]
    payroll = item.body["payroll_id"] if line is None else line.row["payroll_id"]
    batch.journal.append(
        (
            day, lane, number, recorded_at, "reversal", bucket, item.body["plan_id"], item.key, identity,
            RULE_SET, item.trace, reverses, [*sources, FORFEITED if item.forfeits else "receivable"],
            [*(-one for one in cents), sum(cents)],
            _json({name: value for name, value in said.items() if value}).decode(), payroll,
            None if line is None else line.row["pay_date"], None,
            decision.accepted_cents + decision.rejected_cents, decision.rejected_cents,
            _json(decision.limit_uses).decode() if decision.limit_uses else None,
        )
    )  # fmt: skip
    letter = receipts.LETTER[decision.status].encode()
    batch.identities.append(
        (bucket, identity, UUID(item.body_hash), day, number, letter, decision.accepted_cents,
         decision.rejected_cents)
    )  # fmt: skip
    if line is not None and decision.record is not None and decision.debited:
        _move(batch, item, line, decision)
        rows.append(
            (
                lane, number, day, recorded_at, bucket, item.body["plan_id"], line.row["payroll_id"],
                item.key, identity, line.row["cause"], line.row["trade_date"], line.row["entry"], sources, cents,
                _json(decision.record).decode(), item.trace, item.forfeits,
            )
        )  # fmt: skip
    receipts.say_reversed(work, item, decision)
    return day


def _move(batch: Batch, item: ReversalRequest, line: _Line, decision: ReversalDecision) -> None:
    assert decision.record is not None
    line.left = decision.record
    batch.move(line.year_key, bucket_of(item.key), item.lane, decision.year_to_date)
    if not line.left.parts:
        # Nothing of the line is left, so the same line may be sent again.
        batch.marks[line.year_key] = without_request(batch.marks.get(line.year_key, b""), line.row["cause"].bytes)


async def free_reversals(work: Work, day: date, held: list[HeldReversal], *, is_closing: bool) -> list[int]:
    """Decide held reversals whose line is decided by now, or did not come by the end of the date.

    Returns the entries that are done.
    """
    if not held:
        return []
    known = await _load(work, [one.item for one in held])
    batch = await _batch(work, known, day)
    rows: list[tuple[Any, ...]] = []
    done: list[int] = []
    later: list[tuple[Any, ...]] = []
    for entry, held_for, year, item in held:
        waits = _waits_behind(work, known, item, is_closing=is_closing)
        if waits is not None:
            work.lanes[item.lane].cache.reversing.add(item.key)
            if year == NO_YEAR != waits[2]:
                await work.connection.execute(store_reversals.MOVE_BEHIND, item.lane, entry, WAITING, waits[2])
                receipts.say_held(work, item, WAITING, again=True)
            continue
        line = known.lines.get(item.line_identity)
        # One that overtook its line stands before it here, and the line may have been freed for a later date.
        item.trade_date = decided_for = day if line is None else max(day, line.row["trade_date"])
        work.count(item.lane, item.topic, decided_for, "held", -1)
        work.count(item.lane, item.topic, decided_for, "decided")
        booked = _record_reversal(work, batch, rows, item, line)
        later += _freed_later(item, entry, held_for, booked)
        done.append(entry)
    await _save(work, batch, rows, later)
    await store.decide_held(work.connection, batch.identities)
    return done


# -- at the close of a date ------------------------------------------------------------------------------------------


async def settle_date(work: Work, lane: int, day: date) -> None:
    """Say of each reversal of ``day`` whether its line is still to be released, or its money is taken back."""
    connection = work.connection
    await connection.execute(store_reversals.NAME_GENESIS_LINES, day, lane)
    await connection.execute(store_reversals.SETTLE, day, lane)
    invariant(not await connection.fetchval(store_reversals.UNSETTLED, day, lane), "a reversed line is in its run")
    await connection.execute(store_reversals.RELEASE_LESS, day, lane)


async def ask_to_take_back(work: Work, day: date) -> None:
    """Ask the lanes that have any to send their reversals of ``day`` on (builder only)."""
    for row in await work.connection.fetch(store_reversals.ANY_TAKEN_BACK, day):
        work.add_task(row["lane"], "day", day, "take_back", {}, work.now(0))


async def take_back(work: Work, task: Task) -> int | None:
    """Send one slice of the reversals whose lines were released on earlier dates; the position is the last entry."""
    rows = await work.connection.fetch(
        store_reversals.TAKEN_BACK, task.trade_date, task.lane, task.position or 0, REVERSALS_PER_SLICE
    )
    for start in range(0, len(rows), REVERSALS_PER_RECORD):
        _say_taken_back(work, task, rows[start : start + REVERSALS_PER_RECORD])
    return rows[-1]["entry"] if len(rows) == REVERSALS_PER_SLICE else None


def _say_taken_back(work: Work, task: Task, rows: list[Any]) -> None:
    batch = ReversedBatch(
        trade_date=task.trade_date.isoformat(),
        rule_set=RULE_SET,
        plan_ids=[row["plan_id"] for row in rows],
        participants=[row["participant_id"] for row in rows],
        buckets=[row["bucket"] for row in rows],
        causes=[row["identity"].hex for row in rows],
        reverses=[row["line"].hex for row in rows],
        released_for=[row["released_for"].isoformat() for row in rows],
        sources=[row["sources"] for row in rows],
        cents=[row["cents"] for row in rows],
        traces=[row["trace"] for row in rows] if any(row["trace"] for row in rows) else None,
        forfeits=[row["forfeits"] for row in rows] if any(row["forfeits"] for row in rows) else None,
    )
    work.emit(
        task.lane,
        CONTRIBUTIONS_RELEASED.name,
        key=None,
        ce_type=TAKEN_BACK,
        ce_id=f"contribution/{task.lane}/{task.trade_date.isoformat()}/{rows[0]['identity'].hex}/reversal",
        value=msgspec.json.encode(batch),
        recorded_at=task.recorded_at,
    )


async def released_less(work: Work, lane: int, dated: date, rows: list[Any]) -> dict[Any, dict[str, int]]:
    """What reversals before the release took of the lines of one slice: cents by line and source."""
    taken: dict[Any, dict[str, int]] = {}
    found = await work.connection.fetch(
        store_reversals.RELEASED_LESS_OF, dated, lane, rows[0]["entry"], rows[-1]["entry"]
    )
    for row in found:
        of_line = taken.setdefault(row["line"], {})
        for source, cents in zip(row["sources"], row["cents"], strict=True):
            of_line[source] = of_line.get(source, 0) + cents
    return taken

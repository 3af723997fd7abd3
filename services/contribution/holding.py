"""Held lines: tried again when a fact came, rejected when a date ends, booked or withdrawn by an operator."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from asyncpg.pgproto.pgproto import UUID

from services.contribution import handlers, receipts, store
from services.contribution.handlers import (
    UNKNOWN_NAME,
    Batch,
    answer_known,
    decide_item,
    load_batch,
    record_decision,
)
from services.contribution.items import LineItem, ReversalRequest
from services.contribution.metrics import count_lines
from services.contribution.reversing import WAITING, HeldReversal, free_reversals
from services.contribution.rules.limits import reviewed_limits
from services.contribution.rules.line import LIMITS_NOT_LOADED, LineDecision, refuse_line
from services.contribution.waiting import LaneCache, Trial, key_of
from shared.events.topics import LIMITS
from shared.runtime.applying import OUR_FAULT
from shared.runtime.copying import copy_rows
from shared.runtime.logs import error_text, get_logger
from shared.runtime.records import PublicRecord
from shared.runtime.work import Work
from shared.values.hashing import bucket_of
from shared.values.identity import identity_of
from shared.values.trading_days import next_trading_day

log = get_logger(__name__)

HELD_PER_PAGE = 2_000
"""Read at once: a year without limits may hold every line of a lane."""
HELD_PER_TRANSACTION = 8_000
"""Tried in one, of all lanes together; when the limits come, every line of a worker may be decided."""


class Held(NamedTuple):
    """A held line with the date and the code it was last tried with."""

    entry: int
    code: str
    held_for: date
    item: LineItem


async def accept_lines(work: Work, items: list[LineItem]) -> None:
    """Decide payroll lines, and the reversals that overtook them on the way from another partition."""
    await handlers.accept_lines(work, items)
    for number, lane in work.lanes.items():
        if lane.cache.reversing:
            people = lane.cache.reversing & {item.key for item in items if item.lane == number}
            if people:
                await free_held(work, number, people=people)


async def free_held(work: Work, lane: int, people: Collection[str]) -> None:
    """Decide at once what is held of a few people and can be decided now: something was said of them."""
    cache: LaneCache = work.lanes[lane].cache
    trial = Trial(work.facts.changes, people=people) if cache.holds_of(people) else None
    while trial is not None:
        trial = await _go_on(work, lane, trial, HELD_PER_PAGE)


async def try_held(work: Work, lane: int, closing: date | None = None) -> bool:
    """Decide what is held and can be decided now, as much as one transaction may; true when all of it was tried.

    With ``closing`` the date ends: its lines that still name an unknown plan or participant are rejected.
    """
    cache: LaneCache = work.lanes[lane].cache
    if cache.trial is None or cache.trial.closing != closing:
        cache.trial = Trial(work.facts.changes, closing) if cache.holds_anything else None
    changes = work.facts.changes if cache.trial is None else cache.trial.changes
    while cache.trial is not None:
        room = min(HELD_PER_PAGE, HELD_PER_TRANSACTION - work.backlog_done)
        if room <= 0:
            return False
        cache.trial = await _go_on(work, lane, cache.trial, room)
    cache.tried_changes = changes
    return True


async def _go_on(work: Work, lane: int, trial: Trial, lines_max: int) -> Trial | None:
    """Try one page; returns the trial to go on with, if any.

    What overtook its line is held before it, so it is tried again once more is decided.
    """
    cache: LaneCache = work.lanes[lane].cache
    statement, people = (store.SELECT_HELD, ()) if trial.people is None else (store.SELECT_HELD_OF, (trial.people,))
    rows = await work.connection.fetch(statement, lane, trial.last, lines_max, *people)
    is_last = len(rows) < lines_max
    if rows:
        await _try_page(work, lane, trial, rows, is_whole=is_last and trial.last < 0)
    if not is_last:
        return trial
    overtaken = cache.reversing if trial.people is None else cache.reversing & set(trial.people)
    return Trial(trial.changes, trial.closing, overtaken) if trial.freed and overtaken else None


async def _try_page(work: Work, lane: int, trial: Trial, rows: list[Any], *, is_whole: bool) -> None:
    """Decide what can be decided of one page. Others of its participants may be held before it, or after."""
    cache: LaneCache = work.lanes[lane].cache
    first, last = rows[0]["entry"], rows[-1]["entry"]
    people = {row["participant_id"] for row in rows}
    beside = [] if is_whole else await work.connection.fetch(store.HELD_BESIDE, lane, first, last, list(people))
    waiting, reversing = cache.waiting, cache.reversing
    cache.waiting = {key_of(row) for row in beside if row["kind"] == "line" and not row["is_later"]}
    cache.reversing = set()
    done = await _free_page(work, _by_day(work, rows, trial.behind), trial.closing)
    await work.connection.execute(store.DELETE_HELD, lane, done)
    await _date_behind(work, lane, rows, beside)
    for row in beside:
        cache.note(row)
    waiting.difference_update(map(key_of, rows))
    cache.waiting, cache.reversing = waiting | cache.waiting, (reversing - people) | cache.reversing
    trial.last = last
    trial.freed += len(done)
    work.backlog_done += len(rows)


async def _date_behind(work: Work, lane: int, rows: list[Any], beside: list[Any]) -> None:
    """Lines of later pages keep the date of what they wait behind: perhaps another worker decides them."""
    dates: dict[store.YearKey, date] = {}
    for row in rows:
        dates[key_of(row)] = max(_held_for(row), dates.get(key_of(row), date.min))
    earlier = {
        key_of(row): dates[key_of(row)]
        for row in beside
        if row["kind"] == "line" and row["is_later"] and row["first_for"] < dates.get(key_of(row), date.min)
    }
    if earlier:
        columns = map(list, zip(*((*key, day) for key, day in earlier.items()), strict=True))
        await work.connection.execute(store.DATE_BEHIND, lane, rows[-1]["entry"], *columns)


def _held_for(row: Mapping[str, Any]) -> date:
    """The earliest date of what is held, by what was said of it alone."""
    days: tuple[date | None, ...] = (row["trade_date"], row["resolved_for"], row["not_before"])
    return max(day for day in days if day is not None)


async def _free_page(work: Work, by_day: dict[date, list[Held | HeldReversal]], closing: date | None) -> list[int]:
    """Decide one page of what is held, date by date; returns the entries that are done."""
    done: list[int] = []
    for day in sorted(by_day):
        is_closing = closing is not None and day <= closing
        for _, run in groupby(by_day[day], key=type):
            held = list(run)
            done += await _free_date(work, day, [one for one in held if isinstance(one, Held)], is_closing)
            reversals = [one for one in held if isinstance(one, HeldReversal)]
            done += await free_reversals(work, day, reversals, is_closing=is_closing)
    return done


def _by_day(work: Work, rows: list[Any], behind: dict[store.YearKey, date]) -> dict[date, list[Held | HeldReversal]]:
    """What is held, by the date it would be decided for: nothing is dated before what it waits ``behind``."""
    by_day: dict[date, list[Held | HeldReversal]] = {}
    for row in rows:
        key = (row["participant_id"], row["plan_id"], row["year"])
        day = behind.get(key, date.min)
        one: Held | HeldReversal
        if row["kind"] == "line":
            item = msgspec.msgpack.decode(row["item"], type=LineItem)
            item.resolution = row["resolution"]
            behind[key] = item.trade_date = day = max(_freed_on(work, item, row), day)
            one = Held(row["entry"], row["code"], row["trade_date"], item)
        else:
            behind[key] = day = max(row["trade_date"], day)
            reversal = msgspec.msgpack.decode(row["item"], type=ReversalRequest)
            one = HeldReversal(row["entry"], row["trade_date"], row["year"], reversal)
        by_day.setdefault(day, []).append(one)
    return by_day


def _freed_on(work: Work, item: LineItem, row: Mapping[str, Any]) -> date:
    """Freed money takes the date of what freed it: limits loaded, or an operator's word, after the line's own date.

    Never one that the lane has read: what was left undecided then is added up with the date that is open now.
    """
    held_for, year, since = _held_for(row), item.line.pay_date.year, None
    # Also what waited behind such a line, whether that was decided just now or by a worker that has ended since.
    if row["code"] == LIMITS_NOT_LOADED or (row["code"] == WAITING and year not in reviewed_limits()):
        since = work.facts.since(LIMITS.name, str(year))
    last_read = work.lanes[item.lane].cycles["day"].last_read
    return max(held_for, since or held_for, held_for if last_read is None else next_trading_day(last_read))


async def _free_date(work: Work, day: date, held: list[Held], is_closing: bool) -> list[int]:
    """Decide one date's held lines; those that can't be yet wait on. Returns the entries that are done."""
    if not held:
        return []
    batch = await load_batch(work, [one.item for one in held], day)
    done: list[int] = []
    later: list[tuple[Any, ...]] = []
    waiting: list[tuple[Held, str]] = []
    for one in held:
        item, outcome = one.item, _outcome(work, batch, one, day, is_closing)
        if isinstance(outcome, str):
            work.lanes[item.lane].cache.waiting.add(item.waits_behind)
            waiting += [(one, outcome)] if outcome != one.code else []
            continue
        work.count(item.lane, item.topic, day, "held", -1)
        record_decision(work, batch, item, bucket_of(item.key), outcome)
        done.append(one.entry)
        if day > one.held_for:
            later.append(
                (item.lane, one.entry, UUID(item.identity), item.line.plan_id, item.line.payroll_id, item.cents,
                 one.held_for, day)
            )  # fmt: skip
    await _wait_on(work, waiting)
    connection = work.connection
    count_lines(work, batch.journal)
    await copy_rows(connection, "journal", store.JOURNAL_COLUMNS, batch.journal)
    await copy_rows(connection, "freed_lines", store.FREED_COLUMNS, later)
    await store.save_years(connection, batch.changed, batch.marks)
    await store.decide_held(connection, batch.identities)
    return done


def _outcome(work: Work, batch: Batch, one: Held, day: date, is_closing: bool) -> LineDecision | str:
    """The line's decision, or the code of what it waits for.

    What the rules cannot decide waits on: it was let in, so nobody parks it, and an error would stop all lanes here.
    """
    try:
        outcome = decide_item(work, batch, one.item, day)
    except OUR_FAULT as failure:
        log.error("held_line_undecided", lane=one.item.lane, entry=one.entry, error=error_text(failure))
        return one.code
    if outcome in UNKNOWN_NAME and is_closing:
        return refuse_line(one.item.line, str(outcome), batch.year_to_date(one.item.waits_behind))
    return outcome


async def _wait_on(work: Work, waiting: list[tuple[Held, str]]) -> None:
    """Say what a line waits for now, where that has changed."""
    by_lane: dict[int, list[tuple[Held, str]]] = {}
    for one, code in waiting:
        by_lane.setdefault(one.item.lane, []).append((one, code))
        receipts.say_held(work, one.item, code, again=True)
    for lane, moved in by_lane.items():
        entries, codes = [one.entry for one, _ in moved], [code for _, code in moved]
        await work.connection.execute(store.MOVE_HELD, lane, entries, codes)


async def free_if_facts_changed(work: Work) -> bool:
    """Try the held lines again after a plan or a year's limits became known; true when there are more to try."""
    has_more = False
    for number, lane in work.lanes.items():
        cache: LaneCache = lane.cache
        if cache.trial is None:
            is_due = cache.holds_anything and cache.tried_changes != work.facts.changes
        else:
            is_due = cache.trial.closing is None  # A date that ends goes on by itself.
        if is_due:
            has_more |= not await try_held(work, number)
    return has_more


# -- an operator's word on a repeat ----------------------------------------------------------------------------------


async def resolve_repeats(work: Work, items: list[PublicRecord]) -> None:
    """Book or withdraw lines that are held because they say the same as an earlier one; one answer per request."""
    for item in items:
        bucket = bucket_of(item.key)
        resolved = identity_of(item.key, item.body.get("line_source") or item.ce_source, item.body["resolves"])
        known = await store.find_identities(work.connection, [bucket, bucket], [item.identity, resolved])
        if work.guards.identity.known(known, item.identity):
            answer_known(work, None, item, known[item.identity])
            continue
        held = known.get(resolved)
        found = held is not None and held.status == "h" and await work.connection.fetchval(
            store.RESOLVE_HELD, item.lane, held.entry, item.body["action"], item.trade_date
        )  # fmt: skip
        number = work.next_entry(item.lane)
        letter = receipts.INSTRUCTION if found else receipts.REFUSED_INSTRUCTION
        row = (bucket, UUID(item.identity), UUID(item.body_hash), item.trade_date, number, letter, 0, 0)
        await copy_rows(work.connection, "identities", store.IDENTITY_COLUMNS, [row])
        work.count(item.lane, item.topic, item.trade_date, "decided")
        receipts.say_instruction(work, item, is_obeyed=bool(found))
        if found:
            await free_held(work, item.lane, people={item.key})

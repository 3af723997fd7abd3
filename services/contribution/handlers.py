"""Load, decide, save, say: payroll lines, a batch of one business date at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import msgspec
from asyncpg.pgproto.pgproto import UUID

from services.contribution import receipts, store
from services.contribution.items import LineItem
from services.contribution.metrics import count_lines
from services.contribution.rules.intake import Line, has_negative
from services.contribution.rules.limits import Limits, reviewed_limits
from services.contribution.rules.line import (
    HELD,
    INVALID_AMOUNT,
    LIMITS_NOT_LOADED,
    LineDecision,
    decide_line,
    refuse_line,
)
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import plan_rules_of
from services.contribution.rules.records import NOTHING_YET, YearToDate, year_to_date_at_start
from services.contribution.rules.repeats import is_repeat, line_mark
from shared.events.topics import LIMITS, PLANS
from shared.runtime.copying import copy_rows
from shared.runtime.records import PublicRecord
from shared.runtime.work import Work
from shared.values.hashing import murmur2_many

RULE_SET = "2026.1"
_json = msgspec.json.Encoder().encode
_CAUSE = store.JOURNAL_COLUMNS.index("cause")
_POSTED = slice(store.JOURNAL_COLUMNS.index("accounts"), store.JOURNAL_COLUMNS.index("detail") + 1)
UNKNOWN_NAME = ("UNKNOWN_PLAN", "UNKNOWN_PARTICIPANT")
REPEATED, WITHDRAW = "DUPLICATE_PAYROLL_LINE", "withdraw"


class PlanTerms:
    """A plan's terms as the rules need them, made once per fact version."""

    __slots__ = ("holds_mismatches", "rules", "trade_on")

    def __init__(self, body: dict[str, Any]) -> None:
        self.rules = plan_rules_of(body["plan_id"], body)
        self.trade_on = body["trade_on"]
        self.holds_mismatches = body.get("on_totals_mismatch") != "trade"


def check_plan(fact: Any) -> None:
    """Raise ``ValueError`` for terms that no rule can follow."""
    plan_rules_of(fact.plan_id, fact.model_dump(mode="json"))


class Batch:
    """What a batch is decided from, and the rows it makes, so that each table is read and written once."""

    def __init__(
        self,
        people: dict[tuple[str, str], Participant],
        years: dict[store.YearKey, YearToDate],
        marks: dict[store.YearKey, bytes],
    ) -> None:
        self.people, self.years, self.marks = people, years, marks
        self.changed: dict[store.YearKey, tuple[int, int, YearToDate]] = {}
        self.journal: list[tuple[Any, ...]] = []
        self.identities: list[tuple[Any, ...]] = []
        self.held: list[tuple[Any, ...]] = []
        self.decided: dict[bytes, store.Decided] = {}
        """What was decided of requests that came again."""

    def first_decision(self, identity: bytes) -> store.Decided | None:
        """What was decided of a request before, perhaps in this very batch; nothing of one that is held."""
        cause = UUID(identity)
        own = (row for row in reversed(self.journal) if row[_CAUSE] == cause)
        return self.decided.get(identity) or next((store.Decided(*row[_POSTED]) for row in own), None)

    def year_to_date(self, key: store.YearKey) -> YearToDate:
        """The accumulators before the next line; a year begins with the opening that the census gave."""
        known = self.years.get(key)
        if known is None:
            person = self.people.get(key[:2])
            known = NOTHING_YET if person is None else year_to_date_at_start(person, key[2])
            # Kept, so that a line which moves nothing is seen to: an empty year would hide an opening that comes later.
            self.years[key] = known
        return known

    def move(self, key: store.YearKey, bucket: int, lane: int, after: YearToDate) -> None:
        """The accumulators after a line."""
        self.years[key] = after
        self.changed[key] = (bucket, lane, after)


async def load_batch(work: Work, items: list[LineItem], day: date) -> Batch:
    """Read the participants as they are for ``day`` and their years so far."""
    people = await store.find_participants(
        work.connection, ((item.line.participant_id, item.line.plan_id) for item in items), day
    )
    years, marks = await store.find_years(work.connection, (item.waits_behind for item in items))
    return Batch(people, years, marks)


async def accept_lines(work: Work, items: list[LineItem]) -> None:
    """Decide payroll lines of one date: identity, names, the law; record and answer each."""
    buckets = [hashed % 4096 for hashed in murmur2_many([item.key.encode() for item in items])]
    known = await store.find_identities(work.connection, buckets, [item.identity for item in items])
    batch = await load_batch(work, items, items[0].trade_date)
    batch.decided = await find_decided(work, items, known)
    for item, bucket in zip(items, buckets, strict=True):
        if work.guards.identity.known(known, item.identity):
            answer_known(work, batch, item, known[item.identity])
            continue
        outcome = decide_item(work, batch, item, item.trade_date)
        if isinstance(outcome, str):
            _hold(work, batch, item, bucket, outcome)
        else:
            record_decision(work, batch, item, bucket, outcome)
        known[item.identity] = remember(batch.identities[-1])
    await _save(work, batch)


def remember(row: tuple[Any, ...]) -> store.Known:
    """A row of ``identities`` as it will be found the next time."""
    return store.Known(row[2].bytes, row[5].decode(), row[6], row[7], row[3], row[4])


async def find_decided(
    work: Work, items: Iterable[LineItem | PublicRecord], known: Mapping[bytes, store.Known]
) -> dict[bytes, store.Decided]:
    """The first decisions of those items that came before with the same body."""
    if not known:
        return {}
    again = ((item, known.get(item.identity)) for item in items)
    same = ((item.lane, one) for item, one in again if one is not None and one.body_hash == item.body_hash)
    return await store.find_decisions(work.connection, same)


def answer_known(work: Work, batch: Batch | None, item: LineItem | PublicRecord, known: store.Known) -> None:
    """Count a request that came before, and answer it with what was decided then."""
    same = known.body_hash == item.body_hash
    work.count(item.lane, item.topic, item.trade_date, "duplicates" if same else "mismatches")
    receipts.say_known(work, item, known, batch.first_decision(item.identity) if same and batch is not None else None)


def decide_item(work: Work, batch: Batch, item: LineItem, day: date) -> LineDecision | str:
    """The line's decision for ``day``, or the code of what it waits for."""
    line, key = item.line, item.waits_behind
    before = batch.year_to_date(key)
    refused = _refused_as_sent(item)
    if refused is not None:
        return refuse_line(line, refused, before)
    plan = work.facts.get(PLANS.name, line.plan_id, day)
    person = batch.people.get((line.participant_id, line.plan_id))
    if plan is None or person is None:
        return "UNKNOWN_PLAN" if plan is None else "UNKNOWN_PARTICIPANT"
    if key in work.lanes[item.lane].cache.waiting:
        return "WAITING_FOR_EARLIER_LINE"
    mark, marks = line_mark(line, item.identity), batch.marks.get(key, b"")
    if item.resolution is None and is_repeat(marks, mark):
        # What is refused anyway waits for nobody's word; its pay has counted the first time.
        return refuse_line(line, INVALID_AMOUNT, before) if has_negative(line) else REPEATED
    decision = decide_line(line, plan.rules, person, limits_for(work, line.pay_date.year, day), before)
    if decision.status == HELD:
        return LIMITS_NOT_LOADED
    batch.marks[key] = marks + mark
    return decision


def _refused_as_sent(item: LineItem) -> str | None:
    """The code of a line that is refused whatever plan, person and limits are."""
    if item.line.participant_id != item.key:
        return "KEY_MISMATCH"
    return REPEATED if item.resolution == WITHDRAW else None


def limits_for(work: Work, year: int, day: date) -> Limits | None:
    """The year's limits: a fact where one was loaded, else the reviewed table that ships with the engine."""
    loaded: Limits | None = work.facts.get(LIMITS.name, str(year), day)
    return loaded or reviewed_limits().get(year)


def record_decision(work: Work, batch: Batch, item: LineItem, bucket: int, decision: LineDecision) -> None:
    """One journal row: what payroll owes against what each source is credited, with the limits it used."""
    line, lane = item.line, item.lane
    number = work.next_entry(lane)
    recorded_at = work.at(lane, item.recorded_at)
    accounts, amounts = [source for source, _ in decision.credited], [cents for _, cents in decision.credited]
    accounts.append("receivable")
    amounts.append(-sum(amounts))
    identity = UUID(item.identity)
    batch.journal.append(
        (
            item.trade_date, lane, number, recorded_at, "line", bucket, line.plan_id, line.participant_id, identity,
            RULE_SET, item.trace, None, accounts, amounts, _detail(line, decision), line.payroll_id, line.pay_date,
            line.compensation, decision.accepted_cents + decision.rejected_cents, decision.rejected_cents,
            _json(decision.limit_uses).decode() if decision.limit_uses else None,
        )
    )  # fmt: skip
    batch.identities.append(
        (bucket, identity, UUID(item.body_hash), item.trade_date, number, receipts.LETTER[decision.status].encode(),
         decision.accepted_cents, decision.rejected_cents)
    )  # fmt: skip
    if moves_year(batch, item, decision):
        batch.move(item.waits_behind, bucket, lane, decision.year_to_date)
    work.count(lane, item.topic, item.trade_date, "decided")
    receipts.say_final(work, item, decision)


def moves_year(batch: Batch, item: LineItem, decision: LineDecision) -> bool:
    """Say whether the year's row is to be written: its accumulators moved, or the line leaves its mark there.

    A line under somebody else's key moves nothing: that year is another lane's to write, perhaps at this very moment.
    """
    if item.line.participant_id != item.key:
        return False
    # A restored forfeiture counts toward no limit, and must be known again all the same.
    return decision.year_to_date is not batch.years.get(item.waits_behind) or item.line.employer_money is not None


def _detail(line: Line, decision: LineDecision) -> str | None:
    """What the amounts don't say: cuts, notes, relabels, and what a reversal of catch-up or match needs to know.

    `asked`, where deferrals may have been relabelled to Roth: only then do credits and cuts not say what was sent.
    """
    record = decision.record
    is_plain = record is None or not (record.match_cents or any(part.catch_up_cents for part in record.parts))
    if is_plain and not (decision.cuts or decision.notes or decision.relabels or line.employer_money):
        return None
    parts = {"cuts": decision.cuts, "notes": decision.notes, "relabels": decision.relabels}
    kept: dict[str, Any] = {name: value for name, value in parts.items() if value}
    if line.employer_money:
        kept["employer_money"] = line.employer_money
    if record is not None and not is_plain:
        kept["record"] = record
        if any(part.source == "roth" and part.catch_up_cents for part in record.parts):
            kept["asked"] = line.amounts
    return _json(kept).decode()


def _hold(work: Work, batch: Batch, item: LineItem, bucket: int, reason: str) -> None:
    """Keep the line until what it lacks is known; those behind it wait too."""
    number = work.next_entry(item.lane)
    line = item.line
    batch.held.append(
        (item.lane, number, item.trade_date, line.plan_id, line.participant_id, line.payroll_id, line.pay_date.year,
         reason, item.cents, work.at(item.lane, item.recorded_at), msgspec.msgpack.encode(item))
    )  # fmt: skip
    batch.identities.append((bucket, UUID(item.identity), UUID(item.body_hash), item.trade_date, number, b"h", 0, 0))
    work.lanes[item.lane].cache.waiting.add(item.waits_behind)
    work.count(item.lane, item.topic, item.trade_date, "held")
    receipts.say_held(work, item, reason)


async def _save(work: Work, batch: Batch) -> None:
    count_lines(work, batch.journal)
    await copy_rows(work.connection, "journal", store.JOURNAL_COLUMNS, batch.journal)
    await copy_rows(work.connection, "identities", store.IDENTITY_COLUMNS, batch.identities)
    await copy_rows(work.connection, "held_lines", store.HELD_COLUMNS, batch.held)
    await store.save_years(work.connection, batch.changed, batch.marks)

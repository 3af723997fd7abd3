"""First part of the proof: each record of the date in the public logs has one outcome; payroll's cents are whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
from asyncpg.pgproto.pgproto import UUID

from deploy.operate import store_intake
from deploy.operate.books import Book, Books
from deploy.operate.cutlog import DateBounds, DatedLog, DateReader
from deploy.operate.equations import Equation, agree, none_of
from shared.events.payroll import Contribution
from shared.events.topics import (
    CONTRIBUTIONS_REROUTED,
    CUSTODIAN_CONFIRMATIONS,
    PARTICIPANT_CENSUS,
    PARTICIPANT_REQUESTS,
    PAYROLL_CONTRIBUTIONS,
    REQUESTS_REROUTED,
)
from shared.runtime.errors import PoisonMessage
from shared.runtime.records import PublicRecord, Record, public_record
from shared.runtime.settings import Settings
from shared.values.hashing import bucket_of
from shared.values.trading_days import cutoff_at

OUTCOMES = (
    "decided", "duplicates", "mismatches", "held", "parked", "dead_lettered", "forwarded", "markers", "holes",
)  # fmt: skip
REROUTED_FROM = {
    CONTRIBUTIONS_REROUTED.name: (PAYROLL_CONTRIBUTIONS.name, PARTICIPANT_CENSUS.name),
    REQUESTS_REROUTED.name: (PARTICIPANT_REQUESTS.name,),
}
LINE_TOPICS = (PAYROLL_CONTRIBUTIONS.name, CONTRIBUTIONS_REROUTED.name)

Counts = dict[str, Counter[int]]
"""Outcome to records by lane."""
Run = tuple[str, str]
"""(plan, payroll)."""


async def bounds_of(books: Books, config: Settings, day: date) -> DateBounds:
    """The cuts around ``day``, as trading marked them."""
    before = await books.trading.row(store_intake.CUT_BEFORE, day)
    if before is None:
        return DateBounds(day, None, None, None)
    cutoff = cutoff_at(before["trade_date"]) if config.market_mode == "on" else None
    return DateBounds(day, before["trade_date"], before["marked_at"], cutoff)


async def prove_intake(books: Books, config: Settings, day: date) -> list[Equation]:
    """All equations between the public logs and what the services say they did with them."""
    bounds = await bounds_of(books, config, day)
    payroll = await PayrollDay.open(books.contribution, day, bounds.labels)
    counted: dict[str, Counts] = {}
    equations: list[Equation] = []
    for book, topic in (
        (books.contribution, PAYROLL_CONTRIBUTIONS.name),
        (books.contribution, PARTICIPANT_CENSUS.name),
        (books.allocation, PARTICIPANT_REQUESTS.name),
        (books.trading, CUSTODIAN_CONFIRMATIONS.name),
    ):
        visit = payroll.take if topic == PAYROLL_CONTRIBUTIONS.name else _pass_by
        logs = await DateReader(config, topic, bounds).read(visit)
        counted[topic] = await _counts(book, topic, day)
        equations += offset_equations(topic, logs, counted[topic])
    for topic, sources in REROUTED_FROM.items():
        book = books.allocation if topic == REQUESTS_REROUTED.name else books.contribution
        counted[topic] = await _counts(book, topic, day)
        sent = sum(counted[source]["forwarded"].total() for source in sources)
        equations.append(Equation(f"forwarded = outcomes in {topic}", sent, _outcomes(counted[topic])))
    equations += payroll.outcome_equations(counted)
    return equations + await payroll.money_equations()


async def _pass_by(_records: Sequence[Record]) -> None:
    """Only counted."""


async def _counts(book: Book, topic: str, day: date) -> Counts:
    counts: Counts = {outcome: Counter() for outcome in ("offsets", *OUTCOMES)}
    for row in await book.rows(store_intake.COUNTS, topic, day):
        counts.setdefault(row["outcome"], Counter())[row["lane"]] += row["records"]
    return counts


def _outcomes(counts: Counts) -> int:
    return sum(counts[outcome].total() for outcome in OUTCOMES)


def offset_equations(topic: str, logs: Sequence[DatedLog], counts: Counts) -> list[Equation]:
    """What stands between the cuts, partition by partition, against what the owner of each lane counted."""
    equations = agree(
        f"offsets between the cuts of {topic} = counted",
        {log.partition: log.offsets for log in logs},
        counts["offsets"],
    )
    equations.append(Equation(f"counted offsets of {topic} = outcomes", counts["offsets"].total(), _outcomes(counts)))
    equations += agree(f"markers in {topic} = counted", {log.partition: log.markers for log in logs}, counts["markers"])
    return equations + agree(
        f"transaction holes in {topic} = counted", {log.partition: log.holes for log in logs}, counts["holes"]
    )


@dataclass(slots=True)
class PayrollDay:
    """Classifies each payroll record of the date by what the books say about it, and adds up what was asked for."""

    book: Book
    day: date
    labels: tuple[date, ...]
    """What the books call it; the first date is ``GENESIS`` where they were written before any cut."""
    letters: set[tuple[str, int, int]]
    parked: set[bytes]
    """Identities that were parked on this date, freed later or not."""
    freed: Counter[Run] = field(default_factory=Counter)
    """Cents that were parked earlier and freed for this date."""
    parked_cents: Counter[Run] = field(default_factory=Counter)
    """Cents parked on this date, freed later or not."""
    freed_later: set[bytes] = field(default_factory=set)
    """Identities of lines that were held over the end of this date and decided on a later one."""
    submitted: Counter[Run] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    seen: set[bytes] = field(default_factory=set)

    @classmethod
    async def open(cls, book: Book, day: date, labels: tuple[date, ...]) -> PayrollDay:
        """Load what was dead-lettered and parked."""
        letters = {(row[0], row[1], row[2]) for row in await book.rows(store_intake.LETTERS, day)}
        found = cls(book, day, labels, letters, set())
        found.freed_later = {row["identity"].bytes for row in await book.rows(store_intake.FREED_LATER, labels)}
        await found._take_parked(await book.rows(store_intake.PARKED, list(LINE_TOPICS)))
        return found

    async def _take_parked(self, rows: Sequence[Any]) -> None:
        """Count what was parked on this date; of what was freed for it each request once, the others are resends."""
        items = [(row, msgspec.msgpack.decode(row["item"])[1]) for row in rows]
        freed = [(row, item) for row, item in items if row["freed_for"] == self.day]
        known = await self._known([(item["key"], item["identity"]) for _, item in freed])
        for row, item in items:
            if row["trade_date"] == self.day:
                self.parked.add(item["identity"])
                self.parked_cents[_run_of(item)] += row["cents"]
        for row, item in freed:
            if known.pop(item["identity"], None) == (item["body_hash"], self.day):
                self.freed[_run_of(item)] += row["cents"]

    async def _known(self, asked: Sequence[tuple[str, bytes]]) -> dict[bytes, tuple[bytes, date]]:
        """Body hash and date of those requests that were decided or are held."""
        rows = await self.book.rows(
            store_intake.KNOWN_IDENTITIES,
            [bucket_of(key) for key, _ in asked],
            [UUID(identity) for _, identity in asked],
        )
        return {row["identity"].bytes: (row["body_hash"].bytes, self._dated(row["trade_date"])) for row in rows}

    def _dated(self, label: date) -> date:
        return self.day if label in self.labels else label

    async def take(self, records: Sequence[Record]) -> None:
        """Classify some records of the log, in offset order."""
        read: list[PublicRecord] = []
        for record in records:
            if record.origin in self.letters:
                self.outcomes["dead_lettered"] += 1
                continue
            try:
                read += public_record(record)
            except PoisonMessage:
                self.outcomes["lost"] += 1
        known = await self._known([(one.key, one.identity) for one in read])
        for one in read:
            self._classify(one, known.get(one.identity))

    def _classify(self, record: PublicRecord, known: tuple[bytes, date] | None) -> None:
        if record.identity in self.parked:
            self.outcomes["parked"] += 1
            self._submit(record)
        elif known is None or (known[1] > self.day and record.identity not in self.freed_later):
            self.outcomes["lost"] += 1
        elif self._is_of_today(record, known) and record.identity not in self.seen:
            self.seen.add(record.identity)
            self.outcomes["decided_or_held"] += 1
            self._submit(record)
        else:
            self.outcomes["repeated"] += 1

    def _is_of_today(self, record: PublicRecord, known: tuple[bytes, date]) -> bool:
        """Whether this is the request that was decided, or held, on this date, and no resend of one."""
        hashed, decided_for = known
        return hashed == record.body_hash and (decided_for == self.day or record.identity in self.freed_later)

    def _submit(self, record: PublicRecord) -> None:
        if record.ce_type == Contribution.ce_type:
            body = record.body
            self.submitted[body["plan_id"], body["payroll_id"]] += asked_cents(body)

    def outcome_equations(self, counted: dict[str, Counts]) -> list[Equation]:
        """Records by outcome, as found in the log and as counted by the lanes (those that were sent on included)."""

        def counts(*outcomes: str) -> int:
            return sum(counted[PAYROLL_CONTRIBUTIONS.name][outcome].total() for outcome in outcomes)

        letters = sum(1 for topic, *_ in self.letters if topic == PAYROLL_CONTRIBUTIONS.name)
        # What was sent on shares its topic with census records, so it is told apart by the log, not by the lane.
        left = sum(self.outcomes[name] for name in ("dead_lettered", "parked", "decided_or_held", "repeated"))
        right = counts("offsets") - counts("markers", "holes")
        return [
            none_of("payroll records without an outcome", self.outcomes["lost"]),
            Equation("payroll records in the log = counted records", left, right),
            Equation(
                "dead-lettered payroll records in the log = dead letters", self.outcomes["dead_lettered"], letters
            ),
        ]

    async def money_equations(self) -> list[Equation]:
        """Per payroll: what was asked for on the wire = accepted + rejected + held + parked, to the cent."""
        asked = self.submitted + self.freed
        for row in await self.book.rows(store_intake.FREED_NOW, self.day):
            asked[row["plan_id"], row["payroll_id"]] += row["cents"]
        answered: Counter[Run] = Counter(self.parked_cents)
        for row in await self.book.rows(store_intake.LINES, self.day):
            answered[row["plan_id"], row["payroll_id"]] += row["accepted"] + row["rejected"]
        for row in await self.book.rows(store_intake.HELD, self.day, self.labels):
            answered[row["plan_id"], row["payroll_id"]] += row["cents"]
        said = await self.book.row(store_intake.DECISIONS, self.labels)
        kept = await self.book.row(store_intake.JOURNALED, self.day)
        twice = await self.book.whole(store_intake.SPREAD_IDENTITIES, self.day, self.labels)
        return [
            *agree("submitted cents = accepted + rejected + held + parked", asked, answered),
            Equation("decided requests = journal lines", said["lines"], kept["lines"]),
            Equation("accepted cents of decisions = of journal lines", said["accepted"], kept["accepted"]),
            Equation("rejected cents of decisions = of journal lines", said["rejected"], kept["rejected"]),
            none_of("requests decided twice", twice),
        ]


def _run_of(item: dict[str, Any]) -> Run:
    """The run of a parked line; census records have none."""
    line = item.get("line")
    return (line["plan_id"], line["payroll_id"]) if line else ("", "")


def asked_cents(body: dict[str, Any]) -> int:
    """What a payroll line asks for: its positive cents. A negative amount rejects the line and takes off nothing."""
    return sum(amount["cents"] for amount in body.get("amounts") or () if amount["cents"] > 0)

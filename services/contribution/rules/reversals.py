"""Reverse a recorded line, wholly or in part: at most what is left of it, per source; nothing goes below zero.

A reversal names what was *recorded* (the receipt's `credited`): a deferral deemed Roth is reversed as Roth. Room in
the limits comes back, the engine's match follows, and relabels made for 415(c) are undone as far as they are no
longer needed. Payroll reversals, unlike refunds of excess, have no tax law of their own; ERISA 403(c)(2) allows them
for a mistake of fact.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from services.contribution.rules.additions import relabel_back
from services.contribution.rules.deferrals import catch_up_limit_of
from services.contribution.rules.limits import Limits
from services.contribution.rules.line import (
    ACCEPTED,
    INVALID_AMOUNT,
    PARTIALLY_ACCEPTED,
    REJECTED,
    SOURCE_NOT_IN_PLAN,
)
from services.contribution.rules.match import match_on
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PlanRules
from services.contribution.rules.records import (
    Cut,
    LimitUse,
    LineRecord,
    RecordedPart,
    Relabel,
    YearToDate,
    limit_uses,
)
from services.contribution.rules.sources import ADDITIONS, DEFERRALS
from shared.values.invariants import invariant

REVERSES_UNKNOWN, REVERSES_TOO_MUCH = "REVERSES_UNKNOWN", "REVERSES_TOO_MUCH"

Amounts = tuple[tuple[str, int], ...]


class ReversalDecision(msgspec.Struct, frozen=True, gc=False):
    """The answer to a reversal, in cents.

    `accepted_cents` and `rejected_cents` count what the reversal asked for. `debited`: what leaves the books by
    source, in text order, positive, with the engine's match that follows. `record`: what is left of the line.
    """

    status: str
    accepted_cents: int
    rejected_cents: int
    debited: tuple[tuple[str, int], ...]
    cuts: tuple[Cut, ...]
    year_to_date: YearToDate
    limit_uses: tuple[LimitUse, ...] = ()
    relabels: tuple[Relabel, ...] = ()
    record: LineRecord | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The distinct codes that cut cents, in text order."""
        return tuple(sorted({cut.code for cut in self.cuts}))


def reverse_line(
    record: LineRecord,
    amounts: Amounts | None,
    plan: PlanRules,
    participant: Participant,
    limits: Limits,
    year_to_date: YearToDate,
) -> ReversalDecision:
    """Reverse `amounts` (None = all that is left) of the line behind `record`.

    `plan` and `limits` are those the line was decided by; `year_to_date` is the state before the reversal of the
    line's own year. A line with nothing left to reverse is refused with `REVERSES_TOO_MUCH`.
    """
    limits = plan.limits(limits)
    if amounts is not None and any(cents < 0 for _, cents in amounts):
        return refuse_reversal(amounts, INVALID_AMOUNT, year_to_date, record)
    if amounts is None and not record.parts:
        return refuse_reversal((("", 0),), REVERSES_TOO_MUCH, year_to_date, record)
    taken, cuts = _taken(record, amounts)
    left = _record_after(record, taken, plan)
    match = record.match_cents - left.match_cents
    after = _accumulated_after(record, taken, match, left, year_to_date)
    after, relabels = relabel_back(limits, after)
    accepted, rejected = sum(taken.values()), sum(cut.cents for cut in cuts)
    debited = {**taken, record.match_source: match} if match else taken
    return ReversalDecision(
        ACCEPTED if not rejected else PARTIALLY_ACCEPTED if accepted else REJECTED,
        accepted,
        rejected,
        tuple(sorted((source, cents) for source, cents in debited.items() if cents)),
        cuts,
        after,
        limit_uses(limits, catch_up_limit_of(plan, participant, limits), year_to_date, after),
        relabels,
        left,
    )


def refuse_reversal(
    amounts: Amounts, code: str, year_to_date: YearToDate, record: LineRecord | None = None
) -> ReversalDecision:
    """Refuse a whole reversal with one code, such as `REVERSES_UNKNOWN` for a line that was never recorded.

    One with a negative amount asks for its positive ones.
    """
    cuts = tuple(Cut(source, max(0, cents), code) for source, cents in amounts)
    return ReversalDecision(REJECTED, 0, sum(cut.cents for cut in cuts), (), cuts, year_to_date, record=record)


def _taken(record: LineRecord, amounts: Amounts | None) -> tuple[dict[str, int], tuple[Cut, ...]]:
    """What of the asked amounts is there to take, by source, and the cuts of the rest."""
    left = {part.source: part.cents for part in record.parts}
    if amounts is None:
        return left, ()
    taken: dict[str, int] = {}
    cuts: list[Cut] = []
    for source, asked in amounts:
        cents = min(asked, left.get(source, 0))
        if cents:
            left[source] -= cents
            taken[source] = taken.get(source, 0) + cents
        if asked > cents:
            # The engine's match falls by itself; like a sent match, a sent reversal of it has no place.
            code = SOURCE_NOT_IN_PLAN if source == record.match_source else REVERSES_TOO_MUCH
            cuts.append(Cut(source, asked - cents, code))
    return taken, tuple(cuts)


def _record_after(record: LineRecord, taken: Mapping[str, int], plan: PlanRules) -> LineRecord:
    """What is left of the line: catch-up goes first, as if less had been sent, and the match is made on the rest."""
    parts = tuple(
        RecordedPart(source, cents - taken.get(source, 0), max(0, catch_up - taken.get(source, 0)))
        for source, cents, catch_up in record.parts
        if cents > taken.get(source, 0)
    )
    match = 0
    if plan.match is not None and parts:
        deferred = sum(part.cents for part in parts if part.source in DEFERRALS)
        match = min(record.match_cents, match_on(plan.match, deferred, record.counted_compensation_cents))
    # A line of which nothing is left never happened: its pay leaves the year, too.
    compensation = record.compensation_cents if parts else 0
    return LineRecord(parts, record.match_source, match, record.counted_compensation_cents, compensation)


def _accumulated_after(
    record: LineRecord, taken: Mapping[str, int], match: int, left: LineRecord, before: YearToDate
) -> YearToDate:
    catch_up = {part.source: min(part.catch_up_cents, taken.get(part.source, 0)) for part in record.parts}
    regular = {source: cents - catch_up[source] for source, cents in taken.items()}
    # Regular deferrals that were relabelled since are catch-up now: what regular can't give comes from there.
    relabelled_pre_tax = max(0, regular.get("pre_tax", 0) - before.regular_pre_tax_cents)
    relabelled_roth = max(0, regular.get("roth", 0) - before.regular_roth_cents)
    other = sum(cents for source, cents in taken.items() if source in ADDITIONS and source not in DEFERRALS)
    after = YearToDate(
        before.regular_pre_tax_cents - regular.get("pre_tax", 0) + relabelled_pre_tax,
        before.regular_roth_cents - regular.get("roth", 0) + relabelled_roth,
        before.catch_up_cents - sum(catch_up.values()) - relabelled_pre_tax - relabelled_roth,
        before.relabelled_pre_tax_cents - relabelled_pre_tax,
        before.relabelled_roth_cents - relabelled_roth,
        before.other_additions_cents - other - match,
        before.compensation_cents - record.compensation_cents + left.compensation_cents,
        before.match_cents - match,
    )
    invariant(min(msgspec.structs.astuple(after)) >= 0, "no accumulator falls below zero")
    return after

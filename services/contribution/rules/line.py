"""Decide one payroll line: sources → eligibility and employment → limits → match → record.

Partial acceptance: what fits is accepted, every other cent is cut with the code that cut it, and
accepted + rejected = requested. The same facts always give the same decision; the caller records it and never
re-derives it.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from services.contribution.rules.additions import fit_additions, with_relabels
from services.contribution.rules.deferrals import DeferralShares, catch_up_limit_of, share_deferrals
from services.contribution.rules.eligibility import NOT_ELIGIBLE, TERMINATED, refusal
from services.contribution.rules.intake import Line, has_negative
from services.contribution.rules.limits import Limits
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
from services.contribution.rules.sources import ADDITIONS, EMPLOYER, NEEDS_EMPLOYMENT, SOURCES
from shared.values.invariants import invariant

ACCEPTED, PARTIALLY_ACCEPTED, REJECTED, HELD = "accepted", "partially_accepted", "rejected", "held"
INVALID_AMOUNT, UNKNOWN_SOURCE, SOURCE_NOT_IN_PLAN = "INVALID_AMOUNT", "UNKNOWN_SOURCE", "SOURCE_NOT_IN_PLAN"
RESTORATION = "restoration"
LIMITS_NOT_LOADED, LIMIT_401A17 = "LIMITS_NOT_LOADED", "LIMIT_401A17"

# Someone not eligible gets no contribution of any kind; someone who left may still get year-end and corrective money.
_REFUSED_SOURCES = {NOT_ELIGIBLE: ADDITIONS, TERMINATED: NEEDS_EMPLOYMENT}


class LineDecision(msgspec.Struct, frozen=True, gc=False):
    """The answer to a payroll line, in cents.

    `credited`: what was recorded, by source in text order: after relabelling, with the engine's match.
    `cuts`: each refused part; they sum to `rejected_cents`. `notes`: what is worth saying but refused nothing that
    payroll sent (the engine's own match cut by 415(c), pay above 401(a)(17)).
    `record`: what a reversal needs; None when nothing was recorded.
    """

    status: str
    accepted_cents: int
    rejected_cents: int
    credited: tuple[tuple[str, int], ...]
    cuts: tuple[Cut, ...]
    notes: tuple[Cut, ...]
    year_to_date: YearToDate
    limit_uses: tuple[LimitUse, ...] = ()
    relabels: tuple[Relabel, ...] = ()
    record: LineRecord | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The distinct codes that cut cents, in text order."""
        return tuple(sorted({cut.code for cut in self.cuts}))


class _Case(NamedTuple):
    """Everything one decision is made from."""

    line: Line
    plan: PlanRules
    participant: Participant
    limits: Limits
    before: YearToDate
    counted: int
    """The pay that counts for the match, in cents: what is left under 401(a)(17)."""


class _Money(NamedTuple):
    """A line's money on its way through the limits. `other`: what no limit counts (rollovers, loan repayments)."""

    deferrals: DeferralShares
    after_tax: int
    employer: dict[str, int]
    other: dict[str, int]
    match: int
    """The engine's own match, which is also in `employer`."""


class _Remarks(NamedTuple):
    """What limits did to a line beside its amounts."""

    cuts: tuple[Cut, ...]
    notes: tuple[Cut, ...] = ()
    relabels: tuple[Relabel, ...] = ()


def decide_line(
    line: Line, plan: PlanRules, participant: Participant, limits: Limits | None, year_to_date: YearToDate
) -> LineDecision:
    """Decide `line` by the rules of its plan and the limits of its pay date's year.

    `limits` None = none loaded for that year: the line is held, also one that a source or employment would refuse,
    so that the day of its decision is that of the limits and not of whatever plan or census fact came in between.
    `year_to_date` holds the accumulators of this participant, plan and year before the line.
    """
    if has_negative(line):
        return _refused_with_pay(line, plan, limits, year_to_date)
    kept, cuts = _admit(line, plan, participant)
    if line.employer_money == RESTORATION:
        return _restored(kept, cuts, year_to_date)
    if limits is None:
        return hold_line(LIMITS_NOT_LOADED, year_to_date)
    if plan.short_years:
        limits = plan.limits(limits)
    case = _Case(line, plan, participant, limits, year_to_date, _counted(line, limits, year_to_date))
    money, deferral_cuts = _within_402g_with_match(case, kept)
    return _within_415(case, money, cuts + deferral_cuts)


def refuse_line(line: Line, code: str, year_to_date: YearToDate) -> LineDecision:
    """Refuse every part of a line with one code; nothing of it moves `year_to_date`.

    A line with a negative amount asks for its positive ones.
    """
    cuts = tuple(Cut(source, max(0, cents), code) for source, cents in line.amounts) or (Cut("", 0, code),)
    return LineDecision(REJECTED, 0, sum(cut.cents for cut in cuts), (), cuts, (), year_to_date)


def _refused_with_pay(line: Line, plan: PlanRules, limits: Limits | None, before: YearToDate) -> LineDecision:
    """Refuse a line for a negative amount: its pay was paid all the same, so it uses up the cap (401(a)(17))."""
    after = msgspec.structs.replace(before, compensation_cents=before.compensation_cents + line.compensation)
    uses: tuple[LimitUse, ...] = ()
    if plan.match is not None and limits is not None:
        limits = plan.limits(limits)
        uses = (_pay_use(limits, before, _counted(line, limits, before)),)
    return msgspec.structs.replace(refuse_line(line, INVALID_AMOUNT, after), limit_uses=uses)


def _counted(line: Line, limits: Limits, before: YearToDate) -> int:
    return max(0, min(line.compensation, limits.compensation_cents - before.compensation_cents))


def hold_line(code: str, year_to_date: YearToDate) -> LineDecision:
    """Hold a line: 0 accepted, 0 rejected, until what `code` names is there."""
    return LineDecision(HELD, 0, 0, (), (), (Cut("", 0, code),), year_to_date)


def _admit(line: Line, plan: PlanRules, participant: Participant) -> tuple[dict[str, int], tuple[Cut, ...]]:
    """Part a line into what may come in, by source, and what sources, plan or employment refuse."""
    refused = refusal(plan.eligibility, plan.post_severance_days, participant, line.pay_date)
    admitted = plan.admitted
    if line.employer_money is not None:
        admitted = plan.sources & EMPLOYER
        refused = None if refused == TERMINATED else refused  # It is for the year's work, whoever left since.
    kept: dict[str, int] = {}
    cuts: list[Cut] = []
    for source, cents in line.amounts:
        if source not in admitted:
            code = SOURCE_NOT_IN_PLAN if source in SOURCES else UNKNOWN_SOURCE
        elif refused is not None and source in _REFUSED_SOURCES[refused]:
            code = refused
        else:
            kept[source] = kept.get(source, 0) + cents
            continue
        if cents:
            cuts.append(Cut(source, cents, code))
    return kept, tuple(cuts)


def _restored(kept: dict[str, int], cuts: tuple[Cut, ...], before: YearToDate) -> LineDecision:
    """A restored forfeiture is no annual addition, so no limit counts it (Reg. 1.415(c)-1(b)(2)(ii)(B))."""
    parts = tuple(RecordedPart(source, cents, 0) for source, cents in sorted(kept.items()) if cents)
    accepted, rejected = sum(kept.values()), sum(cut.cents for cut in cuts)
    status = ACCEPTED if not rejected else PARTIALLY_ACCEPTED if accepted else REJECTED
    record = LineRecord(parts, "", 0, 0, 0) if parts else None
    credited = tuple((source, cents) for source, cents, _ in parts)
    return LineDecision(status, accepted, rejected, credited, cuts, (), before, record=record)


def _within_402g_with_match(case: _Case, kept: dict[str, int]) -> tuple[_Money, tuple[Cut, ...]]:
    """Share the deferrals over 402(g) and catch-up, and calculate the match on what was accepted of them."""
    deferrals = share_deferrals(
        kept.pop("pre_tax", 0), kept.pop("roth", 0), case.plan, case.participant, case.limits, case.before
    )
    after_tax = kept.pop("after_tax", 0)
    employer: dict[str, int] = {}
    other: dict[str, int] = {}
    for source, cents in kept.items():
        (employer if source in EMPLOYER else other)[source] = cents
    match = 0
    if case.plan.match is not None and case.line.employer_money is None:
        match = match_on(case.plan.match, deferrals.cents, case.counted)
        employer[case.plan.match.source] = match
    return _Money(deferrals, after_tax, employer, other, match), deferrals.cuts


def _within_415(case: _Case, money: _Money, cuts: tuple[Cut, ...]) -> LineDecision:
    """Fit the money into 415(c) where it exceeds it, and record it."""
    deferrals, before = money.deferrals, case.before
    asked = deferrals.regular_pre_tax + deferrals.regular_roth + money.after_tax + sum(money.employer.values())
    notes: tuple[Cut, ...] = ()
    if case.plan.match is not None and case.counted < case.line.compensation:
        notes = (Cut(case.plan.match.source, 0, LIMIT_401A17),)
    if before.additions_cents + asked <= case.limits.annual_additions_cents:
        return _recorded(case, money, _Remarks(cuts, notes))
    fitted = fit_additions(deferrals, money.after_tax, money.employer, case.plan, case.participant, case.limits, before)
    made = "" if case.plan.match is None or case.line.employer_money is not None else case.plan.match.source
    # Nobody sent the engine's own match: cutting it refuses nothing of the request, so it is a note.
    cuts += tuple(cut for cut in fitted.cuts if cut.source != made)
    notes += tuple(cut for cut in fitted.cuts if cut.source == made)
    match = fitted.employer.get(made, 0)
    money = _Money(fitted.deferrals, fitted.after_tax, fitted.employer, money.other, match)
    return _recorded(case, money, _Remarks(cuts, notes, fitted.relabels))


def _recorded(case: _Case, money: _Money, remarks: _Remarks) -> LineDecision:
    """Write down a line whose money passed every limit."""
    parts = _parts(money)
    credited = tuple([(source, cents) for source, cents, _ in parts])
    accepted = sum([part.cents for part in parts]) - money.match
    rejected = sum([cut.cents for cut in remarks.cuts]) if remarks.cuts else 0
    requested = sum([cents for _, cents in case.line.amounts])
    invariant(accepted + rejected == requested, "accepted + rejected = requested")
    status = ACCEPTED if not rejected else PARTIALLY_ACCEPTED if accepted else REJECTED
    after = _accumulated(case, money, remarks.relabels)
    record = None
    if parts:
        # The engine's match follows the deferrals it was made on, so it is kept apart from what payroll sent.
        made = "" if case.plan.match is None else case.plan.match.source
        sent = tuple([part for part in parts if part.source != made]) if money.match else parts
        record = LineRecord(sent, made, money.match, case.counted, case.line.compensation)
    return LineDecision(
        status,
        accepted,
        rejected,
        credited,
        remarks.cuts,
        remarks.notes,
        after,
        _limit_uses(case, after),
        remarks.relabels,
        record,
    )


def _parts(money: _Money) -> tuple[RecordedPart, ...]:
    """What goes into the books by source, in text order, without empty parts."""
    deferrals = money.deferrals
    pre_tax = deferrals.regular_pre_tax + deferrals.catch_up_pre_tax
    roth = deferrals.regular_roth + deferrals.catch_up_roth
    parts = []
    if pre_tax:
        parts.append(RecordedPart("pre_tax", pre_tax, deferrals.catch_up_pre_tax))
    if roth:
        parts.append(RecordedPart("roth", roth, deferrals.catch_up_roth))
    if money.after_tax:
        parts.append(RecordedPart("after_tax", money.after_tax, 0))
    for by_source in (money.employer, money.other):
        for source, cents in by_source.items():
            if cents:
                parts.append(RecordedPart(source, cents, 0))
    parts.sort()
    return tuple(parts)


def _accumulated(case: _Case, money: _Money, relabels: tuple[Relabel, ...]) -> YearToDate:
    before, deferrals = case.before, money.deferrals
    after = YearToDate(
        regular_pre_tax_cents=before.regular_pre_tax_cents + deferrals.regular_pre_tax,
        regular_roth_cents=before.regular_roth_cents + deferrals.regular_roth,
        catch_up_cents=before.catch_up_cents + deferrals.catch_up_pre_tax + deferrals.catch_up_roth,
        relabelled_pre_tax_cents=before.relabelled_pre_tax_cents,
        relabelled_roth_cents=before.relabelled_roth_cents,
        other_additions_cents=before.other_additions_cents + money.after_tax + sum(money.employer.values()),
        compensation_cents=before.compensation_cents + case.line.compensation,
        match_cents=before.match_cents + money.match,
    )
    return with_relabels(after, relabels)


def _limit_uses(case: _Case, after: YearToDate) -> tuple[LimitUse, ...]:
    has_caught_up = after.catch_up_cents != case.before.catch_up_cents
    catch_up = catch_up_limit_of(case.plan, case.participant, case.limits) if has_caught_up else 0
    uses = limit_uses(case.limits, catch_up, case.before, after)
    if case.plan.match is None:
        return uses
    return (*uses, _pay_use(case.limits, case.before, case.counted))


def _pay_use(limits: Limits, before: YearToDate, counted: int) -> LimitUse:
    room = max(0, limits.compensation_cents - before.compensation_cents)
    return LimitUse("401a17", room, room - counted, counted)

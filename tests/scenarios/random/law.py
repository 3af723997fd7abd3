"""What comes in of one payroll line: a second reading of the house rules, in whole cents and fractions.

Nothing here knows the engine. A line is decided against the participant's year so far and moves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from tests.scenarios.random.exact import divided, half_up
from tests.scenarios.random.limits import LATE, LATE_YEAR, LIMITS, Limits
from tests.scenarios.random.people import Entry, Person, why_not

SOURCES = (
    "pre_tax", "roth", "after_tax", "match", "safe_harbor_match", "profit_sharing", "qnec", "qmac",
    "rollover_pre_tax", "rollover_roth", "loan_repayment", "forfeiture",
)  # fmt: skip
DEFERRALS = ("pre_tax", "roth")
EMPLOYER = ("match", "safe_harbor_match", "profit_sharing", "qnec", "qmac", "forfeiture")


@dataclass(frozen=True)
class PlanRules:
    """What a plan's document says about a payroll line.

    ``tiers``: percent of pay, percent matched. ``severance``: days after the last one in which pay still counts.
    ``short_years``: limitation years of fewer months.
    """

    sources: tuple[str, ...]
    tiers: tuple[tuple[str, str], ...] | None = None
    pre_tax_first: bool = False
    roth_catch_up: str = "deemed"
    match_source: str = "match"
    has_higher_catch_up: bool = True
    entry: Entry | None = None
    severance: int | None = None
    short_years: tuple[tuple[int, int], ...] = ()

    def limits(self, year: int) -> Limits:
        """The year's figures for this plan."""
        months = dict(self.short_years).get(year, 12)
        return (LATE if year == LATE_YEAR else LIMITS[year]).of_months(months)


@dataclass
class Year:
    """A participant's year so far in one plan, in cents."""

    regular: int = 0
    catch_up: int = 0
    additions: int = 0
    pay: int = 0
    relabelled: int = 0


@dataclass
class Decision:
    """The outcome of one line, in cents by source. ``match`` is the engine's own; ``catch_up`` a part of ``taken``."""

    asked: int
    taken: dict[str, int] = field(default_factory=dict)
    match: int = 0
    match_source: str = "match"
    codes: set[str] = field(default_factory=set)
    catch_up: dict[str, int] = field(default_factory=dict)
    counted_pay: int = 0
    cut_by_415c: bool = False

    @property
    def accepted(self) -> int:
        """Cents of the request that came in."""
        return sum(self.taken.values())

    @property
    def status(self) -> str:
        """The receipt's word."""
        if self.accepted == self.asked:
            return "accepted"
        return "partially_accepted" if self.accepted else "rejected"

    def credited(self) -> dict[str, int]:
        """What is recorded, by source, without sources that got nothing."""
        parts = dict(self.taken)
        parts[self.match_source] = parts.get(self.match_source, 0) + self.match
        return {source: cents for source, cents in parts.items() if cents}


def refused(amounts: Mapping[str, int], code: str) -> Decision:
    """A line of which nothing comes in; nobody asks for a negative amount."""
    return Decision(sum(max(0, cents) for cents in amounts.values()), codes={code})


def catch_up_cap(plan: PlanRules, limits: Limits, person: Person, year: int) -> int:
    """The year's catch-up room, by the age reached on 31 December."""
    age = year - person.born.year
    if age < 50:
        return 0
    if 60 <= age <= 63 and plan.has_higher_catch_up and limits.catch_up_60_63 is not None:
        return limits.catch_up_60_63
    return limits.catch_up


def match_of(tiers: tuple[tuple[str, str], ...], pay: int, deferred: int) -> int:
    """The tiers over ``deferred`` as a share of ``pay``: unrounded until the end."""
    left, match = Fraction(deferred), Fraction(0)
    for of_pay, matched in tiers:
        inside = min(left, pay * Fraction(of_pay) / 100)
        match += inside * Fraction(matched) / 100
        left -= inside
    return half_up(match)


def decide(
    plan: PlanRules,
    person: Person,
    so_far: Year,
    pay_date: date,
    pay: int,
    amounts: Mapping[str, int],
    *,
    is_for_the_year: bool = False,
) -> Decision:
    """Decide a line of a year whose limits are known, and move ``so_far``.

    ``is_for_the_year``: the employer gives it for a whole year's work: also into the source the engine matches into,
    also for somebody who has left; the engine matches nothing on it.
    """
    if any(cents < 0 for cents in amounts.values()):
        so_far.pay += pay
        return refused(amounts, "INVALID_AMOUNT")
    limits = plan.limits(pay_date.year)
    decision = Decision(sum(amounts.values()), match_source=plan.match_source)
    decision.counted_pay = max(0, min(pay, limits.pay - so_far.pay))
    so_far.pay += pay
    known = _known_sources(plan, amounts, decision, is_for_the_year)
    known = _employed(plan, person, pay_date, known, decision, is_for_the_year)
    decision.taken = {source: cents for source, cents in known.items() if source not in DEFERRALS}
    _defer(plan, person, limits, so_far, pay_date.year, known, decision)
    if plan.tiers is not None and not is_for_the_year:
        deferred = sum(decision.taken.get(source, 0) for source in DEFERRALS)
        decision.match = match_of(plan.tiers, decision.counted_pay, deferred)
    _annual_additions(catch_up_cap(plan, limits, person, pay_date.year), limits, so_far, decision)
    return decision


def _employed(
    plan: PlanRules, person: Person, pay_date: date, known: dict[str, int], out: Decision, is_for_the_year: bool
) -> dict[str, int]:
    """Who may not contribute gets nothing but from elsewhere; who left long ago, no pay to save from or to match."""
    code = why_not(plan.entry, plan.severance, person, pay_date)
    if code is None or (code == "TERMINATED" and is_for_the_year):
        return known
    others = EMPLOYER if code == "NOT_ELIGIBLE" else ("match", "safe_harbor_match")
    cut = [source for source in known if source in (*DEFERRALS, "after_tax", *others)]
    if any(known[source] for source in cut):
        out.codes.add(code)
    return {source: cents for source, cents in known.items() if source not in cut}


def _known_sources(
    plan: PlanRules, amounts: Mapping[str, int], decision: Decision, is_for_the_year: bool
) -> dict[str, int]:
    known = {}
    own = None if plan.tiers is None or is_for_the_year else plan.match_source
    for source, cents in amounts.items():
        if source not in SOURCES:
            code = "UNKNOWN_SOURCE"
        elif source not in plan.sources or source == own or (is_for_the_year and source not in EMPLOYER):
            code = "SOURCE_NOT_IN_PLAN"
        else:
            known[source] = cents
            continue
        decision.codes |= {code} if cents else set()
    return known


def _defer(
    plan: PlanRules, person: Person, limits: Limits, so_far: Year, year: int, known: Mapping[str, int], out: Decision
) -> None:
    """402(g), then catch-up; moves the year's accumulators."""
    asked = {source: known[source] for source in DEFERRALS if source in known}
    room = max(0, limits.deferral - so_far.regular)
    regular = _regular(plan, room, asked)
    excess = {source: asked[source] - regular[source] for source in asked}
    cap = catch_up_cap(plan, limits, person, year)
    must_be_roth = limits.roth_wages is not None and person.wages is not None and person.wages > limits.roth_wages
    if cap and must_be_roth and (plan.roth_catch_up == "reject" or "roth" not in plan.sources):
        out.codes |= {"ROTH_CATCH_UP_REQUIRED"} if excess.get("pre_tax") else set()
        excess["pre_tax"] = 0
    wanted = sum(excess.values())
    extra = divided(min(wanted, max(0, cap - so_far.catch_up)), excess)
    if sum(extra.values()) < wanted:
        out.codes.add("LIMIT_CATCH_UP" if cap else "LIMIT_402G")
    so_far.regular += sum(regular.values())
    so_far.catch_up += sum(extra.values())
    if must_be_roth and extra.get("pre_tax"):
        extra["roth"] = extra.get("roth", 0) + extra.pop("pre_tax")
    out.catch_up = {source: cents for source, cents in extra.items() if cents}
    for parts in (regular, extra):
        for source, cents in parts.items():
            out.taken[source] = out.taken.get(source, 0) + cents


def _regular(plan: PlanRules, room: int, asked: Mapping[str, int]) -> dict[str, int]:
    if sum(asked.values()) <= room:
        return dict(asked)
    if not plan.pre_tax_first:
        return divided(room, asked)
    first = min(room, asked.get("pre_tax", 0))
    parts = {"pre_tax": first, "roth": min(room - first, asked.get("roth", 0))}
    return {source: parts[source] for source in asked}


def _annual_additions(cap: int, limits: Limits, so_far: Year, out: Decision) -> None:
    """415(c): deferrals become catch-up as far as there is room; then employer money, after-tax, deferrals fall."""
    regular = {source: out.taken.get(source, 0) - out.catch_up.get(source, 0) for source in DEFERRALS}
    employer = {source: out.taken[source] for source in EMPLOYER if out.taken.get(source)}
    new = sum(regular.values()) + out.taken.get("after_tax", 0) + sum(employer.values()) + out.match
    over = so_far.additions + new - limits.additions
    moved = max(0, min(over, cap - so_far.catch_up, so_far.regular))
    so_far.regular -= moved
    so_far.catch_up += moved
    so_far.relabelled += moved
    over = max(0, over - moved)
    so_far.additions += new - moved - over
    out.cut_by_415c = over > 0
    if over:
        _cut_additions(over, employer, regular, so_far, out)


def _cut_additions(over: int, employer: dict[str, int], regular: dict[str, int], so_far: Year, out: Decision) -> None:
    whole = dict(employer)
    if out.match:
        whole[out.match_source] = out.match
    for parts in (whole, {"after_tax": out.taken.get("after_tax", 0)}, regular):
        cut = divided(min(over, sum(parts.values())), parts)
        over -= sum(cut.values())
        for source, cents in cut.items():
            if not cents:
                continue
            if source == out.match_source and out.match:
                out.match -= cents  # Nobody asked for it: the receipt has nothing to say.
                continue
            out.codes.add("LIMIT_415C")
            out.taken[source] -= cents
            if source in DEFERRALS:
                so_far.regular -= cents

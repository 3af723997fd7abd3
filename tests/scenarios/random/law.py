"""What comes in of one payroll line: a second reading of the house rules, in whole cents and fractions.

Nothing here knows the engine. A line is decided against the participant's year so far and moves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from tests.scenarios.random.exact import divided, half_up

SOURCES = (
    "pre_tax", "roth", "after_tax", "match", "safe_harbor_match", "profit_sharing", "qnec", "qmac",
    "rollover_pre_tax", "rollover_roth", "loan_repayment", "forfeiture",
)  # fmt: skip
DEFERRALS = ("pre_tax", "roth")
EMPLOYER = ("match", "safe_harbor_match", "profit_sharing", "qnec", "qmac", "forfeiture")


@dataclass(frozen=True)
class Limits:
    """One year's figures, in cents; None = the rule was not in force."""

    deferral: int
    catch_up: int
    catch_up_60_63: int | None
    additions: int
    pay: int
    roth_wages: int | None


def _limits(deferral: int, catch_up: int, higher: int | None, additions: int, pay: int, wages: int | None) -> Limits:
    cents = [None if figure is None else figure * 100 for figure in (higher, wages)]
    return Limits(deferral * 100, catch_up * 100, cents[0], additions * 100, pay * 100, cents[1])


LIMITS = {
    2022: _limits(20_500, 6_500, None, 61_000, 305_000, None),
    2023: _limits(22_500, 7_500, None, 66_000, 330_000, None),
    2024: _limits(23_000, 7_500, None, 69_000, 345_000, None),
    2025: _limits(23_500, 7_500, 11_250, 70_000, 350_000, None),
    2026: _limits(24_500, 8_000, 11_250, 72_000, 360_000, 150_000),
}


@dataclass(frozen=True)
class PlanRules:
    """What a plan's document says about a payroll line. ``tiers``: percent of pay, percent matched."""

    sources: tuple[str, ...]
    tiers: tuple[tuple[str, str], ...] | None = None
    pre_tax_first: bool = False
    roth_catch_up: str = "deemed"


@dataclass(frozen=True)
class Person:
    """The facts about a participant that the law asks for."""

    born: date
    hired: date
    terminated: date | None = None
    wages: int | None = None


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
        parts["match"] = parts.get("match", 0) + self.match
        return {source: cents for source, cents in parts.items() if cents}


def refused(amounts: Mapping[str, int], code: str) -> Decision:
    """A line of which nothing comes in."""
    return Decision(sum(amounts.values()), codes={code})


def catch_up_cap(limits: Limits, person: Person, year: int) -> int:
    """The year's catch-up room, by the age reached on 31 December."""
    age = year - person.born.year
    if age < 50:
        return 0
    if 60 <= age <= 63 and limits.catch_up_60_63 is not None:
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
    plan: PlanRules, person: Person, so_far: Year, pay_date: date, pay: int, amounts: Mapping[str, int]
) -> Decision:
    """Decide a line of a year whose limits are known, and move ``so_far``."""
    if any(cents < 0 for cents in amounts.values()):
        return refused(amounts, "INVALID_AMOUNT")
    limits = LIMITS[pay_date.year]
    decision = Decision(sum(amounts.values()))
    decision.counted_pay = max(0, min(pay, limits.pay - so_far.pay))
    so_far.pay += pay
    known = _employed(person, pay_date, _known_sources(plan, amounts, decision), decision)
    decision.taken = {source: cents for source, cents in known.items() if source not in DEFERRALS}
    _defer(plan, person, limits, so_far, pay_date.year, known, decision)
    if plan.tiers is not None:
        deferred = sum(decision.taken.get(source, 0) for source in DEFERRALS)
        decision.match = match_of(plan.tiers, decision.counted_pay, deferred)
    _annual_additions(person, limits, so_far, pay_date.year, decision)
    return decision


def _employed(person: Person, pay_date: date, known: dict[str, int], out: Decision) -> dict[str, int]:
    """Before the hire only what comes from elsewhere; long after the last day no pay to save from or to match."""
    refused_sources: tuple[str, ...] = ()
    if pay_date < person.hired:
        refused_sources, code = (*DEFERRALS, "after_tax", *EMPLOYER), "NOT_ELIGIBLE"
    elif person.terminated is not None and (pay_date - person.terminated).days > 200:
        refused_sources, code = (*DEFERRALS, "after_tax", "match", "safe_harbor_match"), "TERMINATED"
    cut = [source for source in known if source in refused_sources]
    if any(known[source] for source in cut):
        out.codes.add(code)
    return {source: cents for source, cents in known.items() if source not in cut}


def _known_sources(plan: PlanRules, amounts: Mapping[str, int], decision: Decision) -> dict[str, int]:
    known = {}
    for source, cents in amounts.items():
        if source not in SOURCES:
            code = "UNKNOWN_SOURCE"
        elif source not in plan.sources or (source == "match" and plan.tiers is not None):
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
    cap = catch_up_cap(limits, person, year)
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


def _annual_additions(person: Person, limits: Limits, so_far: Year, year: int, out: Decision) -> None:
    """415(c): deferrals become catch-up as far as there is room; then employer money, after-tax, deferrals fall."""
    regular = {source: out.taken.get(source, 0) - out.catch_up.get(source, 0) for source in DEFERRALS}
    employer = {source: out.taken[source] for source in EMPLOYER if out.taken.get(source)}
    new = sum(regular.values()) + out.taken.get("after_tax", 0) + sum(employer.values()) + out.match
    over = so_far.additions + new - limits.additions
    moved = max(0, min(over, catch_up_cap(limits, person, year) - so_far.catch_up, so_far.regular))
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
        whole["match"] = out.match
    for parts in (whole, {"after_tax": out.taken.get("after_tax", 0)}, regular):
        cut = divided(min(over, sum(parts.values())), parts)
        over -= sum(cut.values())
        for source, cents in cut.items():
            if not cents:
                continue
            if source == "match" and out.match:
                out.match -= cents  # Nobody asked for it: the receipt has nothing to say.
                continue
            out.codes.add("LIMIT_415C")
            out.taken[source] -= cents
            if source in DEFERRALS:
                so_far.regular -= cents

"""The law again, by hand: house rules and statute written down slowly with fractions and sorted lists.

Nothing of the services' rules is imported, and nothing is fast. Money is whole cents in, whole cents out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import floor
from typing import Any

KNOWN = [
    "pre_tax", "roth", "after_tax", "match", "safe_harbor_match", "profit_sharing", "qnec", "qmac", "rollover_pre_tax",
    "rollover_roth", "loan_repayment", "forfeiture",
]  # fmt: skip
EMPLOYERS = ("match", "safe_harbor_match", "profit_sharing", "qnec", "qmac", "forfeiture")
NOT_ADDITIONS = ("rollover_pre_tax", "rollover_roth", "loan_repayment")
OF_A_PAY_CHEQUE = ("pre_tax", "roth", "after_tax", "match", "safe_harbor_match")
"""Who left may still get year-end and corrective employer money, roll money over and pay a loan back."""
REFUSED_WHEN = {
    "NOT_ELIGIBLE": [source for source in KNOWN if source not in NOT_ADDITIONS],
    "TERMINATED": OF_A_PAY_CHEQUE,
}

LIMITS = {
    # year: 402(g), catch-up, catch-up at 60 to 63, 415(c), 401(a)(17), wages above which catch-up is Roth; in dollars
    2022: (20_500, 6_500, None, 61_000, 305_000, None),
    2023: (22_500, 7_500, None, 66_000, 330_000, None),
    2024: (23_000, 7_500, None, 69_000, 345_000, None),
    2025: (23_500, 7_500, 11_250, 70_000, 350_000, None),
    2026: (24_500, 8_000, 11_250, 72_000, 360_000, 150_000),
}


@dataclass(frozen=True)
class ModelPlan:
    """A plan in the words of its fact."""

    sources: tuple[str, ...]
    overflow: str = "pro_rata"
    roth_catch_up: str = "deemed"
    higher_catch_up: bool = True
    tiers: tuple[tuple[str, str], ...] | None = None
    eligibility: tuple[int, int, str] | None = None
    """Age, months of service, entry calendar."""


@dataclass(frozen=True)
class ModelPerson:
    """One spell of employment, or two."""

    born: date
    hired: date
    left: date | None = None
    back: date | None = None
    wages: int | None = None
    opening: int = 0
    """Regular deferrals of the first year, in cents, before the first line."""


@dataclass
class ModelYear:
    """What one person did in one plan and year so far. All in cents."""

    plan: ModelPlan
    person: ModelPerson
    year: int
    regular: dict[str, int] = field(default_factory=lambda: {"pre_tax": 0, "roth": 0})
    catch_up: int = 0
    other: int = 0
    pay: int = 0

    def limit(self, place: int) -> int:
        """One figure of the table, in cents."""
        dollars = LIMITS[self.year][place]
        assert dollars is not None
        return dollars * 100

    def additions(self) -> int:
        """What counts toward 415(c)."""
        return sum(self.regular.values()) + self.other

    def catch_up_room(self) -> int:
        """Unused catch-up."""
        age = self.year - self.person.born.year
        if age < 50:
            return 0
        special = LIMITS[self.year][2]
        limit = special if special and self.plan.higher_catch_up and age in (60, 61, 62, 63) else LIMITS[self.year][1]
        assert limit is not None
        return max(0, limit * 100 - self.catch_up)

    def must_be_roth(self) -> bool:
        """Whether catch-up of this person must be Roth."""
        threshold = LIMITS[self.year][5]
        return threshold is not None and self.person.wages is not None and self.person.wages > threshold * 100


@dataclass
class ModelAnswer:
    """The answer to a line: `cuts` by (source, code), `credited` by source with the match."""

    status: str
    accepted: int
    rejected: int
    cuts: dict[tuple[str, str], int]
    credited: dict[str, int]


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Largest remainder: floors, then one each to the largest remainders, ties to the first."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    parts = [floor(share) for share in exact]
    order = sorted(range(len(weights)), key=lambda place: (parts[place] - exact[place], place))
    for place in order[: total - sum(parts)]:
        parts[place] += 1
    return parts


def answer(year: ModelYear, amounts: Mapping[str, int], pay: int, pay_date: date) -> ModelAnswer:
    """Decide a line and move the year."""
    asked = sum(cents for cents in amounts.values() if cents > 0)
    if any(cents < 0 for cents in amounts.values()):
        year.pay += pay
        return ModelAnswer("rejected", 0, asked, {(s, "INVALID_AMOUNT"): c for s, c in amounts.items() if c > 0}, {})
    if pay_date.year not in LIMITS:
        return ModelAnswer("held", 0, 0, {}, {})
    case = _Deciding(year, pay, {}, {})
    case.defer(case.admitted(amounts, pay_date))
    made = case.matched()
    case.fit()
    year.pay += pay
    credited = {source: cents for source, cents in case.books().items() if cents}
    accepted = sum(credited.values()) - (made and case.employer.get("match", 0))
    rejected = asked - accepted
    status = "accepted" if not rejected else "partially_accepted" if accepted else "rejected"
    return ModelAnswer(status, accepted, rejected, {cut: cents for cut, cents in case.cuts.items() if cents}, credited)


@dataclass
class _Deciding:
    """One line on its way through the limits."""

    year: ModelYear
    pay: int
    cuts: dict[tuple[str, str], int]
    kept: dict[str, int]
    regular: dict[str, int] = field(default_factory=dict)
    caught: dict[str, int] = field(default_factory=lambda: {"pre_tax": 0, "roth": 0})
    employer: dict[str, int] = field(default_factory=dict)
    after_tax: int = 0
    rest: dict[str, int] = field(default_factory=dict)

    def cut(self, source: str, code: str, cents: int) -> None:
        """Refuse some cents."""
        if cents:
            self.cuts[source, code] = self.cuts.get((source, code), 0) + cents

    def admitted(self, amounts: Mapping[str, int], pay_date: date) -> dict[str, int]:
        """What plan and employment let in."""
        plan, refused = self.year.plan, not_employed(self.year.plan, self.year.person, pay_date)
        for source, cents in amounts.items():
            if source not in KNOWN:
                self.cut(source, "UNKNOWN_SOURCE", cents)
            elif source not in plan.sources or (source == "match" and plan.tiers is not None):
                self.cut(source, "SOURCE_NOT_IN_PLAN", cents)
            elif refused is not None and source in REFUSED_WHEN[refused]:
                self.cut(source, refused, cents)
            else:
                self.kept[source] = cents
        return self.kept

    def defer(self, money: Mapping[str, int]) -> None:
        """402(g), then catch-up."""
        year, plan = self.year, self.year.plan
        sent = [money.get("pre_tax", 0), money.get("roth", 0)]
        room = max(0, year.limit(0) - sum(year.regular.values()))
        if sum(sent) <= room:
            fits = sent
        elif plan.overflow == "pre_tax_first":
            fits = [min(sent[0], room), min(sent[1], room - min(sent[0], room))]
        else:
            fits = shared_out(room, sent)
        self.regular = dict(zip(("pre_tax", "roth"), fits, strict=True))
        self._catch_up([sent[0] - fits[0], sent[1] - fits[1]])
        self.after_tax = money.get("after_tax", 0)
        self.employer = {source: cents for source, cents in money.items() if source in EMPLOYERS}
        self.rest = {source: cents for source, cents in money.items() if source in NOT_ADDITIONS}

    def _catch_up(self, over: list[int]) -> None:
        year, plan = self.year, self.year.plan
        if year.year - year.person.born.year < 50:
            self.cut("pre_tax", "LIMIT_402G", over[0])
            self.cut("roth", "LIMIT_402G", over[1])
            return
        may_deem = plan.roth_catch_up == "deemed" and "roth" in plan.sources
        if year.must_be_roth() and not may_deem:
            self.cut("pre_tax", "ROTH_CATCH_UP_REQUIRED", over[0])
            over = [0, over[1]]
        taken = shared_out(min(year.catch_up_room(), sum(over)), over)
        self.cut("pre_tax", "LIMIT_CATCH_UP", over[0] - taken[0])
        self.cut("roth", "LIMIT_CATCH_UP", over[1] - taken[1])
        if year.must_be_roth():
            taken = [0, sum(taken)]
        self.caught = dict(zip(("pre_tax", "roth"), taken, strict=True))

    def matched(self) -> bool:
        """Add the engine's match, rounded once; says whether the plan has one."""
        tiers = self.year.plan.tiers
        if tiers is None:
            return False
        counted = max(0, min(self.pay, self.year.limit(4) - self.year.pay))
        left = Fraction(sum(self.regular.values()) + sum(self.caught.values()))
        exact = Fraction(0)
        for of_pay, rate in tiers:
            step = min(left, counted * Fraction(of_pay) / 100)
            exact += step * Fraction(rate) / 100
            left -= step
        self.employer["match"] = floor(exact + Fraction(1, 2))
        return True

    def fit(self) -> None:
        """415(c): relabel, then cut employer money, after-tax, deferrals; then move the year."""
        year = self.year
        over = year.additions() + sum(self.regular.values()) + self.after_tax + sum(self.employer.values())
        over -= year.limit(3)
        relabelled = {"pre_tax": 0, "roth": 0}
        if over > 0:
            relabelled, over = self._relabel(over)
            over = self._cut_employer_and_after_tax(over)
            self._cut_deferrals(over, relabelled)
        for source in ("pre_tax", "roth"):
            year.regular[source] += self.regular[source] - relabelled[source]
        year.catch_up += sum(self.caught.values()) + sum(relabelled.values())
        year.other += self.after_tax + sum(self.employer.values())

    def _relabel(self, over: int) -> tuple[dict[str, int], int]:
        """Deferrals of the year become catch-up; whose catch-up is Roth, only Roth money, or pre-tax of this line."""
        year, plan = self.year, self.year.plan
        wanted = min(over, max(0, year.catch_up_room() - sum(self.caught.values())))
        have = [year.regular[source] + self.regular[source] for source in ("pre_tax", "roth")]
        if year.must_be_roth():
            have[0] = 0
        parts = shared_out(min(wanted, sum(have)), have)
        over -= sum(parts)
        if year.must_be_roth() and plan.roth_catch_up == "deemed" and "roth" in plan.sources:
            deemed = min(wanted - sum(parts), self.regular["pre_tax"])
            self.regular["pre_tax"] -= deemed
            self.caught["roth"] += deemed
            over -= deemed
        return dict(zip(("pre_tax", "roth"), parts, strict=True)), over

    def _cut_employer_and_after_tax(self, over: int) -> int:
        names = sorted(self.employer)
        cents = [self.employer[name] for name in names]
        for name, gone in zip(names, shared_out(min(over, sum(cents)), cents), strict=True):
            self.employer[name] -= gone
            over -= gone
            if not (name == "match" and self.year.plan.tiers is not None):
                self.cut(name, "LIMIT_415C", gone)
        gone = min(over, self.after_tax)
        self.after_tax -= gone
        self.cut("after_tax", "LIMIT_415C", gone)
        return over - gone

    def _cut_deferrals(self, over: int, relabelled: Mapping[str, int]) -> None:
        # What a relabel has just made catch-up is no addition any more: cutting it would help nobody.
        left = [
            min(self.regular[source], self.year.regular[source] + self.regular[source] - relabelled[source])
            for source in ("pre_tax", "roth")
        ]
        for source, gone in zip(("pre_tax", "roth"), shared_out(min(max(0, over), sum(left)), left), strict=True):
            self.regular[source] -= gone
            self.cut(source, "LIMIT_415C", gone)

    def books(self) -> dict[str, Any]:
        """What is recorded, by source."""
        return {
            "pre_tax": self.regular["pre_tax"] + self.caught["pre_tax"],
            "roth": self.regular["roth"] + self.caught["roth"],
            "after_tax": self.after_tax,
            **self.employer,
            **self.rest,
        }


def not_employed(plan: ModelPlan, person: ModelPerson, pay_date: date) -> str | None:
    """The code that employment or eligibility refuses a pay date with."""
    if pay_date < person.hired:
        return "NOT_ELIGIBLE"
    is_away = person.left is not None and pay_date > _two_and_a_half_months_after(person.left)
    if is_away and (person.back is None or pay_date < person.back):
        return "TERMINATED"
    if plan.eligibility is None:
        return None
    age, months, calendar = plan.eligibility
    met = max(_later(person.born, 12 * age), _later(person.hired, months), person.hired)
    entry = met
    while not _is_entry_date(entry, calendar):
        entry += timedelta(days=1)
    if person.left is not None and entry > person.left:
        # Nobody enters who is away on the day: he does on his return, which all here make within a year.
        entry = date.max if person.back is None else max(entry, person.back)
    return None if pay_date >= entry else "NOT_ELIGIBLE"


def _is_entry_date(day: date, calendar: str) -> bool:
    if calendar == "immediate":
        return True
    every = {"monthly": 1, "quarterly": 3, "semi_annual": 6, "annual": 12}[calendar]
    return day.day == 1 and (day.month - 1) % every == 0


def _later(day: date, months: int) -> date:
    """The same day so many months later; a day the month lacks becomes its last."""
    first = date(day.year + (day.month - 1 + months) // 12, (day.month - 1 + months) % 12 + 1, 1)
    wanted = first + timedelta(days=day.day - 1)
    return wanted if wanted.month == first.month else wanted - timedelta(days=wanted.day)


def _two_and_a_half_months_after(day: date) -> date:
    return _later(day, 2) + timedelta(days=15)

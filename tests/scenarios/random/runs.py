"""Payroll lines, the runs they belong to, and the totals that payroll says a run has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from tests.scenarios.random.law import Decision, PlanRules, Year
from tests.scenarios.random.money import Part


@dataclass
class Line:
    """A payroll line and what became of it. ``rules``: its plan's, when it was decided."""

    name: str
    who: str
    plan: str
    run: str
    pay_date: date
    pay: int
    amounts: dict[str, int]
    employer_money: str | None = None
    decision: Decision | None = None
    decided_on: int | None = None
    rules: PlanRules | None = None
    reversed: Counter[str] = field(default_factory=Counter)
    match_left: int = 0
    parts: dict[str, list[Part]] = field(default_factory=dict)
    is_released: bool = False
    year_before: Year | None = None

    def left(self) -> dict[str, int]:
        """Cents by source that came in and were not taken back, without the engine's match."""
        taken = self.decision.taken if self.decision is not None else {}
        return {source: cents - self.reversed[source] for source, cents in taken.items()}

    def owed(self) -> int:
        """What its run must pay for it."""
        return sum(self.left().values()) + self.match_left

    def again(self, name: str) -> Line:
        """The same line under another id."""
        return Line(
            name, self.who, self.plan, self.run, self.pay_date, self.pay, dict(self.amounts), self.employer_money
        )

    def same_as(self, other: Line) -> bool:
        """True when nothing but the id tells two lines apart."""
        return (self.who, self.plan, self.run, self.pay_date, self.pay, self.amounts, self.employer_money) == (
            other.who, other.plan, other.run, other.pay_date, other.pay, other.amounts, other.employer_money
        )  # fmt: skip


@dataclass(frozen=True)
class Totals:
    """What payroll says it sent for a run; None = it does not say. ``people``: one name a line."""

    lines: int | None = None
    cents: int | None = None
    by_source: Counter[str] | None = None
    people: Counter[str] | None = None

    def agree(self, lines: list[Line]) -> bool:
        """True when the lines come to everything that was said."""
        came = totals_of(lines)
        pairs = [(getattr(self, name), getattr(came, name)) for name in ("lines", "cents", "by_source", "people")]
        return all(said is None or said == found for said, found in pairs)


def totals_of(lines: list[Line]) -> Totals:
    """The right totals of some lines: rejected ones count, sources without a cent do not."""
    cents = Counter({source: 0 for line in lines for source in line.amounts})
    for line in lines:
        cents.update(line.amounts)
    by_source = Counter({source: total for source, total in cents.items() if total})
    return Totals(len(lines), sum(cents.values()), by_source, Counter(line.who for line in lines))


@dataclass
class Run:
    """A payroll run: its lines and its cash."""

    plan: str
    lines: list[Line] = field(default_factory=list)
    funded: int = 0
    used: int = 0
    is_named: bool = False
    """True when cash came for it after a line that says whose run it is."""
    said: Totals | None = None

    def decided(self) -> list[Line]:
        """The lines that are decided so far, whatever came of them."""
        return [line for line in self.lines if line.decision is not None]

    def agrees(self) -> bool:
        """True when nothing was said of it, or what was decided so far comes to what was said."""
        return self.said is None or self.said.agree(self.decided())


@dataclass
class HeldReversal:
    """A reversal of all that is left of a line, which waits for lines that came before; ``place``: how many did."""

    name: str
    line: Line
    place: int

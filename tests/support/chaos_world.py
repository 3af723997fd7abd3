"""A seeded company for long chaos runs: what it says about itself, and an endless, seeded stream of payroll records."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from shared.events import topics
from shared.events.limits import LimitsFact
from tests.support import events
from tests.support.events import Outgoing

FUNDS = {"F1": 3, "F2": 6, "F3": 4}
PLANS = tuple(f"PLAN{number}" for number in range(6))
SOURCES = ("pre_tax", "roth", "match")
POISON_SOURCE = "/tests/poison"
SENT_MAX = 3_000
NEXT_YEAR = {
    "year": 2027, "elective_deferral_cents": 2_500_000, "catch_up_cents": 800_000, "annual_additions_cents": 7_400_000,
    "compensation_cents": 37_000_000, "notice": "made up",
}  # fmt: skip
POISON: dict[str, Callable[[Outgoing], Outgoing]] = {
    "NOT_JSON": lambda line: line.but(value=b"{"),
    "WRONG_SHAPE": lambda line: line.but(body={"amounts": "all of it"}),
    "UNKNOWN_EVENT_TYPE": lambda line: line.with_header("ce_type", b"nestwork.rumour.v1"),
    "NEWER_VERSION": lambda line: line.with_header("ce_type", b"nestwork.payroll.contribution.v9"),
    "MISSING_HEADERS": lambda line: line.without_header("ce_id"),
}


@dataclass(frozen=True)
class Said:
    """A record to send, and whether it goes to a partition beside its own."""

    record: Outgoing
    astray: bool = False


@dataclass
class Prices:
    """What is said about a date's prices, by when."""

    early: list[Outgoing] = field(default_factory=list)
    """Before the close: estimates, which move nothing."""
    final: list[Outgoing] = field(default_factory=list)
    """After it: orders are filled at these."""
    late: list[Outgoing] = field(default_factory=list)
    """The same, seconds later: that fund's orders wait so long."""
    changed: list[Outgoing] = field(default_factory=list)
    """When every order is filled: shares stay, the date is valued with these."""
    afterwards: list[Outgoing] = field(default_factory=list)
    """When the date is valued: they are kept and change nothing."""


@dataclass
class World:
    """Everything drawn from one seed."""

    seed: int
    people: dict[str, str] = field(default_factory=dict)
    """Participant to plan."""
    dice: random.Random = field(init=False)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10**9)))
    sent: list[Outgoing] = field(default_factory=list)
    """Good lines so far, for resends."""

    def __post_init__(self) -> None:
        """Draw the people."""
        self.dice = random.Random(self.seed)
        self.people = {f"P{number:04}": self.dice.choice(PLANS) for number in range(300)}

    def head(self) -> list[Outgoing]:
        """Facts, census and first elections, for the day before the first."""
        said = [events.event(topics.LIMITS, str(NEXT_YEAR["year"]), LimitsFact.ce_type, NEXT_YEAR)]
        said += [events.fund_fact(fund, decimals) for fund, decimals in FUNDS.items()]
        said += [events.plan_fact(plan, sources=list(SOURCES)) for plan in PLANS]
        said += [events.census(person, plan) for person, plan in self.people.items()]
        chosen = [person for person in self.people if self.dice.random() < 0.8]
        return said + [events.election(person, self._percents(), self.people[person]) for person in chosen]

    def prices(self, day: date) -> Prices:
        """What the market says about a date: estimates, final prices of which some are late, and changed ones."""
        dice, said = random.Random(f"{self.seed}{day}"), Prices()

        def price(fund: str, version: int, status: str) -> Outgoing:
            text = f"{dice.randint(9, 90)}.{dice.randint(0, 9999):04}"
            return events.price(fund, day.isoformat(), text, version).but(body={"status": status})

        for fund in FUNDS:
            version = 1
            if dice.random() < 0.4:
                said.early.append(price(fund, version, "estimated"))
                version += 1
            final = price(fund, version, "final")
            (said.late if dice.random() < 0.3 else said.final).append(final)
            if dice.random() < 0.3:  # The same version with another price: the first one stands.
                refused = price(fund, version, "final")
                said.changed.append(refused.with_header("expected", b"PRICE_CONFLICT"))
            if dice.random() < 0.4:
                version += 1
                said.changed.append(price(fund, version, "corrected"))
            if dice.random() < 0.3:
                said.afterwards.append(price(fund, version + 1, "corrected"))
        return said

    def next(self, day: date) -> Said:
        """The next record of the stream."""
        kind = self.dice.random()
        if kind < 0.02:
            return Said(self._poison(day))
        if kind < 0.03:
            return Said(self._line("X" + self.dice.choice(list(self.people)), day))
        if kind < 0.05:
            person = self.dice.choice(list(self.people))
            return Said(events.election(person, self._percents(), self.people[person]))
        if kind < 0.09 and self.sent:
            return Said(self.dice.choice(self.sent))
        if kind < 0.10 and self.sent:
            return Said(self.dice.choice(self.sent).but(body={"compensation_cents": 1}))
        return Said(self._line(self.dice.choice(list(self.people)), day), astray=kind > 0.97)

    def acknowledged(self, said: Said) -> None:
        """A line that stands in the log may be sent again later."""
        if said.astray or said.record.topic != topics.PAYROLL_CONTRIBUTIONS.name or len(self.sent) >= SENT_MAX:
            return
        is_good = dict(said.record.headers).get("ce_source") == events.SOURCE.encode()
        if is_good and (said.record.key or b"").decode() in self.people:
            self.sent.append(said.record)

    def _line(self, person: str, day: date) -> Outgoing:
        number, plan = next(self.numbers), self.people.get(person, PLANS[0])
        amounts = {source: self.dice.randint(0, 9_000) for source in SOURCES}
        # Each pay differs, so that no two lines are the same line under two ids.
        return events.line(
            person, amounts, payroll=f"{plan}-{day}", plan=plan, ce_id=f"line-{number}", pay_date=day.isoformat(),
            compensation_cents=300_000 + number,
        )  # fmt: skip

    def _poison(self, day: date) -> Outgoing:
        code = self.dice.choice(list(POISON))
        line = self._line(self.dice.choice(list(self.people)), day)
        named = line.with_header("ce_source", POISON_SOURCE.encode()).with_header(
            "ce_id", f"poison-{next(self.numbers)}".encode()
        )
        return POISON[code](named).with_header("expected", code.encode())

    def _percents(self) -> dict[str, str]:
        cut, second = sorted((self.dice.randint(1, 98), self.dice.randint(1, 98)))
        parts: dict[str, Any] = {"F1": cut, "F2": second - cut, "F3": 100 - second}
        return {fund: str(percent) for fund, percent in parts.items() if percent}

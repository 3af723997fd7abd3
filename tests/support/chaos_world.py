"""A seeded company for long chaos runs: what it says about itself, and an endless, seeded stream of payroll records."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from shared.events import topics
from shared.events.limits import LimitsFact
from tests.support import events
from tests.support.chaos_bounds import LINE_CENTS_MAX, made_up_limits
from tests.support.chaos_memory import Memory
from tests.support.chaos_poison import ANSWER, POISON, UNKNOWN_FUND, poisoned
from tests.support.events import Outgoing

FUNDS = {"F1": 3, "F2": 6, "F3": 4}
PLANS = tuple(f"PLAN{number}" for number in range(6))
SOURCES = ("pre_tax", "roth", "match")
HUGE_BYTES, HUGE_MAX = 1_000_000, 40
"""A line of nearly a megabyte is legal; so many of a run are."""


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
    good: Memory = field(init=False)
    """Good lines so far, for resends."""
    said: Memory = field(init=False)
    """Everything so far."""
    huge_left: int = HUGE_MAX

    def __post_init__(self) -> None:
        """Draw the people."""
        self.dice = random.Random(self.seed)
        self.good, self.said = Memory(self.seed + 1), Memory(self.seed + 2)
        self.people = {f"P{number:04}": self.dice.choice(PLANS) for number in range(300)}

    def head(self) -> list[Outgoing]:
        """Facts, census and first elections, for the day before the first."""
        said = [events.event(topics.LIMITS, str(one["year"]), LimitsFact.ce_type, one) for one in made_up_limits()]
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
        again = self.good.any_of(topics.PAYROLL_CONTRIBUTIONS.name, self.dice) if 0.05 <= kind < 0.10 else None
        if again:
            return Said(again if kind < 0.09 else again.but(body={"compensation_cents": 1}))
        if kind < 0.05:
            return Said(self._odd(kind, day))
        if 0.10 <= kind < 0.102 and self.huge_left:
            self.huge_left -= 1
            return Said(self._huge(day), astray=kind < 0.101)
        return Said(self._line(self._anybody(), day), astray=kind > 0.97)

    def _odd(self, kind: float, day: date) -> Outgoing:
        """Poison, lines of unknown people, elections; the last ones of a fund that nobody knows."""
        if kind < 0.02:
            return self._poison(day)
        if kind < 0.03:
            return self._line("X" + self._anybody(), day)
        return self.election() if kind < 0.048 else self._election_of_nothing()

    def acknowledged(self, said: Said) -> None:
        """A good line that stands in the log, and where it belongs, may be sent again later."""
        if said.astray or said.record.topic != topics.PAYROLL_CONTRIBUTIONS.name:
            return
        is_good = dict(said.record.headers).get("ce_source") == events.SOURCE.encode()
        if is_good and (said.record.key or b"").decode() in self.people:
            self.good.keep(said.record)

    def election(self) -> Outgoing:
        """Somebody chooses anew."""
        person = self._anybody()
        return events.election(person, self._percents(), self.people[person])

    def unsaid(self, day: date, dice: random.Random) -> list[Outgoing]:
        """What is written in a transaction and taken back: whoever reads it pays, prices or books too much."""
        person, fund = dice.choice(list(self.people)), dice.choice(list(FUNDS))
        plan, name = self.people[person], f"unsaid-{next(self.numbers)}"
        run, amounts = f"{plan}-{day}", dict.fromkeys(SOURCES, LINE_CENTS_MAX)
        return [
            events.funding(run, 100_000_000, plan_id=plan),
            events.line(person, amounts, payroll=run, plan=plan, ce_id=name, pay_date=day.isoformat()),
            events.price(fund, day.isoformat(), "1.0000"),
            events.election(person, {"F2": "100"}, plan),
        ]

    def _anybody(self) -> str:
        return self.dice.choice(list(self.people))

    def _election_of_nothing(self) -> Outgoing:
        person = self._anybody()
        return events.election(person, {UNKNOWN_FUND: "100"}, self.people[person]).with_header(ANSWER, b"UNKNOWN_FUND")

    def _huge(self, day: date) -> Outgoing:
        return self._line(self._anybody(), day).but(body={"remark": self.dice.randbytes(HUGE_BYTES // 2).hex()})

    def _line(self, person: str, day: date) -> Outgoing:
        number, plan = next(self.numbers), self.people.get(person, PLANS[0])
        amounts = {source: self.dice.randint(0, LINE_CENTS_MAX) for source in SOURCES}
        # Each pay differs, so that no two lines are the same line under two ids.
        return events.line(
            person, amounts, payroll=f"{plan}-{day}", plan=plan, ce_id=f"line-{number}", pay_date=day.isoformat(),
            compensation_cents=300_000 + number,
        )  # fmt: skip

    def _poison(self, day: date) -> Outgoing:
        kind = self.dice.choice(list(POISON))
        return poisoned(kind, self._line(self._anybody(), day), f"poison-{next(self.numbers)}")

    def _percents(self) -> dict[str, str]:
        cut, second = sorted((self.dice.randint(1, 98), self.dice.randint(1, 98)))
        parts: dict[str, Any] = {"F1": cut, "F2": second - cut, "F3": 100 - second}
        return {fund: str(percent) for fund, percent in parts.items() if percent}

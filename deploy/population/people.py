"""People: ages, pay, deferral rates and what they chose to invest in. All figures are made up; no one is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.population.market import CORE_FUNDS, vintage_of
from deploy.population.plans import Plan
from deploy.population.seeds import stream
from deploy.wire.outgoing import Outgoing, event
from shared.events.census import Census
from shared.events.requests import ElectionChanged

Ints = npt.NDArray[np.int64]

PAYS_PER_YEAR = 26
PAY_MEDIAN_DOLLARS = 2_450
"""Median gross pay of two weeks; with the spread below, one in thirty earns more than three times as much."""
PAY_SPREAD = 0.55
DEFERRAL_BASIS_POINTS = (100, 200, 300, 400, 500, 600, 800, 1000, 1200, 1500)
DEFERRAL_WEIGHTS = (0.03, 0.05, 0.17, 0.11, 0.13, 0.20, 0.11, 0.11, 0.05, 0.04)
ROTH_ONLY, SPLIT_WITH_ROTH = 0.12, 0.14
BY_DEFAULT, TARGET_DATE = 0.18, 0.58
"""Who never chose goes to the plan's default fund; most who choose take one target-date fund; the rest mix."""

LIMIT_402G_CENTS = {2026: 2_450_000}
"""The yearly limit on deferrals of people below 50, as announced in Notice 2025-67."""


@dataclass(frozen=True, slots=True)
class Person:
    """One participant. Cents are of one pay; ``funds`` in percent, empty = never chose."""

    participant_id: str
    plan: Plan
    born: date
    hired: date
    pay_cents: int
    pre_tax_cents: int
    roth_cents: int
    funds: tuple[tuple[str, int], ...]
    deferral_room_cents: int | None = None
    """What is left of this year's limit; None = so much that no pay of this year reaches it."""

    @property
    def deferral_cents(self) -> int:
        """Both deferrals of one pay."""
        return self.pre_tax_cents + self.roth_cents


def draw_people(plans: list[Plan], seed: int, near_limit: int = 0) -> list[Person]:
    """Everybody in every plan; ``near_limit`` of them (below 50) have room for half of their next deferral only."""
    plan_of = [plan for plan in plans for _ in range(plan.size)]
    dice = stream(seed, "people")
    count = len(plan_of)
    born = dice.integers(1958, 2005, count)
    days = dice.integers(0, 365, count)
    service = np.minimum(dice.exponential(6.0, count), 2024 - born - 18 + 1).clip(0.1)
    pay: Ints = np.rint(dice.lognormal(np.log(PAY_MEDIAN_DOLLARS * 100), PAY_SPREAD, count)).astype(np.int64)
    pay = pay.clip(30_000, 1_300_000)
    points = dice.choice(DEFERRAL_BASIS_POINTS, size=count, p=np.array(DEFERRAL_WEIGHTS))
    deferral = pay * points // 10_000
    kind, parts = dice.random(count), dice.integers(2, 9, count)
    roth = np.where(kind < ROTH_ONLY, deferral, np.where(kind < ROTH_ONLY + SPLIT_WITH_ROTH, deferral * parts // 10, 0))
    choice = dice.random(count)
    young = np.flatnonzero(born > 1980)
    limited = set(dice.permutation(young)[:near_limit].tolist())
    return [
        Person(
            f"P-{index + 1:07d}",
            plan,
            date.fromordinal(date(int(born[index]), 1, 1).toordinal() + int(days[index])),
            date.fromordinal(date(2026, 1, 5).toordinal() - int(service[index] * 365)),
            int(pay[index]),
            int(deferral[index] - roth[index]) if "roth" in plan.design.sources else int(deferral[index]),
            int(roth[index]) if "roth" in plan.design.sources else 0,
            _funds(dice, float(choice[index]), int(born[index])),
            int(deferral[index]) // 2 if index in limited else None,
        )
        for index, plan in enumerate(plan_of)
    ]


def _funds(dice: np.random.Generator, choice: float, birth_year: int) -> tuple[tuple[str, int], ...]:
    """Nothing, one target-date fund, or three to six funds in steps of five percent."""
    if choice < BY_DEFAULT:
        return ()
    if choice < BY_DEFAULT + TARGET_DATE:
        return ((vintage_of(birth_year), 100),)
    count = int(dice.integers(3, 7))
    names = dice.choice(len(CORE_FUNDS), size=count, replace=False)
    steps = dice.multinomial(20 - count, np.full(count, 1 / count)) + 1
    return tuple((CORE_FUNDS[int(name)], int(step) * 5) for name, step in zip(names, steps, strict=True))


def census_facts(people: list[Person], ce_source: str, year: int) -> Iterator[Outgoing]:
    """What plan administration says about everybody; who is near the limit deferred the rest before conversion."""
    for person in people:
        yield event(
            person.participant_id, Census.ce_type, f"census:{person.participant_id}", ce_source,
            plan_id=person.plan.plan_id, participant_id=person.participant_id, birth_date=person.born.isoformat(),
            hire_date=person.hired.isoformat(), prior_year_wages_cents=person.pay_cents * PAYS_PER_YEAR,
            opening=_opening(person, year),
        )  # fmt: skip


def _opening(person: Person, year: int) -> dict[str, Any] | None:
    if person.deferral_room_cents is None:
        return None
    return {"year": year, "regular_cents": LIMIT_402G_CENTS[year] - person.deferral_room_cents}


def elections(people: list[Person], ce_source: str) -> Iterator[Outgoing]:
    """The elections of those who chose."""
    for person in people:
        if person.funds:
            yield event(
                person.participant_id, ElectionChanged.ce_type, f"election:{person.participant_id}", ce_source,
                plan_id=person.plan.plan_id, participant_id=person.participant_id,
                elections=[{"fund_id": fund, "percent": str(percent)} for fund, percent in person.funds],
            )  # fmt: skip

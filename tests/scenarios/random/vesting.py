"""How much of an employer source belongs to a participant: whole years since the hire date, by the plan's schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tests.scenarios.random.law import Person

SCHEDULES: dict[str, Sequence[int]] = {
    "immediate": (100,),
    "cliff_3": (0, 0, 100),
    "graded_2_6": (0, 20, 40, 60, 80, 100),
}
"""Percent after one year, two, three …; before the first year nothing, except at once."""


def years_of_service(person: Person, on: date) -> int:
    """Whole years from the hire date to ``on``, or to the day somebody left."""
    until = min(on, person.terminated) if person.terminated is not None else on
    before_the_day = (until.month, until.day) < (person.hired.month, person.hired.day)
    return max(0, until.year - person.hired.year - before_the_day)


def vested_percent(schedule: str | Sequence[str], person: Person, on: date) -> int:
    """The vested percent of one source."""
    if schedule == "immediate":
        return 100
    steps = SCHEDULES[schedule] if isinstance(schedule, str) else [int(step) for step in schedule]
    years = years_of_service(person, on)
    return steps[min(years, len(steps)) - 1] if years else 0

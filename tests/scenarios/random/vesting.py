"""How much of an employer source belongs to a participant: whole years since the hire date, by the plan's schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tests.scenarios.random.people import Person

SCHEDULES: dict[str, Sequence[int]] = {
    "immediate": (100,),
    "cliff_3": (0, 0, 100),
    "graded_2_6": (0, 20, 40, 60, 80, 100),
}
"""Percent after one year, two, three …; before the first year nothing, except at once."""


def years_of_service(person: Person, on: date) -> int:
    """Calendar years of a thousand hours where hours are told; else whole years from the hire date to ``on``.

    They end with the day somebody left; an absence of less than a year counts as worked once he is back.
    """
    if person.hours:
        return sum(year <= on.year and hours >= 1000 for year, hours in person.hours)
    left = [left for hired, left in person.spells if hired <= on][-1:]
    until = on if not left or left[0] is None else min(on, left[0])
    before_the_day = (until.month, until.day) < (person.hired.month, person.hired.day)
    return max(0, until.year - person.hired.year - before_the_day)


def vested_percent(schedule: str | Sequence[str], person: Person, on: date) -> int:
    """The vested percent of one source."""
    if schedule == "immediate":
        return 100
    steps = SCHEDULES[schedule] if isinstance(schedule, str) else [int(step) for step in schedule]
    years = years_of_service(person, on)
    return steps[min(years, len(steps)) - 1] if years else 0

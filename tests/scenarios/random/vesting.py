"""How much of an employer source belongs to a participant: whole years since the hire date, by the plan's schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from tests.scenarios.random.people import Person

SCHEDULES: dict[str, Sequence[int]] = {
    "immediate": (100,),
    "cliff_3": (0, 0, 100),
    "graded_2_6": (0, 20, 40, 60, 80, 100),
}
"""Percent after one year, two, three …; before the first year nothing, except at once."""


def years_of_service(person: Person, on: date) -> int:
    """Calendar years of a thousand hours where hours are told, and whole years of work in the others.

    They end with the day somebody left; an absence of less than a year counts as worked once he is back.
    """
    told = dict(person.hours)
    left = [left for hired, left in person.spells if hired <= on][-1:]
    until = on if not left or left[0] is None else min(on, left[0])
    found = [years_and_days(first, last) for first, last in _stretches(person.hired, until, told)]
    further = sum(days for _, days in found) // 365 if len(found) > 1 else 0
    by_hours = sum(year <= on.year and hours >= 1000 for year, hours in person.hours)
    return by_hours + sum(years for years, _ in found) + further


def _stretches(first: date, last: date, told: Mapping[int, int]) -> Iterator[tuple[date, date]]:
    """What lies between the years of which hours are told."""
    while first <= last:
        end = next((year for year in sorted(told) if year >= first.year), None)
        stop = last if end is None else min(last, date(end, 1, 1) - timedelta(days=1))
        if first <= stop:
            yield first, stop
        if end is None:
            return
        first = date(end + 1, 1, 1)


def years_and_days(first: date, last: date) -> tuple[int, int]:
    """Whole years, both days included, and the days that are left."""
    after = last + timedelta(days=1)
    years = after.year - first.year - ((after.month, after.day) < (first.month, first.day))
    return years, (after - first.replace(year=first.year + years)).days


def vested_percent(schedule: str | Sequence[str], person: Person, on: date) -> int:
    """The vested percent of one source."""
    if schedule == "immediate":
        return 100
    steps = SCHEDULES[schedule] if isinstance(schedule, str) else [int(step) for step in schedule]
    years = years_of_service(person, on)
    return steps[min(years, len(steps)) - 1] if years else 0

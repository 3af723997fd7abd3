"""Fills that could not be posted: terms of the proof from the date they were parked on until they are freed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from shared.events.packed import Fill

Person = tuple[str, str]
"""Plan and participant."""


class ParkedFill(NamedTuple):
    """A fill that was set aside on a date, and the date it was posted for at last; ``None`` while it waits."""

    parked_for: date
    freed_for: date | None
    fill: Fill

    def is_open_at(self, day: date) -> bool:
        """True when the close of ``day`` finds it parked."""
        return self.parked_for <= day and (self.freed_for is None or self.freed_for > day)


def posted_cents(fill: Fill) -> int:
    """The cents that posting it books against the custodian: what a buy costs; what a sell brings, negative."""
    return sum(fill.cents) if fill.proceeds is None else -sum(fill.proceeds)


def parked_totals(parked: Iterable[ParkedFill], day: date) -> dict[str, int]:
    """What was parked on ``day`` and what was freed for it; one that did both on one date is in both."""
    totals: Counter[str] = Counter()
    for one in parked:
        cents, units = posted_cents(one.fill), sum(one.fill.units)
        for what, dated in (("parked", one.parked_for), ("freed", one.freed_for)):
            if dated == day:
                totals.update({f"{what}_fills": 1, f"{what}_cents": cents, f"{what}_units": units})
    return dict(totals)


def units_parked(parked: Iterable[ParkedFill], day: date) -> dict[tuple[str, str], int]:
    """Units by plan and fund that the custodian books and no position has at the close of ``day``."""
    units: Counter[tuple[str, str]] = Counter()
    for one in parked:
        if one.is_open_at(day):
            units[one.fill.plan_id, one.fill.fund_id] += sum(one.fill.units)
    return dict(units)


def people_waiting(parked: Iterable[ParkedFill], day: date) -> dict[Person, int]:
    """Who is named in a fill that is parked at the close of ``day``, with his bucket: his balance is not final."""
    waiting: dict[Person, int] = {}
    for one in parked:
        if one.is_open_at(day):
            people = ((one.fill.plan_id, who) for who in one.fill.participants)
            waiting.update(zip(people, one.fill.buckets, strict=True))
    return waiting

"""What the census says about a person: birth, employment as a history, last year's wages, hours, the opening.

Amounts are integer cents.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec


class Employment(NamedTuple):
    """One spell of employment: first and last day; `ended` None = still employed."""

    hired: date
    ended: date | None = None


class Opening(msgspec.Struct, frozen=True, gc=False):
    """What was deferred in a year before the engine kept the books (conversion, an earlier employer)."""

    year: int
    regular_cents: int = 0
    catch_up_cents: int = 0
    compensation_cents: int = 0


class Participant(msgspec.Struct, frozen=True, gc=False):
    """What the census says about one person, as in force for the line being decided.

    `prior_year_wages_cents`: Social Security wages of the calendar year before the pay date; None = unknown.
    """

    birth_date: date
    employment: tuple[Employment, ...]
    prior_year_wages_cents: int | None = None
    hours_by_year: Mapping[int, int] = {}
    group: str | None = None
    opening: Opening | None = None


def participant_of_census(census: Mapping[str, Any], before: Participant | None = None) -> Participant:
    """Return the person a census fact describes; `before` (the last fact's) brings the employment history.

    Dates are ISO text, as in the event's JSON.
    """
    history = with_census_dates(
        () if before is None else before.employment,
        date.fromisoformat(census["hire_date"]),
        _optional_date(census.get("termination_date")),
        _optional_date(census.get("rehire_date")),
    )
    opening = census.get("opening")
    return Participant(
        birth_date=date.fromisoformat(census["birth_date"]),
        employment=history,
        prior_year_wages_cents=census.get("prior_year_wages_cents"),
        hours_by_year={int(year): int(hours) for year, hours in (census.get("hours_by_year") or {}).items()},
        group=census.get("group"),
        opening=None if opening is None else msgspec.convert(opening, Opening),
    )


def _optional_date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def with_census_dates(
    history: tuple[Employment, ...], hired: date, ended: date | None, rehired: date | None
) -> tuple[Employment, ...]:
    """Return the employment history after a census record, which has one slot for each kind of date.

    A record restates the spells it overlaps and keeps the others: rehires are a history. With a rehire, an end before
    it belongs to the spell before it, an end after it to the rehire.
    """
    if rehired is None:
        return _restated(history, Employment(hired, ended))
    earlier = [spell for spell in history if spell.hired < rehired] or [Employment(hired)]
    before = earlier.pop()
    day_before = rehired - timedelta(days=1)
    if ended is not None and ended <= rehired:
        before, rehire = Employment(before.hired, min(ended, day_before)), Employment(rehired)
    else:
        before = Employment(before.hired, day_before if before.ended is None else min(before.ended, day_before))
        rehire = Employment(rehired, ended)
    return _restated((*earlier, before), rehire)


def _restated(history: tuple[Employment, ...], spell: Employment) -> tuple[Employment, ...]:
    before = tuple(known for known in history if known.ended is not None and known.ended < spell.hired)
    after = tuple(known for known in history if spell.ended is not None and known.hired > spell.ended)
    return (*before, spell, *after)

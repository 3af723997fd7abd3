"""What decided lines would be if a corrected census fact had been known: compared to the cent, touched by nobody.

A year is decided twice from its beginning, with the facts each line was decided by and with the person as known now;
what comes out differently is what the correction changes. Reversals are left out of both, so they cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.contribution.rules.intake import Line
from services.contribution.rules.limits import Limits
from services.contribution.rules.line import LineDecision, decide_line
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PlanRules
from services.contribution.rules.records import YearToDate, year_to_date_at_start


class DecidedLine(NamedTuple):
    """A line with what it was decided by."""

    line: Line
    plan: PlanRules
    limits: Limits
    person: Participant


class Difference(NamedTuple):
    """One line that would be decided differently.

    `cents`: what would be credited less what was, by source, in text order, the engine's match included. A line whose
    cents stay and whose codes change differs too.
    """

    place: int
    cents: tuple[tuple[str, int], ...]
    codes_then: tuple[str, ...]
    codes_now: tuple[str, ...]


def differences(lines: Sequence[DecidedLine], now: Participant, wages_year: int) -> list[Difference]:
    """Return the lines of one participant, plan and calendar year that the person as known `now` changes.

    Wages are told of one year only: those of `now` count for lines of `wages_year`, others keep what was known then.
    """
    then_year = now_year = None
    found = []
    for place, one in enumerate(lines):
        year = one.line.pay_date.year
        person = now
        if year != wages_year:
            person = msgspec.structs.replace(now, prior_year_wages_cents=one.person.prior_year_wages_cents)
        then = _decide(one, one.person, then_year)
        changed = _decide(one, person, now_year)
        then_year, now_year = then.year_to_date, changed.year_to_date
        cents = _subtracted(changed, then)
        if cents or then.codes != changed.codes:
            found.append(Difference(place, cents, then.codes, changed.codes))
    return found


def _decide(one: DecidedLine, person: Participant, before: YearToDate | None) -> LineDecision:
    if before is None:
        before = year_to_date_at_start(person, one.line.pay_date.year)
    return decide_line(one.line, one.plan, person, one.limits, before)


def _subtracted(now: LineDecision, then: LineDecision) -> tuple[tuple[str, int], ...]:
    cents = dict(now.credited)
    for source, some in then.credited:
        cents[source] = cents.get(source, 0) - some
    return tuple(sorted((source, some) for source, some in cents.items() if some))

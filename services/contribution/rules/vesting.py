"""Vesting: how much of the employer's money is the participant's own, and what is forfeited.

Law: IRC 411(a)(2)(B): a plan may be faster than a three-year cliff or the two-to-six-year grading, never slower; a safe
harbor match is vested at once, in a qualified automatic contribution arrangement (QACA) after two years at the latest
(IRC 401(k)(13)(D)(iii)(I)). Whether a plan is one, is the plan's to say: a schedule on that match says it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from services.contribution.rules.eligibility import SEVERANCE_SHORTER_THAN_MONTHS, add_months
from services.contribution.rules.participant import Participant
from services.contribution.rules.sources import SCHEDULED, SOURCES
from shared.values.rounding import half_up_div

HOURS_OF_A_YEAR_OF_SERVICE = 1_000
HOURS_OF_A_BREAK = 500
BREAKS_THAT_FORFEIT = 5


@dataclass(frozen=True, slots=True)
class VestingSchedule:
    """Percent vested after 1, 2, 3 … years of service; the last one stays."""

    percent_by_year: tuple[int, ...]
    percent_at_once: int = 0

    def percent_after(self, years: int) -> int:
        """Return the vested percent after `years` full years of vesting service."""
        if years < 1:
            return self.percent_at_once
        return self.percent_by_year[min(years, len(self.percent_by_year)) - 1]


@dataclass(frozen=True, slots=True)
class VestingTerms:
    """What a plan says about vesting: schedules by source, and the age at which all of it is the participant's."""

    schedules: Mapping[str, VestingSchedule] = field(default_factory=dict)
    normal_retirement_age: int | None = None


IMMEDIATE = VestingSchedule((100,), percent_at_once=100)
CLIFF_2 = VestingSchedule((0, 100))
CLIFF_3 = VestingSchedule((0, 0, 100))
GRADED_2_6 = VestingSchedule((0, 20, 40, 60, 80, 100))
SCHEDULES = {"immediate": IMMEDIATE, "cliff_2": CLIFF_2, "cliff_3": CLIFF_3, "graded_2_6": GRADED_2_6}


def vesting_schedule_of(source: str, fact: object) -> VestingSchedule:
    """Return the schedule a plan sets for `source`: a name, or a list of percents by year.

    Raises ValueError for an unknown name, percents that fall or leave 0–100, a schedule slower than the law
    allows, or a source that must vest at once (deferrals, QNEC, QMAC, rollovers).
    """
    if source not in SOURCES:
        raise ValueError(f"vesting names the unknown source {source!r}")
    schedule = _schedule_of(fact)
    if schedule != IMMEDIATE and source not in SCHEDULED:
        raise ValueError(f"{source} is vested at once by law")
    if SOURCES[source].vests_in_two_years:
        if not is_as_fast_as(schedule, CLIFF_2):
            raise ValueError(f"the vesting of {source} is slower than IRC 401(k)(13)(D)(iii) allows")
    elif not any(is_as_fast_as(schedule, slowest) for slowest in (CLIFF_3, GRADED_2_6)):
        raise ValueError(f"the vesting of {source} is slower than IRC 411(a)(2)(B) allows")
    return schedule


def _schedule_of(fact: object) -> VestingSchedule:
    if isinstance(fact, str):
        if fact not in SCHEDULES:
            raise ValueError(f"unknown vesting schedule {fact!r}")
        return SCHEDULES[fact]
    if not isinstance(fact, Sequence) or not fact:
        raise ValueError("a vesting schedule is a name or a list of percents by year")
    percents = tuple(int(str(percent)) for percent in fact)
    if any(not 0 <= percent <= 100 for percent in percents) or list(percents) != sorted(percents):
        raise ValueError("vested percents rise from 0 to 100")
    return VestingSchedule(percents)


def is_as_fast_as(schedule: VestingSchedule, slowest: VestingSchedule) -> bool:
    """Say whether the schedule gives, at every year, at least what the slowest one gives."""
    return all(schedule.percent_after(year) >= slowest.percent_after(year) for year in range(1, 8))


class Span(NamedTuple):
    """Days from the first to the last, both included."""

    first: date
    last: date


def vested_percent(terms: VestingTerms, source: str, participant: Participant, as_of: date) -> int:
    """Return the vested percent of `source`; one without a schedule is vested at once, and so is who worked at the
    plan's normal retirement age (IRC 411(a)(8)).
    """
    schedule = terms.schedules.get(source, IMMEDIATE)
    if schedule == IMMEDIATE or worked_at_age(participant, terms.normal_retirement_age, as_of):
        return 100
    return schedule.percent_after(vesting_service(participant, as_of))


def worked_at_age(participant: Participant, age: int | None, as_of: date) -> bool:
    """Say whether, by `as_of`, somebody was employed on the day of that age or after it; False without an age."""
    if age is None:
        return False
    reached = add_months(participant.birth_date, 12 * age)
    return reached <= as_of and any(
        spell.hired <= as_of and (spell.ended is None or spell.ended >= reached) for spell in participant.employment
    )


def years_of_service(hours_by_year: Mapping[int, int], through_year: int) -> int:
    """Return the years up to `through_year` with at least 1,000 hours (IRC 411(a)(5)(A))."""
    return sum(year <= through_year and hours >= HOURS_OF_A_YEAR_OF_SERVICE for year, hours in hours_by_year.items())


def vesting_service(participant: Participant, as_of: date) -> int:
    """Return the full years of vesting service by `as_of`.

    A calendar year of which the census tells hours counts by them; what was worked in the other years counts by elapsed
    time, so that hours which begin to be told take nothing away. An absence of less than twelve months counts as worked
    (Reg. 1.410(a)-7(d)(1)(iii)).
    """
    told = participant.hours_by_year
    spans = _worked(participant, as_of)
    by_time = [part for span in spans for part in _outside(span, told)] if told else spans
    return years_of_service(told, as_of.year) + _whole_years(by_time)


def _worked(participant: Participant, as_of: date) -> list[Span]:
    """The spans of employment by `as_of`, with short absences in them."""
    spans: list[Span] = []
    for hired, ended in participant.employment:
        if hired > as_of:
            break
        last = as_of if ended is None else min(ended, as_of)
        if spans and hired < add_months(spans[-1].last, SEVERANCE_SHORTER_THAN_MONTHS):
            spans[-1] = Span(spans[-1].first, last)
        else:
            spans.append(Span(hired, last))
    return spans


def _outside(span: Span, years: Container[int]) -> Iterator[Span]:
    """What is left of a span without some calendar years."""
    first = span.first
    for year in range(span.first.year, span.last.year + 1):
        if year not in years:
            continue
        if first.year < year:
            yield Span(first, date(year - 1, 12, 31))
        first = date(year + 1, 1, 1)
    if first <= span.last:
        yield Span(first, span.last)


def _whole_years(spans: Sequence[Span]) -> int:
    """The years of all spans together; 365 days beside whole years make one more (Reg. 1.410(a)-7(d)(1))."""
    years = days = 0
    for first, last in spans:
        after = last + timedelta(days=1)  # The last day of a year is served when it is over.
        whole = after.year - first.year
        if add_months(first, 12 * whole) > after:
            whole -= 1
        years += whole
        days += (after - add_months(first, 12 * whole)).days
    return years + days // 365 if len(spans) > 1 else years


def breaks_in_service(hours_by_year: Mapping[int, int], last_worked_year: int, through_year: int) -> int:
    """Return the consecutive one-year breaks (not more than 500 hours) that end with `through_year`.

    A year after `last_worked_year` without recorded hours is a break. Five of them forfeit (IRC 411(a)(6)(A), (C)).
    """
    breaks = 0
    for year in range(through_year, last_worked_year, -1):
        if hours_by_year.get(year, 0) > HOURS_OF_A_BREAK:
            break
        breaks += 1
    return breaks


def is_forfeited(*, has_cashed_out: bool, consecutive_breaks: int) -> bool:
    """Say whether the unvested part is forfeited: on a full cash-out, or after five one-year breaks."""
    return has_cashed_out or consecutive_breaks >= BREAKS_THAT_FORFEIT


class VestedSplit(NamedTuple):
    """A balance (cents, or share units) parted into what is the participant's and what is forfeited."""

    vested: int
    forfeited: int


def vested_split(balance: int, percent: int) -> VestedSplit:
    """Part a balance at the vested percent: the vested part half-up, the forfeiture is the rest (A12).

    Only one side is rounded, so that no cent or share unit appears or vanishes.
    """
    vested = half_up_div(balance * percent, 100)
    return VestedSplit(vested, balance - vested)


def vested_after_partial_distribution(balance_cents: int, distributed_cents: int, percent: int) -> int:
    """Return P x (AB + D) - D, half-up, never below zero (Reg. 1.411(a)-7(d)(5); A12)."""
    return max(0, half_up_div((balance_cents + distributed_cents) * percent - distributed_cents * 100, 100))


class ForfeitureUse(NamedTuple):
    """How a funding of employer money is paid: from the forfeiture account, and by the employer's wire."""

    from_forfeitures_cents: int
    wired_cents: int


def use_forfeitures(available_cents: int, funding_cents: int) -> ForfeitureUse:
    """Pay employer money from forfeitures first, as far as they go (A12)."""
    used = min(available_cents, funding_cents)
    return ForfeitureUse(used, funding_cents - used)

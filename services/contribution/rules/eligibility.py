"""Who may contribute on a pay date: employment as a history, and the plan's age, service and entry-date rule.

Law: IRC 410(a) (at most age 21 and one year of 1,000 hours, entry at least every six months), SECURE 2.0 §125
(500 hours in each of two consecutive years). A plan without a rule lets every employee in at once (house rule).
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from services.contribution.rules.participant import Employment, Participant

NOT_ELIGIBLE, TERMINATED = "NOT_ELIGIBLE", "TERMINATED"

ENTRY_MONTHS = {
    "monthly": tuple(range(1, 13)),
    "quarterly": (1, 4, 7, 10),
    "semi_annual": (1, 7),
    "annual": (1,),
}
HOURS_OF_A_YEAR = 1_000
HOURS_OF_LONG_TERM_PART_TIME = 500
LATEST_AGE = 21
LATEST_SERVICE_MONTHS = 12
SEVERANCE_SHORTER_THAN_MONTHS = 12


@dataclass(frozen=True, slots=True)
class EligibilityRule:
    """Age (years), service (months), `entry` (immediate or the name of an entry calendar), groups left out.

    With `requires_hours` a year of service asks for 1,000 hours in a calendar year instead of elapsed time.
    """

    age: int = 0
    service_months: int = 0
    entry: str = "immediate"
    requires_hours: bool = False
    excluded_groups: frozenset[str] = frozenset()


def eligibility_rule_of(fact: object) -> EligibilityRule:
    """Return the rule of a plan fact. Raises ValueError for an unknown entry calendar or one stricter than the law."""
    if not isinstance(fact, Mapping):
        raise ValueError("eligibility must name age, service_months, entry …")
    excluded = fact.get("excluded_groups", ())
    if isinstance(excluded, str):
        raise ValueError("excluded_groups must be a list of names")
    rule = EligibilityRule(
        age=int(fact.get("age", 0)),
        service_months=int(fact.get("service_months", 0)),
        entry=str(fact.get("entry", "immediate")),
        requires_hours=fact.get("requires_hours") is True,
        excluded_groups=frozenset(excluded),
    )
    if rule.entry != "immediate" and rule.entry not in ENTRY_MONTHS:
        raise ValueError(f"unknown entry calendar {rule.entry!r}")
    if not 0 <= rule.age <= LATEST_AGE or not 0 <= rule.service_months <= LATEST_SERVICE_MONTHS:
        raise ValueError("a plan may ask for at most age 21 and 12 months of service (IRC 410(a)(1))")
    return rule


def refusal(
    rule: EligibilityRule | None, post_severance_days: int | None, participant: Participant, pay_date: date
) -> str | None:
    """Return the code that refuses the participant's money of a pay date, or None.

    A last pay cheque may come after the last day: it is taken for `post_severance_days`, or, without that setting,
    for two and a half months. That is the house rule: the law would let pay count until the later of two and a half
    months and the end of the limitation year (Reg. 1.415(c)-2(e)(3)), and a plan that wants so says it in days.
    """
    employment = participant.employment
    if not employment or pay_date < employment[0].hired:
        return NOT_ELIGIBLE
    if not is_paid_as_employee(employment, pay_date, post_severance_days):
        return TERMINATED
    if rule is None:
        return None
    if participant.group is not None and participant.group in rule.excluded_groups:
        return NOT_ELIGIBLE
    entry = entry_date(rule, participant)
    return None if entry is not None and entry <= pay_date else NOT_ELIGIBLE


def is_paid_as_employee(employment: tuple[Employment, ...], pay_date: date, post_severance_days: int | None) -> bool:
    """Say whether `pay_date` lies in a spell of employment or in the time a last pay cheque may take after one."""
    for spell in reversed(employment):
        if spell.hired <= pay_date:
            return spell.ended is None or pay_date <= _last_pay_day(spell.ended, post_severance_days)
    return False


def entry_date(rule: EligibilityRule, participant: Participant) -> date | None:
    """Return the day a person enters the plan, or None while service is missing.

    The later of the age and the service condition, then the next entry date. A condition met while away lets the
    person in on the day of the rehire.
    """
    employment = participant.employment
    served = _service_met_on(rule, participant)
    if served is None:
        return None
    aged = add_months(participant.birth_date, 12 * rule.age)
    entry = _next_entry(rule.entry, max(aged, served, employment[0].hired))
    for spell in employment:
        if spell.ended is None or entry <= spell.ended:
            return max(entry, spell.hired)
    return None


def _service_met_on(rule: EligibilityRule, participant: Participant) -> date | None:
    employment = participant.employment
    if rule.service_months == 0:
        return employment[0].hired
    if rule.requires_hours:
        return _hours_met_on(participant.hours_by_year)
    start = employment[0].hired
    previous_end: date | None = None
    for spell in employment:
        if previous_end is not None and spell.hired >= add_months(previous_end, SEVERANCE_SHORTER_THAN_MONTHS):
            # Service before a long absence counts again, the absence does not: move the start by its length.
            served_days = (previous_end - start).days + 1
            start = spell.hired - timedelta(days=served_days)
        met = add_months(start, rule.service_months)
        if spell.ended is None or met <= spell.ended:
            return met
        previous_end = spell.ended
    return None


def _hours_met_on(hours_by_year: Mapping[int, int]) -> date | None:
    """The first 1 January after a year of 1,000 hours, or after two consecutive years of 500 (long-term part-time)."""
    for year in sorted(hours_by_year):
        hours, before = hours_by_year[year], hours_by_year.get(year - 1, 0)
        if hours >= HOURS_OF_A_YEAR or min(hours, before) >= HOURS_OF_LONG_TERM_PART_TIME:
            return date(year + 1, 1, 1)
    return None


def _next_entry(entry: str, earliest: date) -> date:
    if entry == "immediate":
        return earliest
    years = (earliest.year, earliest.year + 1)
    days = (date(year, month, 1) for year in years for month in ENTRY_MONTHS[entry])
    return next(day for day in days if day >= earliest)


def _last_pay_day(ended: date, post_severance_days: int | None) -> date:
    if post_severance_days is None:
        return add_months(ended, 2) + timedelta(days=15)
    return ended + timedelta(days=post_severance_days)


def add_months(day: date, months: int) -> date:
    """Return the day `months` later; a day the month does not have becomes its last one."""
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month0 + 1)[1]
    return date(year, month0 + 1, min(day.day, last))

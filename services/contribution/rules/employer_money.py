"""What the employer gives for a whole year: the true-up of an annual match, a share of pay, an amount to be divided.

Pure arithmetic over what each participant has by now; 415(c) and eligibility are decided where the money is booked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.contribution.rules.match import MatchFormula, true_up
from services.contribution.rules.records import YearToDate
from shared.values.rounding import half_up_div
from shared.values.split import split_largest_remainder

PRO_RATA, PER_CAPITA = "pro_rata", "per_capita"


class YearOfWork(NamedTuple):
    """One participant's year in this plan, in cents, without what was deferred and earned before these books.

    `counted`: pay up to 401(a)(17). `paid`: what the source in question was credited, less what was reversed.
    """

    deferred: int
    counted: int
    paid: int


def year_of_work(year_to_date: YearToDate, opening: YearToDate, compensation_limit_cents: int, paid: int) -> YearOfWork:
    """Return what a year's accumulators say; the opening uses up the cap on pay but earns nothing here."""
    deferred = year_to_date.regular_cents + year_to_date.catch_up_cents
    counted = min(year_to_date.compensation_cents, compensation_limit_cents) - opening.compensation_cents
    return YearOfWork(deferred - opening.regular_cents - opening.catch_up_cents, max(0, counted), paid)


def true_ups(formula: MatchFormula, years: Mapping[str, YearOfWork]) -> tuple[dict[str, int], int]:
    """Return max(0, annual formula - paid) by participant, and the drift in cents that stays (A5).

    The drift, zero or negative, is what the year's roundings paid above the annual formula; nobody gives it back.
    """
    owed = {name: true_up(formula, year.deferred, year.counted, year.paid) for name, year in years.items()}
    return {name: one.cents for name, one in owed.items() if one.cents}, sum(one.drift_cents for one in owed.values())


def nonelective(share: int, unit: int, years: Mapping[str, YearOfWork]) -> dict[str, int]:
    """Return `share / unit` of each participant's counted pay, half-up once, less what the source has had this year."""
    owed = {name: half_up_div(year.counted * share, unit) - year.paid for name, year in years.items()}
    return {name: cents for name, cents in owed.items() if cents > 0}


def discretionary(cents: int, method: str, years: Mapping[str, YearOfWork]) -> dict[str, int]:
    """Divide an amount over participants, by counted pay or by heads, largest remainder, ties to the lowest id.

    Raises ValueError for an unknown method, or when nobody has pay that counts.
    """
    if method not in (PRO_RATA, PER_CAPITA):
        raise ValueError(f"the method must be {PRO_RATA} or {PER_CAPITA}, not {method!r}")
    names = sorted(name for name, year in years.items() if year.counted)
    if not names:
        raise ValueError("nobody has pay that counts in that year")
    weights = [years[name].counted if method == PRO_RATA else 1 for name in names]
    shares = split_largest_remainder(cents, weights)
    return {name: share for name, share in zip(names, shares, strict=True) if share}

"""The yearly dollar limits: effective-dated data with the notice that announced them, never code.

A year that is not in the table has no limits: its lines are held (`LIMITS_NOT_LOADED`), never decided by last year's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from typing import Any

from shared.values.rounding import half_up_div

LIMITS_FILE = "limits_2022_2026.json"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one calendar year, in cents; None = not in force that year.

    Law: elective deferral 402(g)(1); catch-up 414(v)(2)(B)(i), ages 60–63 414(v)(2)(E)(i); annual additions
    415(c)(1)(A); compensation 401(a)(17); wages above which catch-up must be Roth 414(v)(7)(A).
    """

    year: int
    elective_deferral_cents: int
    catch_up_cents: int
    catch_up_60_63_cents: int | None
    annual_additions_cents: int
    compensation_cents: int
    roth_catch_up_wages_cents: int | None
    notice: str


def limits_of(year: int, figures: Mapping[str, int | str | None]) -> Limits:
    """Return the limits of `year` from one entry of the reviewed table (whole dollars).

    Raises ValueError when a figure is missing, not a whole number, or not positive.
    """

    def cents(name: str) -> int:
        dollars = figures.get(name)
        if type(dollars) is not int or dollars <= 0:
            raise ValueError(f"limits of {year}: {name} must be a positive whole number of dollars, not {dollars!r}")
        return dollars * 100

    def optional_cents(name: str) -> int | None:
        return None if figures.get(name) is None else cents(name)

    return Limits(
        year=year,
        elective_deferral_cents=cents("elective_deferral"),
        catch_up_cents=cents("catch_up"),
        catch_up_60_63_cents=optional_cents("catch_up_60_63"),
        annual_additions_cents=cents("annual_additions"),
        compensation_cents=cents("compensation"),
        roth_catch_up_wages_cents=optional_cents("roth_catch_up_wages"),
        notice=str(figures.get("notice", "")),
    )


def limits_of_fact(fact: Mapping[str, Any]) -> Limits:
    """Return the limits a `limits.v1` fact states; its model has checked the figures (cents)."""
    stated: dict[str, Any] = {entry.name: fact.get(entry.name) for entry in fields(Limits)}
    return Limits(**stated)


@cache
def reviewed_limits() -> Mapping[int, Limits]:
    """Return the table that ships with the engine, by year (IRS cost-of-living notices 2021-61 to 2025-67)."""
    text = resources.files(__package__).joinpath(LIMITS_FILE).read_text(encoding="utf-8")
    return {int(year): limits_of(int(year), figures) for year, figures in json.loads(text)["years"].items()}


def catch_up_limit(limits: Limits, age_at_year_end: int, *, has_higher_catch_up: bool) -> int:
    """Return the catch-up a person may make in the year, in cents; 0 below 50.

    Age is that attained by 31 December (a birthday on that day counts). Ages 60–63 have a figure of their own from
    2025, if the plan adopted it; it is not 150 % of the base. Law: IRC 414(v)(2)(B)(i), (E)(i).
    """
    if age_at_year_end < 50:
        return 0
    if has_higher_catch_up and 60 <= age_at_year_end <= 63 and limits.catch_up_60_63_cents is not None:
        return limits.catch_up_60_63_cents
    return limits.catch_up_cents


def must_be_roth(limits: Limits, prior_year_wages_cents: int | None) -> bool:
    """Say whether catch-up must be Roth: last year's Social Security wages strictly above the threshold.

    Unknown wages: not subject (house rule). Law: IRC 414(v)(7)(A), Treasury decision 10033.
    """
    threshold = limits.roth_catch_up_wages_cents
    return threshold is not None and prior_year_wages_cents is not None and prior_year_wages_cents > threshold


@cache
def shortened(limits: Limits, months: int) -> Limits:
    """Return the limits of a plan whose limitation year of that calendar year has only so many months.

    Law: 415(c) and 401(a)(17) shrink, Reg. 1.415(j)-1(d), 1.401(a)(17)-1(b)(3)(iii); 402(g) and catch-up never do.
    """
    return replace(
        limits,
        annual_additions_cents=prorated_limit(limits.annual_additions_cents, months),
        compensation_cents=prorated_limit(limits.compensation_cents, months),
    )


def prorated_limit(limit_cents: int, months: int) -> int:
    """Return a 401(a)(17) or 415(c) limit for a short year of `months` (1–12), half-up to the cent.

    402(g) and catch-up are never prorated. Law: Reg. 1.401(a)(17)-1(b)(3)(iii), 1.415(j)-1(d).
    """
    if not 1 <= months <= 12:
        raise ValueError(f"a year has 1 to 12 months, not {months}")
    return half_up_div(limit_cents * months, 12)

"""The standing facts of a scenario file: plans, funds and participants."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deploy.scenarios.fields import Cents, Count, Day, Name, Part, Percent, Switch, Year


class Match(Part):
    """The engine's match formula: tiers of (percent of pay, percent matched)."""

    tiers: list[tuple[Percent, Percent]]
    period: Literal["per_pay", "annual"] = "per_pay"
    source: Literal["match", "safe_harbor_match", "qmac"] | None = None


class Eligibility(Part):
    """Who may contribute; the keys are those of the plan fact."""

    age: Count | None = None
    service_months: Count | None = None
    entry: Literal["immediate", "monthly", "quarterly", "semi_annual", "annual"] | None = None
    requires_hours: Switch | None = None
    excluded_groups: list[Name] | None = None


class PlanTerms(Part):
    """A plan's rules; what is left out has the default of the house rules."""

    sources: list[Name] | None = None
    default_fund: Name | None = None
    match: Match | None = None
    deferral_overflow: Literal["pro_rata", "pre_tax_first"] | None = None
    roth_catch_up: Literal["deemed", "reject"] | None = None
    vesting: dict[Name, Name | list[Percent]] | None = None
    trade_on: Literal["funding", "file"] | None = None
    on_totals_mismatch: Literal["hold", "trade"] | None = None
    catch_up_60_63: Switch | None = None
    eligibility: Eligibility | None = None
    post_severance_days: Count | None = None
    short_years: dict[Year, Count] | None = None
    normal_retirement_age: Count | None = None


class Plan(PlanTerms):
    """A plan as it is from the beginning."""

    sources: list[Name]
    default_fund: Name


class Fund(Part):
    """A fund and the scale of its shares (decimals of the smallest share)."""

    share_decimals: Annotated[int, Field(strict=True, ge=0, le=6)] = 3


class Census(Part):
    """What is known about a participant. ``ytd`` = regular deferrals of the first day's year, made before it."""

    plan: Name | None = None
    born: Day | None = None
    hired: Day | None = None
    terminated: Day | None = None
    rehired: Day | None = None
    prior_year_wages: Cents | None = None
    ytd: dict[Literal["pre_tax", "roth"], Cents] | None = None
    hours_by_year: dict[Year, Count] | None = None
    group: Name | None = None


class Participant(Census):
    """A participant as known from the beginning, with the election in force on the first day."""

    plan: Name
    born: Day
    hired: Day
    elections: dict[Name, Percent] | None = None

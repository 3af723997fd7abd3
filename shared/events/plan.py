"""Said by plan administration: the rules of a plan. A changed fact governs the dates after the one it came on."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from shared.events.base import Event
from shared.events.fields import Body, DecimalText, Id
from shared.events.sources import Source
from shared.events.topics import PLANS, Topic


def _rises(percents: tuple[str, ...]) -> tuple[str, ...]:
    numbers = [int(percent) for percent in percents]
    if numbers != sorted(numbers) or numbers[-1] > 100:
        raise ValueError("vested percents rise from 0 to 100")
    return percents


WholePercent = Annotated[str, Field(strict=True, pattern=r"^[0-9]{1,3}$")]
PercentByYear = Annotated[tuple[WholePercent, ...], Field(min_length=1, max_length=10), AfterValidator(_rises)]
VestingName = Literal["immediate", "cliff_2", "cliff_3", "graded_2_6"]

ShortYear = Annotated[int, Field(ge=1987, le=2200)]
ShortMonths = Annotated[int, Field(strict=True, ge=1, le=11)]
Tier = Annotated[tuple[DecimalText, ...], Field(min_length=2, max_length=2)]


class Match(Body):
    """The employer match that the engine calculates."""

    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=20)]
    """Tiers of [percent of pay, percent matched]: [["3", "100"], ["2", "50"]] matches the first 3 % of pay fully and
    the next 2 % by half. One half-up rounding at the end."""
    period: Literal["per_pay", "annual"] = "per_pay"
    """`annual` adds a true-up at the year's end."""
    source: Literal["match", "safe_harbor_match", "qmac"] = "match"
    """The source the match is credited to."""


class Eligibility(Body):
    """Who may contribute. Law: IRC 410(a)."""

    age: Annotated[int, Field(strict=True, ge=0, le=21)] = 0
    """Least age in years."""
    service_months: Annotated[int, Field(strict=True, ge=0, le=12)] = 0
    """Least service in months."""
    entry: Literal["immediate", "monthly", "quarterly", "semi_annual", "annual"] = "immediate"
    """On which dates people who meet the conditions come in."""
    requires_hours: Annotated[bool, Field(strict=True)] = False
    """Count a year of service by 1,000 hours instead of elapsed time."""
    excluded_groups: tuple[Id, ...] = ()
    """Employee groups that are left out."""


class PlanFact(Event):
    """The rules of a plan; what is left out has the engine's default. Key: plan_id."""

    ce_type: ClassVar[str] = "nestwork.plan.v1"
    topic: ClassVar[Topic] = PLANS

    plan_id: Id
    """The plan."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """The money types the plan takes."""
    default_fund: Id
    """Where money goes for which nobody chose a fund."""
    trade_on: Literal["funding", "file"] = "funding"
    """Invest when the cash of the run is there, or when its data is."""
    on_totals_mismatch: Literal["hold", "trade"] = "hold"
    """What a run does whose closing totals differ from its lines: wait, or trade all the same."""
    deferral_overflow: Literal["pro_rata", "pre_tax_first"] = "pro_rata"
    """How deferrals above the 402(g) room are cut over pre-tax and Roth."""
    roth_catch_up: Literal["deemed", "reject"] = "deemed"
    """Pre-tax catch-up of those above the wage threshold becomes Roth, or is refused. Law: IRC 414(v)(7)."""
    catch_up_60_63: Annotated[bool, Field(strict=True)] = True
    """The plan adopted the higher catch-up of ages 60 to 63. Law: IRC 414(v)(2)(E)."""
    match: Match | None = None
    """The match the engine calculates; left out = payroll sends the match."""
    eligibility: Eligibility | None = None
    """Left out = everybody may contribute at once."""
    post_severance_days: Annotated[int, Field(strict=True, ge=0, le=366)] | None = None
    """How many days after the last day a pay cheque is still taken; left out = two and a half months."""
    vesting: dict[Source, VestingName | PercentByYear] = Field(default_factory=dict)
    """Schedule by source: a name, or the percent after 1, 2, 3 … years. Left out = vested at once. A safe harbor match
    may have one that is whole after two years, as in a QACA. Law: IRC 401(k)(13)(D)(iii)."""
    normal_retirement_age: Annotated[int, Field(strict=True, ge=50, le=70)] | None = None
    """Who works at this age is vested in full, whatever the schedule. Law: IRC 411(a)(8)."""
    short_years: dict[ShortYear, ShortMonths] = Field(default_factory=dict)
    """Years in which the limitation year has fewer than twelve months (a plan amended or ended), by how many it has:
    415(c) and 401(a)(17) shrink with them. A new plan with a whole limitation year is not short."""
    same_day_exchange: Annotated[bool, Field(strict=True)] = True
    """Buys of an exchange trade on the date of its sells, with their confirmed dollars; else on the next date."""

    @model_validator(mode="after")
    def _match_has_its_source(self) -> Self:
        if len(set(self.sources)) != len(self.sources):
            raise ValueError("each source is named once")
        if self.match is not None and self.match.source not in self.sources:
            raise ValueError(f"the plan matches into {self.match.source}, which is not among its sources")
        return self

"""The rules of a plan, as data. Defaults are the house rules'."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.events.base import EventBody, Id


class Match(EventBody):
    """The engine's match: tiers of (percent of pay, percent matched), per pay or over the year."""

    tiers: list[tuple[str, str]]
    period: Literal["per_pay", "annual"] = "per_pay"
    source: Id = "match"


class PlanFact(EventBody):
    """A plan's terms. The first governs the date it is received for, a change the dates after."""

    ce_type: ClassVar[str] = "nestwork.plan.v1"
    topic: ClassVar[str] = "plans.v1"

    plan_id: Id
    sources: Annotated[list[Id], Field(min_length=1, max_length=64)]
    default_fund: Id
    trade_on: Literal["funding", "file"] = "funding"
    match: Match | None = None
    deferral_overflow: Literal["pro_rata", "pre_tax_first"] = "pro_rata"
    roth_catch_up: Literal["deemed", "reject"] = "deemed"
    catch_up_60_63: bool = True
    vesting: dict[str, str | list[str]] = Field(default_factory=dict)
    eligibility: dict[str, Any] | None = None

"""Said by participants and their advisers."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from shared.events.base import EventBody, Id, PositiveCents, Shares

_PERCENT = re.compile(r"\d{1,3}(\.\d{1,2})?", re.ASCII)


def basis_points(percent: str) -> int:
    """``"33.33"`` as 3333. Raises ``ValueError`` for anything finer than a hundredth of a percent."""
    if not _PERCENT.fullmatch(percent):
        raise ValueError(f"not a percentage: {percent!r}")
    whole, _, fraction = percent.partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


class ElectionPart(EventBody):
    """A share of future contributions that goes to one fund."""

    source_group: Literal["all", "employee", "employer"] = "all"
    fund_id: Id
    percent: str

    @field_validator("percent")
    @classmethod
    def _is_percentage(cls, value: str) -> str:
        if not 0 <= basis_points(value) <= 10_000:
            raise ValueError("a percentage is between 0 and 100")
        return value


class ElectionChanged(EventBody):
    """How future contributions are invested, from the next trade date on; percentages of a group sum to 100."""

    ce_type: ClassVar[str] = "nestwork.election.changed.v1"
    topic: ClassVar[str] = "participant.requests.v1"

    plan_id: Id
    participant_id: Id
    elections: Annotated[list[ElectionPart], Field(max_length=200)] | None = None
    model_id: Id | None = None

    @model_validator(mode="after")
    def _names_one_way(self) -> ElectionChanged:
        if (self.elections is None) == (self.model_id is None):
            raise ValueError("an election names either funds or a model")
        return self


class ExchangeRequested(EventBody):
    """Move money between funds."""

    ce_type: ClassVar[str] = "nestwork.exchange.requested.v1"
    topic: ClassVar[str] = "participant.requests.v1"

    plan_id: Id
    participant_id: Id
    source: Id | None = None
    from_fund_id: Id
    to_fund_id: Id
    shares: Shares | None = None
    percent: str | None = None
    cents: PositiveCents | None = None


class RebalanceRequested(EventBody):
    """Bring the holdings back to the elected weights."""

    ce_type: ClassVar[str] = "nestwork.rebalance.requested.v1"
    topic: ClassVar[str] = "participant.requests.v1"

    plan_id: Id
    participant_id: Id


class DistributionRequested(EventBody):
    """Pay money out."""

    ce_type: ClassVar[str] = "nestwork.distribution.requested.v1"
    topic: ClassVar[str] = "participant.requests.v1"

    plan_id: Id
    participant_id: Id
    kind: Id
    percent: str | None = None
    cents: PositiveCents | None = None

"""Said by participants and advisers: how money is to be invested, moved or paid out."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from shared.events.base import Event
from shared.events.fields import Body, DecimalText, Id, PositiveCents
from shared.events.sources import Source
from shared.events.topics import PARTICIPANT_REQUESTS, Topic

FUNDS_MAX = 200
PERCENT = r"^[0-9]{1,3}(\.[0-9]{1,2})?$"
_PERCENT = re.compile(PERCENT.strip("^$"), re.ASCII)


def basis_points(percent: str) -> int:
    """Return a percent such as "33.33" as 3333. Raises ``ValueError`` for anything finer than a hundredth."""
    if not _PERCENT.fullmatch(percent):
        raise ValueError(f"not a percentage: {percent!r}")
    whole, _, fraction = percent.partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


def _at_most_100(percent: str) -> str:
    if basis_points(percent) > 10_000:
        raise ValueError("a percentage is between 0 and 100")
    return percent


Percent = Annotated[str, Field(strict=True, pattern=PERCENT), AfterValidator(_at_most_100)]
"""0 to 100 with at most two decimals."""


class ElectionPart(Body):
    """One fund's part of an election."""

    source_group: Literal["all", "employee", "employer"] = "all"
    """Which money it is for; an election for a group stands before one for all."""
    fund_id: Id
    """The fund."""
    percent: Percent
    """Percent of each contribution, like "33.34"; the percents of a group add up to exactly 100."""


class ElectionChanged(Event):
    """How future contributions are split over funds, from the date after the one it came on. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.election.changed.v1"
    topic: ClassVar[Topic] = PARTICIPANT_REQUESTS

    plan_id: Id
    """The plan."""
    participant_id: Id
    """Must equal the record's key."""
    elections: Annotated[tuple[ElectionPart, ...], Field(min_length=1, max_length=FUNDS_MAX)] | None = None
    """Percent by fund; this or `model_id`."""
    model_id: Id | None = None
    """A model portfolio; this or `elections`."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.elections is None) == (self.model_id is None):
            raise ValueError("name either elections or a model_id")
        return self


class ExchangeRequested(Event):
    """Sell one fund and buy another with the proceeds. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.exchange.requested.v1"
    topic: ClassVar[Topic] = PARTICIPANT_REQUESTS

    plan_id: Id
    """The plan."""
    participant_id: Id
    """Must equal the record's key."""
    source: Source | None = None
    """The source to exchange; left out = all, in proportion to their shares."""
    from_fund_id: Id
    """The fund to sell."""
    to_fund_id: Id
    """The fund to buy."""
    shares: DecimalText | None = None
    """How many shares to sell; exactly one of `shares`, `percent`, `cents`."""
    percent: Percent | None = None
    """Percent of the position to sell."""
    cents: PositiveCents | None = None
    """Dollars to sell, in cents."""

    @model_validator(mode="after")
    def _says_how_much_once(self) -> Self:
        if sum(value is not None for value in (self.shares, self.percent, self.cents)) != 1:
            raise ValueError("name exactly one of shares, percent and cents")
        return self


class RebalanceRequested(Event):
    """Bring the positions to the percents of the election in force. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.rebalance.requested.v1"
    topic: ClassVar[Topic] = PARTICIPANT_REQUESTS

    plan_id: Id
    """The plan."""
    participant_id: Id
    """Must equal the record's key."""


class DistributionRequested(Event):
    """Pay money out of the plan. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.distribution.requested.v1"
    topic: ClassVar[Topic] = PARTICIPANT_REQUESTS

    plan_id: Id
    """The plan."""
    participant_id: Id
    """Must equal the record's key."""
    kind: Literal["termination", "in_service", "hardship", "required_minimum", "death", "rollover", "excess"]
    """Why the plan may pay."""
    percent: Percent | None = None
    """Percent of the vested balance; exactly one of `percent` and `cents`."""
    cents: PositiveCents | None = None
    """Gross dollars, in cents."""

    @model_validator(mode="after")
    def _says_how_much_once(self) -> Self:
        if (self.percent is None) == (self.cents is None):
            raise ValueError("name either percent or cents")
        return self

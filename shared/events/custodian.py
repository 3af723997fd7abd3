"""Said to and by the custodian: orders, confirmations, holdings. Shares and prices are decimal text, dollars cents."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shared.events.base import Event
from shared.events.fields import (
    NO_CONTROL_CHARACTERS,
    Body,
    Count,
    DecimalText,
    Id,
    IsoDate,
    NotNegativeCents,
    PositiveCents,
    PriceText,
    Text,
    Version,
)
from shared.events.topics import CUSTODIAN_CONFIRMATIONS, CUSTODIAN_HOLDINGS, CUSTODIAN_ORDERS, Topic

ORDER_ID_CHARACTERS_MAX = 400
"""Room for the ids of plan and fund inside it."""

OrderId = Annotated[
    str, Field(strict=True, min_length=1, max_length=ORDER_ID_CHARACTERS_MAX, pattern=NO_CONTROL_CHARACTERS)
]


class Order(Event):
    """One order of a plan's trust account. Key: order_id."""

    ce_type: ClassVar[str] = "nestwork.custodian.order.v1"
    topic: ClassVar[Topic] = CUSTODIAN_ORDERS

    order_id: OrderId
    """Made of trade date, plan, fund, side, unit and wave: a repeat carries the same."""
    plan_id: Id
    """The plan whose trust account trades."""
    fund_id: Id
    """The fund."""
    trade_date: IsoDate
    """The date whose net asset value prices the order."""
    side: Literal["buy", "sell"]
    """Buys are in dollars, sells in shares; a sell of dollars is an order of its own."""
    cents: PositiveCents | None = None
    """Dollars of a dollar order, in cents; exactly one of `cents` and `shares`."""
    shares: DecimalText | None = None
    """Shares of a share order."""
    wave: Count = 0
    """0 at the close; later waves buy with the confirmed proceeds of sells."""

    @model_validator(mode="after")
    def _is_in_dollars_or_shares(self) -> Self:
        if (self.cents is None) == (self.shares is None):
            raise ValueError("an order names either cents or shares")
        return self


class Confirmation(Event):
    """What the custodian says about an order. Key: order_id."""

    ce_type: ClassVar[str] = "nestwork.custodian.confirmation.v1"
    topic: ClassVar[Topic] = CUSTODIAN_CONFIRMATIONS

    order_id: OrderId
    """The order."""
    status: Literal["pending", "confirmed", "rejected", "corrected"]
    """`corrected` replaces an earlier version; `pending` and `rejected` carry no figures."""
    shares: DecimalText | None = None
    """Shares traded; 0 is valid."""
    price: PriceText | None = None
    """Dollars per share."""
    cents: NotNegativeCents | None = None
    """Dollars traded, in cents."""
    reason: Text | None = None
    """Why, for a rejection or a correction."""
    version: Version
    """Rises with each statement about the same order."""

    @model_validator(mode="after")
    def _has_figures_when_it_needs_them(self) -> Self:
        figures = (self.shares, self.price, self.cents)
        if self.status in ("confirmed", "corrected") and None in figures:
            raise ValueError(f"a {self.status} order names shares, price and cents")
        return self


class Holding(Body):
    """Shares of one fund in one plan's trust account."""

    plan_id: Id
    """The plan."""
    fund_id: Id
    """The fund."""
    shares: DecimalText
    """Shares as the custodian books them; positions of zero are left out."""


class Holdings(Event):
    """One part of the custodian's holdings of a date; the proof waits for all parts. Key: date."""

    ce_type: ClassVar[str] = "nestwork.custodian.holdings.v1"
    topic: ClassVar[Topic] = CUSTODIAN_HOLDINGS

    date: IsoDate
    """The date the holdings are of."""
    part: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    """This part, from 1."""
    parts: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    """How many parts there are; at least one, also when nothing is held."""
    positions: tuple[Holding, ...]
    """The positions of this part; a plan and fund that is named twice, here or in several parts, is added up."""

    @model_validator(mode="after")
    def _part_is_one_of_parts(self) -> Self:
        if self.part > self.parts:
            raise ValueError(f"part {self.part} of {self.parts}")
        return self

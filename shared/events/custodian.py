"""Said to and by the custodian."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from shared.events.base import EventBody, Id, NotNegativeCents, PositiveCents, PriceText, Shares

OrderId = Annotated[str, Field(min_length=1, max_length=400)]


class Order(EventBody):
    """One omnibus order: dollars for a buy, shares for a sell."""

    ce_type: ClassVar[str] = "nestwork.custodian.order.v1"
    topic: ClassVar[str] = "custodian.orders.v1"

    order_id: OrderId
    plan_id: Id
    fund_id: Id
    trade_date: date
    side: Literal["buy", "sell"]
    cents: PositiveCents | None = None
    shares: Shares | None = None
    wave: int = 0


class Confirmation(EventBody):
    """What became of an order; versions grow, ``corrected`` replaces what was confirmed before."""

    ce_type: ClassVar[str] = "nestwork.custodian.confirmation.v1"
    topic: ClassVar[str] = "custodian.confirmations.v1"

    order_id: OrderId
    status: Literal["pending", "confirmed", "rejected", "corrected"]
    shares: Shares | None = None
    price: PriceText | None = None
    cents: NotNegativeCents | None = None
    reason: str | None = None
    version: Annotated[int, Field(strict=True, ge=1)]

    @model_validator(mode="after")
    def _is_complete(self) -> Confirmation:
        if self.status in ("confirmed", "corrected") and None in (self.shares, self.price, self.cents):
            raise ValueError("a confirmed order names shares, price and cents")
        return self


class HeldPosition(EventBody):
    """Shares the custodian holds for one plan in one fund."""

    plan_id: Id
    fund_id: Id
    shares: Shares


class Holdings(EventBody):
    """One part of the custodian's holdings at the end of a date; the proof waits for all parts."""

    ce_type: ClassVar[str] = "nestwork.custodian.holdings.v1"
    topic: ClassVar[str] = "custodian.holdings.v1"

    date: date
    part: Annotated[int, Field(strict=True, ge=1)]
    parts: Annotated[int, Field(strict=True, ge=1)]
    positions: list[HeldPosition]

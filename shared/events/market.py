"""Prices, cut markers and day commands."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from shared.events.base import EventBody, Id, PriceText
from shared.values.shares import Price


class PriceFact(EventBody):
    """The price of one fund on one date; versions grow, ``final`` counts, ``corrected`` replaces it."""

    ce_type: ClassVar[str] = "nestwork.market.price.v1"
    topic: ClassVar[str] = "market.prices.v1"

    fund_id: Id
    price_date: date
    price: PriceText
    status: Literal["estimated", "final", "corrected"]
    version: Annotated[int, Field(strict=True, ge=1)]

    @field_validator("price")
    @classmethod
    def _is_positive(cls, value: str) -> str:
        Price.parse(value)
        return value


class DayCutMarker(EventBody):
    """Records before it belong to ``trade_date`` or earlier. Signed; only the engine appends it."""

    ce_type: ClassVar[str] = "nestwork.day.cut.v1"
    topic: ClassVar[str] = "every public input and control topic"

    trade_date: date


class ValueCutMarker(EventBody):
    """Confirmations and price versions before it are ``trade_date``'s. Signed; only the engine appends it."""

    ce_type: ClassVar[str] = "nestwork.day.value-cut.v1"
    topic: ClassVar[str] = "custodian.confirmations.v1, market.prices.v1, custodian.holdings.v1"

    trade_date: date


class CloseRequested(EventBody):
    """Close a trade date; skipped ones before it are closed one by one."""

    ce_type: ClassVar[str] = "nestwork.trade-date.close-requested.v1"
    topic: ClassVar[str] = "day.commands.v1"

    trade_date: date


class ValueRequested(EventBody):
    """Value a closed trade date with what is confirmed and priced by now."""

    ce_type: ClassVar[str] = "nestwork.trade-date.value-requested.v1"
    topic: ClassVar[str] = "day.commands.v1"

    trade_date: date

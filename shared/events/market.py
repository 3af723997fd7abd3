"""Prices, the commands of the day cycle, and the markers that cut the logs into business dates."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.events.base import Event
from shared.events.fields import CalendarDate, Id, IsoDate, PriceText, Version
from shared.events.topics import DAY_COMMANDS, MARKET_PRICES, PAYROLL_CONTRIBUTIONS, Topic


class PriceFact(Event):
    """A fund's net asset value per share on one date. Key: fund_id:price_date."""

    ce_type: ClassVar[str] = "nestwork.market.price.v1"
    topic: ClassVar[Topic] = MARKET_PRICES

    fund_id: Id
    """The fund."""
    price_date: IsoDate
    """The date it is the price of."""
    price: PriceText
    """Dollars per share as decimal text; positive, any number of decimals."""
    status: Literal["estimated", "final", "corrected"]
    """Only final and corrected prices move money."""
    version: Version
    """Rises with each statement about the same fund and date."""


class CloseRequested(Event):
    """End a trade date: what is in the logs by now belongs to it. Key: trade_date."""

    ce_type: ClassVar[str] = "nestwork.trade-date.close-requested.v1"
    topic: ClassVar[Topic] = DAY_COMMANDS

    trade_date: CalendarDate
    """The date to close; days close in order."""


class ValueRequested(Event):
    """Value a closed trade date with the confirmations and prices in the logs by now. Key: trade_date."""

    ce_type: ClassVar[str] = "nestwork.trade-date.value-requested.v1"
    topic: ClassVar[Topic] = DAY_COMMANDS

    trade_date: CalendarDate
    """The date to value."""


class DayCutMarker(Event):
    """Written by the engine only, signed, to every partition of every public input and control topic.

    Records before the first marker of a date belong to it, records after it to the next trading day.
    """

    ce_type: ClassVar[str] = "nestwork.day.cut.v1"
    topic: ClassVar[Topic] = PAYROLL_CONTRIBUTIONS  # And all of CUT_TOPICS.

    trade_date: IsoDate
    """The date that ends here."""


class ValueCutMarker(Event):
    """Written by the engine only, signed, to confirmations, prices and holdings.

    Confirmations and price versions before it are used in the valuation of its date.
    """

    ce_type: ClassVar[str] = "nestwork.day.value-cut.v1"
    topic: ClassVar[Topic] = MARKET_PRICES  # And all of VALUE_CUT_TOPICS.

    trade_date: IsoDate
    """The date that is valued with what stands before this marker."""

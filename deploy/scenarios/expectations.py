"""What a scenario file expects of a day. What is not named is not compared."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from deploy.scenarios.fields import Amounts, Cents, Day, DecimalText, Figure, Name, Part

Positions = dict[Name, dict[Name, dict[Name, DecimalText]]]
"""Shares by participant, source and fund."""
Balances = dict[Name, Cents | None]
"""Dollars by participant; null for one that is not shown, because it is not final."""
Counted = int | str | list[Any] | dict[Name, Any]
"""Things found on a day: how many, the whole sorted list of them, or either by the name they stand under."""


Returned = dict[Literal["twr", "modified_dietz", "from", "to"], Figure]
"""Percents with six decimals, and the closes between which they were earned."""


class ExpectedReceipt(Part):
    """The receipt decided on this day and how resends were answered."""

    status: str | None = None
    accepted: Cents | None = None
    rejected: Cents | None = None
    codes: list[str] | None = None
    duplicates: int | None = None
    mismatches: int | None = None


class ExpectedOrder(Part):
    """One order; the list of them is complete and sorted by plan, fund, side, wave."""

    plan: Name | None = None
    fund: Name | None = None
    side: Literal["buy", "sell"] | None = None
    amount: Cents | None = None
    shares: DecimalText | None = None
    wave: int | None = None


class ExpectedDeposit(Part):
    """The cash that a payroll run lacks at the end of the day, and by when withheld money must be in the trust."""

    short: Cents | None = None
    due: Day | None = None
    latest: Day | None = None


class AsOf(Part):
    """What valuation says of a closed date, as known at the end of another; without ``known_at``, as known now."""

    date: Day
    known_at: Day | None = None
    positions: Positions | None = None
    balances: Balances | None = None
    cash: dict[Name, Cents] | None = None
    proof: str | None = None


ONE, SEVERAL = "one", "several"
OneOrMore = Annotated[
    Annotated[AsOf, Tag(ONE)] | Annotated[list[AsOf], Tag(SEVERAL)],
    Discriminator(lambda given: SEVERAL if isinstance(given, list) else ONE),
]


class Expect(Part):
    """What must hold at the end of the day; what is not named is not compared."""

    receipts: dict[Name, ExpectedReceipt] | None = None
    credited: dict[Name, Amounts] | None = None
    orders: list[ExpectedOrder] | None = None
    positions: Positions | None = None
    balances: Balances | None = None
    proof: str | None = None
    breaks: Counted | None = None
    dlq: Counted | None = None
    cash: dict[Name, Cents] | None = None
    deposits: dict[Name, ExpectedDeposit] | None = None
    vested: Any = None
    returns: dict[Name, Returned] | None = None
    as_of: OneOrMore | None = None

"""Said by valuation."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

from shared.events.base import EventBody


class Equation(EventBody):
    """One equation of the conservation proof: both sides, in cents, shares or records as its name says."""

    left: int
    right: int
    ok: bool


class DayClosed(EventBody):
    """A trade date is valued and proven."""

    ce_type: ClassVar[str] = "nestwork.day.closed.v1"
    topic: ClassVar[str] = "valuation.days.v1"

    trade_date: date
    status: Literal["proven"]
    proof: dict[str, Equation]

"""Said by valuation: a date is closed, and this proves it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.base import Event
from shared.events.fields import Body, Id, IsoDate
from shared.events.topics import VALUATION_DAYS, Topic

Total = Annotated[int, Field(strict=True)]


class Equation(Body):
    """One equation of the conservation proof, in cents, share units or records, as its name says."""

    left: Total
    """What was received, decided or held by the engine."""
    right: Total
    """What must equal it, from the other side of the boundary."""
    ok: bool
    """Whether both sides are equal to the cent and to the share unit."""


class DayClosed(Event):
    """A trade date is valued, with the proof that no cent and no share unit appeared or vanished. Key: trade_date."""

    ce_type: ClassVar[str] = "nestwork.day.closed.v1"
    topic: ClassVar[Topic] = VALUATION_DAYS

    trade_date: IsoDate
    """The date."""
    status: Literal["proven"]
    """A date that is not proven is not published: somebody is paged instead."""
    proof: dict[Id, Equation]
    """Equations by name."""

"""Said by valuation: a date is closed, and what its proof found."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.base import Event
from shared.events.fields import Body, IsoDate, Text
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
    """A trade date is closed, with the proof whether a cent or a share unit appeared or vanished. Key: trade_date."""

    ce_type: ClassVar[str] = "nestwork.day.closed.v1"
    topic: ClassVar[Topic] = VALUATION_DAYS

    trade_date: IsoDate
    """The date."""
    status: Literal["proven", "broken"]
    """`broken` when an equation does not hold: no balance of that date is served, and somebody is paged."""
    proof: dict[Text, Equation]
    """Equations by name; of those per plan and fund only the ones that do not hold, at most 1,000, and their number."""

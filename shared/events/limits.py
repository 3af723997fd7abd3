"""Said by plan administration: the dollar limits of a calendar year, as the IRS announced them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from shared.events.base import Event
from shared.events.fields import PositiveCents, Text
from shared.events.topics import LIMITS, Topic


class LimitsFact(Event):
    """The limits of one year, in cents; lines of a year without limits are held. Key: year."""

    ce_type: ClassVar[str] = "nestwork.limits.v1"
    topic: ClassVar[Topic] = LIMITS

    year: Annotated[int, Field(strict=True, ge=1987, le=2200)]
    """The calendar year."""
    elective_deferral_cents: PositiveCents
    """IRC 402(g)(1)."""
    catch_up_cents: PositiveCents
    """IRC 414(v)(2)(B)(i), from age 50."""
    catch_up_60_63_cents: PositiveCents | None = None
    """IRC 414(v)(2)(E)(i); left out = not in force that year."""
    annual_additions_cents: PositiveCents
    """IRC 415(c)(1)(A)."""
    compensation_cents: PositiveCents
    """IRC 401(a)(17)."""
    roth_catch_up_wages_cents: PositiveCents | None = None
    """IRC 414(v)(7)(A): wages above which catch-up must be Roth; left out = not in force that year."""
    notice: Text
    """The notice that announced the figures, like "Notice 2025-67"."""

"""The legal limits of a calendar year, as data with their notice."""

from __future__ import annotations

from typing import ClassVar

from pydantic import StrictInt

from shared.events.base import EventBody, PositiveCents


class LimitsFact(EventBody):
    """The limits of one year. Source: the IRS cost-of-living notice named in ``notice``."""

    ce_type: ClassVar[str] = "nestwork.limits.v1"
    topic: ClassVar[str] = "limits.v1"

    year: StrictInt
    notice: str
    elective_deferral_cents: PositiveCents
    catch_up_cents: PositiveCents
    catch_up_60_63_cents: PositiveCents | None = None
    annual_additions_cents: PositiveCents
    compensation_cents: PositiveCents
    roth_catch_up_wages_cents: PositiveCents | None = None

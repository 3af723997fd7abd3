"""What all event bodies have in common: frozen, strict about money, tolerant of unknown fields."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]+$")]
"""An opaque identifier: 1 to 128 characters."""
Cents = Annotated[int, Field(strict=True, ge=-(10**13), le=10**13)]
"""Whole US cents; never a float, never text."""
NotNegativeCents = Annotated[int, Field(strict=True, ge=0, le=10**13)]
PositiveCents = Annotated[int, Field(strict=True, gt=0, le=10**13)]
Shares = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$")]
"""A number of shares as a decimal string at the fund's scale."""
PriceText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$")]
"""A price per share in dollars as a decimal string, greater than zero."""


class EventBody(BaseModel):
    """The JSON body of one event type; ``ce_type`` names it on the wire, ``topic`` is where it travels."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    ce_type: ClassVar[str]
    topic: ClassVar[str]

"""A fund as the books need it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from shared.events.base import EventBody, Id


class FundFact(EventBody):
    """A fund's scales. ``share_decimals`` never changes once a share is held."""

    ce_type: ClassVar[str] = "nestwork.fund.v1"
    topic: ClassVar[str] = "funds.v1"

    fund_id: Id
    share_decimals: Annotated[int, Field(strict=True, ge=0, le=6)] = 3
    settlement_days: Annotated[int, Field(strict=True, ge=0, le=5)] = 1
    name: str | None = None

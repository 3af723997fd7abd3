"""Said by plan administration: what a fund's shares are like."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.base import Event
from shared.events.fields import Id
from shared.events.topics import FUNDS, Topic
from shared.values.shares import SHARE_DECIMALS_MAX


class FundFact(Event):
    """A fund. Its share scale never changes. Key: fund_id."""

    ce_type: ClassVar[str] = "nestwork.fund.v1"
    topic: ClassVar[Topic] = FUNDS

    fund_id: Id
    """The fund."""
    share_decimals: Annotated[int, Field(strict=True, ge=0, le=SHARE_DECIMALS_MAX)] = 3
    """Decimals of the fund's smallest share."""
    settlement_days: Annotated[int, Field(strict=True, ge=0, le=5)] = 1
    """Trading days from trade to settlement."""
    dividend: Literal["none", "periodic", "daily_accrual"] = "periodic"
    """How the fund pays dividends."""

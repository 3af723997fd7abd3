"""The types of the fields of events: strict, because a number in quotes or a float near money is a defect of a sender.

Unknown fields are ignored, wrong ones are not: each type says in its error what is expected.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from shared.values.nyse_calendar import FIRST_YEAR, LAST_YEAR
from shared.values.shares import Price

ID_CHARACTERS_MAX = 128
TEXT_CHARACTERS_MAX = 1_000
CENTS_MAX = 10**13
"""A hundred billion dollars in one field is a mistake of units; sums of many of these still fit 64 bits."""

DOLLARS_PER_SHARE_MAX = 10**7
"""Ten million dollars a share is beyond every listed security: a mistake of units, which values would carry on."""

NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f]*$"
DECIMAL = r"^[0-9]{1,15}(\.[0-9]+)?$"
_ISO_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Body(BaseModel):
    """A body, or a part of one: frozen, readers ignore what they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


def _iso_date(value: Any) -> Any:
    if type(value) is date:
        return value
    # Pydantic would also read a number in quotes as seconds since 1970.
    if not isinstance(value, str) or _ISO_DATE.fullmatch(value) is None:
        raise ValueError("an ISO date is needed, like 2026-11-20")
    return value


def _this_era(value: date) -> date:
    if not 1900 <= value.year <= 2200:
        raise ValueError("the year must lie between 1900 and 2200")
    return value


def _in_calendar(value: date) -> date:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"the exchange calendar covers {FIRST_YEAR} to {LAST_YEAR}")
    return value


def _price(value: str) -> str:
    if Price.parse(value).exact() > DOLLARS_PER_SHARE_MAX:
        raise ValueError(f"a share costs at most {DOLLARS_PER_SHARE_MAX} dollars")
    return value


Id = Annotated[str, Field(strict=True, min_length=1, max_length=ID_CHARACTERS_MAX, pattern=NO_CONTROL_CHARACTERS)]
"""An opaque id."""
Text = Annotated[str, Field(strict=True, max_length=TEXT_CHARACTERS_MAX, pattern=NO_CONTROL_CHARACTERS)]
"""Text for people."""
Cents = Annotated[int, Field(strict=True, ge=-CENTS_MAX, le=CENTS_MAX)]
"""Whole cents: no float, no text, no boolean."""
NotNegativeCents = Annotated[int, Field(strict=True, ge=0, le=CENTS_MAX)]
PositiveCents = Annotated[int, Field(strict=True, gt=0, le=CENTS_MAX)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]
IsoDate = Annotated[date, BeforeValidator(_iso_date), AfterValidator(_this_era)]
CalendarDate = Annotated[date, BeforeValidator(_iso_date), AfterValidator(_in_calendar)]
"""A date the exchange calendar knows about, trading day or not."""
DecimalText = Annotated[str, Field(strict=True, pattern=DECIMAL)]
"""A number from 0 up as plain decimal text."""
PriceText = Annotated[str, Field(strict=True, pattern=r"^[0-9]+(\.[0-9]+)?$"), AfterValidator(_price)]
"""Dollars per share as positive plain decimal text, at most ten million; any number of decimals."""
Version = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]

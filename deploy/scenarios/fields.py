"""The kinds of value a scenario file is made of: quoted money and decimals, dates, names."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.values.money import cents_of
from shared.values.shares import Price

CENTS_BELOW = 2**63
"""An event's cents are whole numbers of 64 bits."""


def _quoted_money(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('money is quoted dollars, like "169.23"')
    cents = cents_of(value)
    if abs(cents) >= CENTS_BELOW:
        raise ValueError(f"{value} is more money than an event can say")
    return cents


def _quoted_decimal(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('shares, prices and percents are quoted decimals, like "23.47"')
    return value


def _price(value: object) -> object:
    return Price.parse(str(_quoted_decimal(value))) and value


def _as_written(value: object) -> object:
    """YAML makes numbers and dates of names like 1001 and 2026-11-20."""
    if type(value) is int or type(value) is datetime.date:
        return str(value)
    return value


def _plain_or_quoted_date(value: object) -> object:
    if isinstance(value, datetime.datetime):
        raise ValueError("a date without a time is needed, like 2026-11-20")
    if isinstance(value, datetime.date):
        return value
    if isinstance(value, str):
        return datetime.date.fromisoformat(value)
    raise ValueError("a date is needed, like 2026-11-20")


def _count_as_text(value: object) -> object:
    return str(value) if type(value) is int else value


def _no_float(value: object) -> object:
    return _quoted_decimal(value) if isinstance(value, float) else value


def _figure(value: object) -> object:
    return value.removesuffix("%") if isinstance(value, str) else _no_float(_as_written(value))


def nothing_as_empty_list(value: object) -> object:
    return [] if value is None else value


def nothing_as_empty_mapping(value: object) -> object:
    return {} if value is None else value


Cents = Annotated[int, BeforeValidator(_quoted_money)]
"""Whole cents, written in the file as quoted dollars."""
DecimalText = Annotated[str, BeforeValidator(_quoted_decimal)]
Day = Annotated[datetime.date, BeforeValidator(_plain_or_quoted_date)]
PriceText = Annotated[str, BeforeValidator(_price)]
Name = Annotated[str, BeforeValidator(_as_written), Field(min_length=1, strict=True)]
Percent = Annotated[str, BeforeValidator(_count_as_text), BeforeValidator(_no_float)]
"""A quoted decimal, or a whole number without quotes: nothing is lost by reading that."""
Figure = Annotated[str | None, BeforeValidator(_figure)]
"""A quoted percent, with its sign or without; null where there is none."""
Count = Annotated[int, Field(strict=True, ge=0)]
Hours = Annotated[int | str, BeforeValidator(_no_float)]
"""A whole number, or a quoted decimal."""
Switch = Annotated[bool, Field(strict=True)]
Year = Annotated[int, Field(strict=True, ge=1987, le=2200)]
Amounts = Annotated[dict[Name, Cents], BeforeValidator(nothing_as_empty_mapping)]


class Part(BaseModel):
    """A mapping of the file; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

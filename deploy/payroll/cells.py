"""One cell of a payroll file: money to whole cents, dates, ids. Exact and pure; a float is never seen."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

from deploy.payroll.problems import MapInvalid, RowRefused
from shared.events.fields import CENTS_MAX, ID_CHARACTERS_MAX

_PLAIN = re.compile(r"([0-9]{1,13})(?:\.([0-9]{2}))?")
_MONEY = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[+-])?\s*\$?\s*(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)"
    r"(?:\.(?P<part>[0-9]+))?\s*(?P<after>-)?\s*(?P<close>\))?"
)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_EXCEL_NUMBER = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+[0-9]+")
_TAX_ID = re.compile(r"[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}")
_HOURS = re.compile(r"[0-9]{1,15}(\.[0-9]+)?")
_DATES_KEPT = 4096
_DIGITS_MAX = 20

Cell = Any
"""Text of a CSV file; text, whole number, ``Decimal``, truth value or None of an NDJSON file."""


def dollars(cell: Cell, column: str) -> int:
    """The cents of dollars such as 169.23, 1,234.50, $5, .5, (12.00), 12.00- or -12; blank is zero.

    More than two decimals are taken only when the rest are zeros. Raises ``RowRefused``.
    """
    if type(cell) is str:
        plain = _PLAIN.fullmatch(cell)
        if plain is not None:
            return int(plain[1]) * 100 + int(plain[2] or 0)
        return _from_text(cell, column, 2)
    return _from_number(cell, column, 2)


def cents(cell: Cell, column: str) -> int:
    """Whole cents such as 16923 or 16,923; decimals are taken only when they are zeros. Raises ``RowRefused``."""
    return _from_text(cell, column, 0) if type(cell) is str else _from_number(cell, column, 0)


def _from_text(text: str, column: str, decimals: int) -> int:
    text = text.strip()
    if not text:
        return 0
    found = _MONEY.fullmatch(text) if len(text) <= 64 else None
    if found is None or not (found["whole"] or found["part"]):
        raise _not_money(column, decimals)
    signs = [mark for mark in (found["open"], found["sign"], found["after"]) if mark]
    if len(signs) > 1 or bool(found["open"]) != bool(found["close"]):
        raise _not_money(column, decimals)
    part = found["part"] or ""
    if part[decimals:].strip("0"):
        raise _not_money(column, decimals)
    digits = found["whole"].replace(",", "") + part[:decimals].ljust(decimals, "0")
    if len(digits) > _DIGITS_MAX:
        raise _too_much(column)
    amount = int(digits or "0")
    return _bounded(-amount if signs and signs[0] != "+" else amount, column)


def _from_number(cell: Cell, column: str, decimals: int) -> int:
    if cell is None:
        return 0
    if type(cell) is int:
        return _bounded(cell * 10**decimals, column)
    if type(cell) is not Decimal or not cell.is_finite():
        raise _not_money(column, decimals)
    if cell and cell.adjusted() > _DIGITS_MAX:
        raise _too_much(column)
    sign, digits, exponent = cell.as_tuple()
    amount = int("".join(map(str, digits)))
    shift = int(exponent) + decimals
    if not amount or -shift > len(digits):
        whole, rest = 0, amount
    else:
        whole, rest = (amount * 10**shift, 0) if shift >= 0 else divmod(amount, 10**-shift)
    if rest:
        raise _not_money(column, decimals)
    return _bounded(-whole if sign else whole, column)


def _bounded(amount: int, column: str) -> int:
    if not -CENTS_MAX <= amount <= CENTS_MAX:
        raise _too_much(column)
    return amount


def _not_money(column: str, decimals: int) -> RowRefused:
    unit = "dollars with at most two decimals" if decimals else "whole cents"
    return RowRefused("ROW_INVALID_AMOUNT", f"{column}: not an amount in {unit}")


def _too_much(column: str) -> RowRefused:
    return RowRefused("ROW_INVALID_AMOUNT", f"{column}: more than a hundred billion dollars")


def identifier(cell: Cell, column: str) -> str:
    """An opaque id, blanks around it removed. Raises ``RowRefused``, also for what looks like a tax id."""
    if type(cell) is int:
        cell = str(cell)
    if cell is None or cell == "":
        raise RowRefused("ROW_VALUE_MISSING", f"{column}: no value")
    if type(cell) is not str:
        raise RowRefused("ROW_INVALID_ID", f"{column}: an id is text")
    text = cell.strip()
    if not text:
        raise RowRefused("ROW_VALUE_MISSING", f"{column}: no value")
    if len(text) > ID_CHARACTERS_MAX or (not text.isprintable() and _CONTROL.search(text)):
        raise RowRefused("ROW_INVALID_ID", f"{column}: up to {ID_CHARACTERS_MAX} characters, no control characters")
    if not text.isascii() and not _is_encodable(text):
        raise RowRefused("ROW_INVALID_ID", f"{column}: half a character")
    if text[0].isdigit():
        if _TAX_ID.fullmatch(text):
            raise RowRefused("ROW_LOOKS_LIKE_TAX_ID", f"{column}: looks like a tax id; send an opaque id")
        if _EXCEL_NUMBER.fullmatch(text):
            raise RowRefused("ROW_INVALID_ID", f"{column}: a number a spreadsheet has rounded; export it as text")
    return text


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def hours(cell: Cell, column: str) -> str | None:
    """Hours as plain decimal text, None when blank. Raises ``RowRefused``."""
    if cell is None or cell == "":
        return None
    text = str(cell).strip().replace(",", "") if type(cell) in (str, int, Decimal) else "?"
    if text and not _HOURS.fullmatch(text):
        raise RowRefused("ROW_INVALID_AMOUNT", f"{column}: hours are a plain number from 0 up")
    return text or None


class DateFormat:
    """Dates as one format writes them, to ISO text.

    A format is made of YYYY, MM, DD (fixed width) or M, D (one or two digits) and the marks between them. Years of two
    digits are not offered: the century would be a guess.
    """

    def __init__(self, pattern: str) -> None:
        """Raises ``MapInvalid`` when the pattern does not name year, month and day once each."""
        parts = re.split("(YYYY|MM|DD|M|D)", pattern)
        names = [part for part in parts if part in _DATE_PARTS]
        if sorted(name[0] for name in names) != ["D", "M", "Y"] or len(pattern) > 20:
            raise MapInvalid(f"date format {pattern!r} must name YYYY, MM (or M) and DD (or D) once each")
        self.pattern = pattern
        self._regex = re.compile("".join(_DATE_PARTS.get(part) or re.escape(part) for part in parts))
        self._known: dict[str, str] = {}

    def iso(self, cell: Cell, column: str) -> str:
        """The date as "2026-11-20". Raises ``RowRefused``."""
        known = self._known.get(cell) if type(cell) is str else None
        return known if known is not None else self._read(cell, column)

    def _read(self, cell: Cell, column: str) -> str:
        if cell is None or cell == "":
            raise RowRefused("ROW_VALUE_MISSING", f"{column}: no value")
        text = str(cell).strip() if type(cell) in (str, int) else ""
        found = self._regex.fullmatch(text)
        if found is None:
            raise RowRefused("ROW_INVALID_DATE", f"{column}: not a date like {self.pattern}")
        try:
            day = date(int(found["year"]), int(found["month"]), int(found["day"]))
        except ValueError:
            raise RowRefused("ROW_INVALID_DATE", f"{column}: not in the calendar") from None
        if not 1900 <= day.year <= 2200:
            raise RowRefused("ROW_INVALID_DATE", f"{column}: the year must lie between 1900 and 2200")
        if type(cell) is str and len(self._known) < _DATES_KEPT:
            self._known[cell] = day.isoformat()
        return day.isoformat()


_DATE_PARTS = {
    "YYYY": "(?P<year>[0-9]{4})",
    "MM": "(?P<month>[0-9]{2})",
    "DD": "(?P<day>[0-9]{2})",
    "M": "(?P<month>[0-9]{1,2})",
    "D": "(?P<day>[0-9]{1,2})",
}

"""Dollars as whole cents; text only at the edge."""

from __future__ import annotations

import re

_DOLLARS = re.compile(r"(-?)([0-9]+)(?:\.([0-9]{1,2}))?")


def cents_of(text: str) -> int:
    """Return the cents of dollars such as "169.23", "-0.5" or "12".

    Raises ``ValueError`` for anything else: more than two decimals, exponents, currency signs, numbers not in text.
    """
    found = _DOLLARS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not an amount in dollars with at most two decimals")
    sign, whole, decimals = found.groups(default="")
    cents = int(whole) * 100 + int(decimals.ljust(2, "0"))
    return -cents if sign else cents


def dollars_text(cents: int) -> str:
    """Return cents as dollars with two decimals: -5 is "-0.05"."""
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{part:02d}"

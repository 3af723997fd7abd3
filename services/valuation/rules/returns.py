"""What a participant's money earned over a period: time-weighted, and by the modified Dietz method.

House rule: flows come at the end of their day. Everything is exact until a percent is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from services.valuation.rules.balances import Rates
from services.valuation.rules.positions import Holdings, fund_of
from shared.values.rounding import half_up_div
from shared.values.shares import Price, shares_text

TIME_WEIGHTED = "time-weighted, daily linked, flows at the end of the day"
MODIFIED_DIETZ = "modified Dietz, flows weighted from the end of the day"
PERCENT_DECIMALS = 6


class Closed(NamedTuple):
    """One closed date: the exact dollars of all positions, None while a price is due, and what came in or went out."""

    day: date
    value: Fraction | None
    flow: Fraction


def worth(holdings: Holdings, prices: Mapping[str, Price], share_decimals: Mapping[str, int]) -> Fraction | None:
    """Return the exact dollars of holdings; None when shares of an unpriced fund are among them."""
    rates = Rates(prices, share_decimals)
    total = 0
    for key, (units, _) in holdings.items():
        if not units:
            continue
        if fund_of(key) not in rates.per_unit:
            return None
        total += units * rates.per_unit[fund_of(key)]
    return Fraction(total, 10**rates.scale)


def time_weighted(days: Sequence[Closed]) -> Fraction | None:
    """Return the linked return since the first close; a day is V / V before - 1 without its own flow (A13).

    None when a value is not final, or nothing was held on any day.
    """
    linked, has_any = Fraction(1), False
    for before, after in pairwise(days):
        if before.value is None or after.value is None:
            return None
        if before.value > 0:
            linked *= (after.value - after.flow) / before.value
            has_any = True
    return linked - 1 if has_any else None


def modified_dietz(days: Sequence[Closed]) -> Fraction | None:
    """Return (E - B - F) / (B + sum of w F) since the first close, w = days still to come / days in all (A14).

    None when the first or the last value is not final, or the average capital is not above zero.
    """
    if not days or (length := (days[-1].day - days[0].day).days) == 0:
        return None
    first, last, flows = days[0].value, days[-1].value, days[1:]
    if first is None or last is None:
        return None
    capital = first + sum((one.flow * (days[-1].day - one.day).days / length for one in flows), Fraction())
    gain = last - first - sum((one.flow for one in flows), Fraction())
    return gain / capital if capital > 0 else None


def percent_text(exact: Fraction | None) -> str | None:
    """Return a share as percent with six decimals, half-up."""
    if exact is None:
        return None
    return shares_text(half_up_div(exact.numerator * 100 * 10**PERCENT_DECIMALS, exact.denominator), PERCENT_DECIMALS)

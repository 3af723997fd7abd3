"""What a participant holds: units and cost per source and fund."""

from __future__ import annotations

from collections.abc import Iterable

from shared.values.invariants import invariant

Holdings = dict[str, list[int]]
"""``source/fund`` to [units of the fund's smallest share, cents of cost]."""
NOTHING = [0, 0]


def holding_key(source: str, fund_id: str) -> str:
    """How a position is named inside a participant's holdings; a source never contains a slash."""
    return f"{source}/{fund_id}"


def fund_of(key: str) -> str:
    """The fund of a holding."""
    return key.partition("/")[2]


def apply_legs(holdings: Iterable[Holdings], keys: Iterable[str], units: Iterable[int], cents: Iterable[int]) -> None:
    """Add legs in place, each to its own participant's holdings; columns of equal length.

    A leg without a share keeps its cost and a position of zero.
    """
    for mine, key, more_units, more_cents in zip(holdings, keys, units, cents, strict=True):
        held = mine.get(key)
        if held is None:
            mine[key] = [more_units, more_cents]
        else:
            held[0] += more_units
            held[1] += more_cents


def check(holdings: Holdings) -> None:
    """No participant holds less than nothing."""
    invariant(min(holdings.values(), default=NOTHING)[0] >= 0, "a position is never negative")

"""What a participant holds: units and cost per source and fund."""

from __future__ import annotations

from collections.abc import Iterable

from shared.values.invariants import invariant

Holdings = dict[str, list[int]]
"""``source/fund`` to [units of the fund's smallest share, cents of cost]."""


def holding_key(source: str, fund_id: str) -> str:
    """How a position is named inside a participant's holdings; a source never contains a slash."""
    return f"{source}/{fund_id}"


def apply_legs(holdings: Holdings, legs: Iterable[tuple[str, int, int]]) -> None:
    """Add (key, units, cents) legs in place; a leg without a share keeps its cost and a position of zero."""
    for key, units, cents in legs:
        held = holdings.get(key)
        if held is None:
            holdings[key] = [units, cents]
        else:
            held[0] += units
            held[1] += cents


def check(holdings: Holdings) -> None:
    """No participant holds less than nothing."""
    invariant(all(units >= 0 for units, _ in holdings.values()), "a position is never negative")

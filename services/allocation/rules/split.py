"""How a line's cents are divided: per source, never the total, by largest remainder."""

from __future__ import annotations

from collections.abc import Sequence

from services.allocation.rules.elections import Parts, parts_for
from shared.values.invariants import invariant
from shared.values.split import split_largest_remainder


def split_line(
    sources: Sequence[str], cents: Sequence[int], parts: Parts | None, default_fund: str
) -> tuple[list[str], list[int]]:
    """The funds of a line and its legs as a matrix, sources by funds; every cent of every source is in it."""
    if parts is None:
        return [default_fund], list(cents)
    chosen = [parts_for(source, parts, default_fund) for source in sources]
    first = chosen[0]
    if all(funds is first for funds in chosen):
        funds, weights = [fund for fund, _ in first], [weight for _, weight in first]
        legs: list[int] = []
        for amount in cents:
            legs += split_largest_remainder(amount, weights)
    else:
        funds, legs = _split_by_group(chosen, cents)
    invariant(sum(legs) == sum(cents), "a split keeps every cent")
    return funds, legs


def _split_by_group(chosen: Sequence[Sequence[tuple[str, int]]], cents: Sequence[int]) -> tuple[list[str], list[int]]:
    """Sources with different elections share one matrix over all funds they name."""
    funds = sorted({fund for group in chosen for fund, _ in group})
    legs: list[int] = []
    for group, amount in zip(chosen, cents, strict=True):
        weights = dict(group)
        legs += split_largest_remainder(amount, [weights.get(fund, 0) for fund in funds])
    return funds, legs


def cents_by_fund(funds: Sequence[str], legs: Sequence[int]) -> list[int]:
    """Column sums of the matrix."""
    width = len(funds)
    return [sum(legs[column::width]) for column in range(width)]

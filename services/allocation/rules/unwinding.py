"""How a reversal is divided: by the split of its own line, never by today's election."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.values.invariants import invariant
from shared.values.split import split_largest_remainder


def legs_left(width: int, sources: Sequence[str], legs: Sequence[int]) -> dict[str, list[int]]:
    """Cents by source, one per fund, of a split's matrix (sources by funds)."""
    return {source: list(legs[row * width : (row + 1) * width]) for row, source in enumerate(sources)}


def take_back(left: Mapping[str, list[int]], sources: Sequence[str], cents: Sequence[int]) -> list[int]:
    """Divide a reversal over what is left of its line's legs, and take it out of ``left``, in place.

    Largest remainder over what is left: no leg falls below zero, and the last reversal takes exactly the rest.
    Returns a matrix, the reversal's sources by the split's funds.
    """
    matrix: list[int] = []
    for source, amount in zip(sources, cents, strict=True):
        legs = left[source]
        invariant(0 < amount <= sum(legs), "a reversal takes at most what is left of a source")
        taken = split_largest_remainder(amount, legs)
        left[source][:] = [leg - part for leg, part in zip(legs, taken, strict=True)]
        matrix += taken
    return matrix

"""Splitting whole units so that none appears and none is lost: largest remainder, at once or over many lanes.

Every part is floored; the missing units go one each to the largest remainders, ties to the lowest key. A zero weight
never gets a unit: the missing units are the remainders' sum divided by the sum of weights, and each remainder is
smaller than that sum, so more parts have a remainder than there are units to give. Negatives mirror the absolute value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

INT64_SAFE = 2**62
"""Products below this are exact in 64 bits with a bit to spare."""


def split_largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` over ``weights`` (none negative); ties go to the lowest index, so pass parts sorted by key.

    Raises ``ValueError`` for a negative weight, and when there is something to split but nobody to give it to.
    """
    weight_sum = sum(weights)
    if not weight_sum or min(weights) < 0:
        return _split_over_nothing(total, weights)
    if total < 0:
        return [-part for part in split_largest_remainder(-total, weights)]
    products = [total * weight for weight in weights]
    parts = [product // weight_sum for product in products]
    missing = total - sum(parts)
    if missing:
        remainders = [product % weight_sum for product in products]
        if missing <= 3:
            # The hot path: a few funds. ``index`` finds the lowest of equal remainders.
            for _ in range(missing):
                index = remainders.index(max(remainders))
                parts[index] += 1
                remainders[index] = -1
        else:
            # A reversed sort stays stable: equal remainders keep the order of their index.
            ranked = sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)
            for index in ranked[:missing]:
                parts[index] += 1
    return parts


def _split_over_nothing(total: int, weights: Sequence[int]) -> list[int]:
    if weights and min(weights) < 0:
        raise ValueError("weights must not be negative")
    if total:
        raise ValueError("nobody to give the units to: all weights are zero")
    return [0] * len(weights)


@dataclass(frozen=True, slots=True)
class RankCut:
    """Where the ranking (largest remainder first, then lowest key) is cut: who gets one unit more than the floor.

    ``extra`` parts get one; the last of them has this ``remainder`` and ``key`` (``None`` when nobody gets one).
    """

    extra: int
    remainder: int
    key: tuple[Any, ...] | None

    def as_json(self) -> list[Any]:
        """The cut as plain JSON, for a task row."""
        return [self.extra, self.remainder, None if self.key is None else list(self.key)]

    @classmethod
    def from_json(cls, fields: Sequence[Any]) -> RankCut:
        """The cut that ``as_json`` wrote."""
        extra, remainder, key = fields
        return cls(extra, remainder, None if key is None else tuple(key))


NOBODY = RankCut(0, 0, None)


def rank_cut(total: int, weights: Sequence[int], keys: Sequence[tuple[Any, ...]]) -> RankCut:
    """Rank all parts of a split once, in any order, so that each lane can later split its own parts alone.

    With ``shares_by_cut`` the union over the lanes equals ``split_largest_remainder`` of the key-sorted whole. Keys
    must differ. Raises ``ValueError`` as ``split_largest_remainder`` does.
    """
    weight_sum = sum(weights)
    if not weight_sum or min(weights) < 0:
        _split_over_nothing(total, weights)
        return NOBODY
    if len(keys) != len(weights):
        raise ValueError("as many keys as weights are needed")
    _, remainders = _floored(abs(total), weights, weight_sum)
    # The remainders add up to a whole number of sums: that many units are missing after flooring. Added up as Python's
    # integers: thousands of remainders may be more than 64 bits hold.
    extra = sum(remainders.tolist()) // weight_sum
    if not extra:
        return NOBODY
    last = _nth_largest(remainders, extra)
    above = int((remainders > last).sum())
    tied = sorted(keys[index] for index in np.flatnonzero(remainders == last).tolist())
    if len(set(tied)) != len(tied):
        raise ValueError("two parts of one split have the same key")
    return RankCut(extra, last, tied[extra - above - 1])


def shares_by_cut(
    total: int, weight_sum: int, weights: Sequence[int], keys: Sequence[tuple[Any, ...]], cut: RankCut
) -> list[int]:
    """Return what some of the parts get of ``total``, given the cut made over all of them.

    ``weight_sum`` is the sum over all parts, ``weights`` and ``keys`` those of the parts at hand.
    """
    if not weight_sum:
        return _split_over_nothing(total, weights)
    size, sign = abs(total), -1 if total < 0 else 1
    if len(keys) != len(weights):
        raise ValueError("as many keys as weights are needed")
    parts, remainders = _floored(size, weights, weight_sum)
    if cut.key is not None:
        parts += remainders > cut.remainder
        for index in np.flatnonzero(remainders == cut.remainder).tolist():
            if keys[index] <= cut.key:
                parts[index] += 1
    shares: list[int] = (sign * parts).tolist()
    return shares


def _floored(total: int, weights: Sequence[int], weight_sum: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Floors and remainders of a split: in 64 bits where no product can exceed them, else in Python's integers."""
    is_safe = max(total, weight_sum, total * max(weights, default=0)) < INT64_SAFE
    products = np.array(weights, dtype=np.int64 if is_safe else object) * total
    return products // weight_sum, products % weight_sum


def _nth_largest(values: npt.NDArray[Any], n: int) -> int:
    """The ``n``-th largest of ``values``, counting from 1."""
    if values.dtype == object:
        return int(sorted(values.tolist(), reverse=True)[n - 1])
    return int(np.partition(values, len(values) - n)[len(values) - n])

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
    total = abs(total)
    remainders = _remainders(total, weights, weight_sum)
    # The remainders add up to a whole number of sums: that many units are missing after flooring.
    extra = sum(remainders) // weight_sum
    if not extra:
        return NOBODY
    last = _nth_largest(remainders, extra)
    above = sum(1 for remainder in remainders if remainder > last)
    tied = sorted(key for key, remainder in zip(keys, remainders, strict=True) if remainder == last)
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
    remainders = _remainders(size, weights, weight_sum)
    shares: list[int] = []
    for weight, key, remainder in zip(weights, keys, remainders, strict=True):
        part = (size * weight - remainder) // weight_sum
        if cut.key is not None and (remainder > cut.remainder or (remainder == cut.remainder and key <= cut.key)):
            part += 1
        shares.append(sign * part)
    return shares


def _remainders(total: int, weights: Sequence[int], weight_sum: int) -> list[int]:
    if len(weights) > 64 and weight_sum < INT64_SAFE and total * max(weights) < INT64_SAFE:
        products: npt.NDArray[np.int64] = np.array(weights, dtype=np.int64) * total
        listed: list[int] = (products % weight_sum).tolist()
        return listed
    return [total * weight % weight_sum for weight in weights]


def _nth_largest(values: list[int], n: int) -> int:
    """The ``n``-th largest of ``values``, counting from 1."""
    if len(values) > 64 and max(values) < INT64_SAFE:
        array = np.array(values, dtype=np.int64)
        return int(np.partition(array, len(values) - n)[len(values) - n])
    return sorted(values, reverse=True)[n - 1]

"""The legs of an order in one lane, column by column: an order has thousands, and most need no look of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload


@dataclass(frozen=True, slots=True)
class Legs:
    """Parallel columns in key order; a key is (participant, source)."""

    participants: list[str]
    buckets: list[int]
    sources: list[str]
    cents: list[int]

    @property
    def keys(self) -> LegKeys:
        """The keys, made when they are asked for."""
        return LegKeys([(self.participants, self.sources)])


class LegKeys(Sequence[tuple[str, str]]):
    """The keys of the legs of some lanes one after the other, without a tuple for each."""

    def __init__(self, lanes: Iterable[tuple[list[str], list[str]]]) -> None:
        self.participants: list[str] = []
        self.sources: list[str] = []
        for participants, sources in lanes:
            self.participants += participants
            self.sources += sources

    def __len__(self) -> int:
        return len(self.participants)

    @overload
    def __getitem__(self, at: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, at: slice) -> list[tuple[str, str]]: ...
    def __getitem__(self, at: int | slice) -> tuple[str, str] | list[tuple[str, str]]:
        if isinstance(at, slice):
            return list(zip(self.participants[at], self.sources[at], strict=True))
        return self.participants[at], self.sources[at]


def merged(packs: Sequence[Mapping[str, Any]]) -> Legs:
    """The packs of one order and lane as one; each is in key order.

    A carried pack may name a (participant, source) that is there already, or cancel one.
    """
    if len(packs) == 1:
        pack = packs[0]
        return Legs(pack["participants"], pack["buckets"], pack["sources"], pack["cents"])
    legs: dict[tuple[str, str], tuple[int, int]] = {}
    for pack in packs:
        for participant, bucket, source, cents in zip(
            pack["participants"], pack["buckets"], pack["sources"], pack["cents"], strict=True
        ):
            key = (participant, source)
            after = legs.get(key, (0, bucket))[0] + cents
            if cents < 0 and not after:
                del legs[key]
            else:
                legs[key] = (after, bucket)
    keys = sorted(legs)
    return Legs(
        [key[0] for key in keys], [legs[key][1] for key in keys], [key[1] for key in keys],
        [legs[key][0] for key in keys],
    )  # fmt: skip

"""Two sides that must be equal to the cent, the share unit or the record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

EXAMPLES_MAX = 20
"""Differing keys that are named one by one; the total says how far apart the sides are anyway."""


@dataclass(frozen=True, slots=True)
class Equation:
    """One equation; ``left`` and ``right`` are whole cents, share units, records or digests, as the name says."""

    name: str
    left: int
    right: int

    @property
    def ok(self) -> bool:
        """Whether both sides are the same."""
        return self.left == self.right

    def as_json(self) -> dict[str, Any]:
        """As the command prints it; beyond 2**53 a side is text, which no reader rounds."""
        return {"name": self.name, "left": _exact(self.left), "right": _exact(self.right), "ok": self.ok}


def _exact(number: int) -> int | str:
    return number if abs(number) < 2**53 else str(number)


def none_of(name: str, found: int) -> Equation:
    """Something that must not exist."""
    return Equation(name, found, 0)


def agree(name: str, left: Mapping[Any, int], right: Mapping[Any, int]) -> list[Equation]:
    """Both sides key by key: one equation over the sums, and one more for each key that differs."""
    differing = sorted((key for key in left.keys() | right.keys() if left.get(key, 0) != right.get(key, 0)), key=str)
    total = Equation(name, sum(left.values()), sum(right.values()))
    named = [
        Equation(f"{name} ({_text(key)})", left.get(key, 0), right.get(key, 0)) for key in differing[:EXAMPLES_MAX]
    ]
    if len(differing) > EXAMPLES_MAX:
        named.append(none_of(f"{name}: further differences", len(differing) - EXAMPLES_MAX))
    return [total, *named]


def _text(key: Any) -> str:
    return " ".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


def all_ok(equations: Iterable[Equation]) -> bool:
    """True when every equation holds."""
    return all(equation.ok for equation in equations)

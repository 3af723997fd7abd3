"""Whole-number arithmetic of the house rules: half-up once, and division by largest remainder."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

Key = TypeVar("Key", str, tuple[str, str])


def half_up(value: Fraction) -> int:
    """The nearest whole number; a half goes away from zero."""
    doubled = abs(value) * 2 + 1
    size = doubled.numerator // (doubled.denominator * 2)
    return size if value >= 0 else -size


def divided(whole: int, weights: Mapping[Key, Fraction | int]) -> dict[Key, int]:
    """``whole`` over ``weights`` by largest remainder: ties to the lowest key, nothing to a weight of zero."""
    if whole < 0:
        return {key: -part for key, part in divided(-whole, weights).items()}
    together = sum((Fraction(weight) for weight in weights.values()), Fraction(0))
    if not together:
        return dict.fromkeys(weights, 0)
    exact = {key: whole * Fraction(weight) / together for key, weight in weights.items()}
    parts = {key: share.numerator // share.denominator for key, share in exact.items()}
    left = whole - sum(parts.values())
    for key in sorted(exact, key=lambda key: (parts[key] - exact[key], key))[:left]:
        parts[key] += 1
    return parts


def dollars(cents: int) -> str:
    """Cents as a file writes dollars."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def scaled(units: int, decimals: int) -> str:
    """Smallest share units as a decimal with exactly ``decimals`` places."""
    text = str(units).zfill(decimals + 1)
    return f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text

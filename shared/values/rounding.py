"""The one way this project rounds."""

from __future__ import annotations


def half_up_div(n: int, d: int) -> int:
    """Return ``n / d`` as a whole number, halves away from zero, negatives the mirror of positives.

    Source: house rule "Dollars half-up to the cent". Raises ``ZeroDivisionError`` for ``d`` = 0.
    """
    if d < 0:
        n, d = -n, -d
    if n < 0:
        return -((-2 * n + d) // (2 * d))
    return (2 * n + d) // (2 * d)

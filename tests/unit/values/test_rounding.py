"""Half-up, away from zero, negatives mirror."""

from __future__ import annotations

import pytest

from shared.values.rounding import half_up_div


@pytest.mark.parametrize(
    ("n", "d", "expected"),
    [
        (5, 10, 1),
        (-5, 10, -1),
        (4, 10, 0),
        (-4, 10, 0),
        (25, 10, 3),
        (-25, 10, -3),
        (15, 10, 2),
        (0, 7, 0),
        (7, -2, -4),
    ],
)
def test_halves_go_away_from_zero(n: int, d: int, expected: int) -> None:
    assert half_up_div(n, d) == expected


def test_a_half_cent_of_a_match_is_rounded_up_where_bankers_would_not() -> None:
    """A4: 84.125 dollars are 84.13."""
    assert half_up_div(84_125, 10) == 8_413


def test_nothing_is_divided_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        half_up_div(1, 0)

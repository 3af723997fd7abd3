"""Dollars as text become whole cents, or nothing."""

from __future__ import annotations

import pytest

from shared.values.money import cents_of, dollars_text


@pytest.mark.parametrize(
    ("text", "cents"),
    [("169.23", 16_923), ("0.00", 0), ("-0.05", -5), ("12", 1_200), ("12.5", 1_250), ("0012.50", 1_250), ("-3", -300)],
)
def test_dollars_are_read_to_the_cent(text: str, cents: int) -> None:
    assert cents_of(text) == cents


@pytest.mark.parametrize(
    "text", ["", "1.234", "1e2", "+1", "$1", "1,000.00", " 1", "1\n", "1.", ".5", "--1", "NaN", "١", "0x1", "1_000"]
)
def test_what_is_no_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        cents_of(text)


@pytest.mark.parametrize("value", [1, 1.0, None, b"1.00", True])
def test_numbers_that_are_not_text_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        cents_of(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cents", "text"), [(16_923, "169.23"), (5, "0.05"), (-5, "-0.05"), (0, "0.00"), (-12_345, "-123.45")]
)
def test_cents_are_written_with_two_decimals(cents: int, text: str) -> None:
    assert dollars_text(cents) == text

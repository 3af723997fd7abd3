"""Shares and prices on the worked examples, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import pytest

from shared.values.shares import (
    Price,
    dollars_of,
    exact_value,
    shares_bought,
    shares_deviation_is_a_unit_or_more,
    shares_text,
    units_of,
)


@pytest.mark.parametrize(
    ("text", "decimals", "units"),
    [("53.020", 3, 53_020), ("53.02", 3, 53_020), ("53", 3, 53_000), ("53", 0, 53), ("-0.001", 3, -1), ("1.50", 1, 15),
     ("0.000001", 6, 1)],
)  # fmt: skip
def test_shares_are_read_in_units_of_the_funds_smallest_share(text: str, decimals: int, units: int) -> None:
    assert units_of(text, decimals) == units


@pytest.mark.parametrize(("text", "decimals"), [("0.0001", 3), ("0.5", 0)])
def test_shares_finer_than_the_fund_are_refused(text: str, decimals: int) -> None:
    with pytest.raises(ValueError, match="finer"):
        units_of(text, decimals)


@pytest.mark.parametrize("text", ["", "1e3", "NaN", "+1", "1.", ".1", "1 ", "٣", "Infinity"])
def test_what_is_no_plain_number_of_shares_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a decimal"):
        units_of(text, 3)


@pytest.mark.parametrize("decimals", [-1, 7])
def test_scales_beyond_six_decimals_do_not_exist(decimals: int) -> None:
    with pytest.raises(ValueError, match="share_decimals"):
        units_of("1", decimals)
    with pytest.raises(ValueError, match="share_decimals"):
        shares_text(1, decimals)


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [(53_020, 3, "53.020"), (0, 3, "0.000"), (-1, 3, "-0.001"), (7, 0, "7"), (-7, 0, "-7"), (1, 6, "0.000001")],
)
def test_shares_are_written_with_all_decimals_of_the_fund(units: int, decimals: int, text: str) -> None:
    assert shares_text(units, decimals) == text


@pytest.mark.parametrize(
    "text", ["0", "0.00", "-1", "NaN", "Infinity", "1e2", "", "1.", ".5", "+1", "1,5", " 1", "1\n"]
)
def test_what_is_no_positive_plain_decimal_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match="price"):
        Price.parse(text)


@pytest.mark.parametrize("mantissa_scale", [(0, 0), (-5, 2), (5, -1)])
def test_a_price_cannot_be_made_otherwise_either(mantissa_scale: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Price(*mantissa_scale)


def test_equal_prices_are_equal_however_they_are_written() -> None:
    assert Price.parse("23.50") == Price.parse("23.5") == Price(2350, 2) == Price.parse("0023.500")
    assert hash(Price.parse("23.50")) == hash(Price.parse("23.5"))
    assert Price.parse("23.5") != Price.parse("2.35")


@pytest.mark.parametrize(
    ("written", "text"), [("23.50", "23.5"), ("10.00", "10"), ("100", "100"), ("0.010", "0.01"), ("1.70420", "1.7042")]
)
def test_a_price_reads_shortest(written: str, text: str) -> None:
    assert Price.parse(written).text() == text


def test_a_price_may_have_any_number_of_decimals() -> None:
    price = Price.parse("1." + "0" * 100 + "1")
    assert price.text() == "1." + "0" * 100 + "1"
    assert price.exact() == 1 + Fraction(1, 10**101)
    assert shares_bought(100, price, 3) == 1_000


@pytest.mark.parametrize(
    ("cents", "price", "units"),
    [(108_933, "23.47", 46_414), (70_000, "13.33", 52_513), (75_003, "23.47", 31_957), (553_545, "41.26", 134_160),
     (1, "23.47", 0), (1_893, "22.77", 831), (-150_000, "23.47", -63_911), (1, "20.00", 1)],
)  # fmt: skip
def test_dollars_buy_shares_half_up(cents: int, price: str, units: int) -> None:
    """A7, A8, A9, A17, A16, A29 and the half unit."""
    assert shares_bought(cents, Price.parse(price), 3) == units


@pytest.mark.parametrize(
    ("units", "price", "cents"),
    [(46_414, "25.19", 116_917), (22_506, "25.19", 56_693), (310_457, "17.83", 553_545), (2_342, "22.90", 5_363),
     (2_342, "24.10", 5_644), (-2_342, "24.10", -5_644), (5, "1.00", 1)],
)  # fmt: skip
def test_shares_are_worth_dollars_half_up(units: int, price: str, cents: int) -> None:
    """A9, A17, A11 and the half cent."""
    assert dollars_of(units, 3, Price.parse(price)) == cents


def test_a20_values_stay_exact_until_they_are_shown() -> None:
    price = Price.parse("10.01")
    assert exact_value(33_333, 3, price) == Fraction("333.66333")
    assert 3 * exact_value(33_333, 3, price) == exact_value(99_999, 3, price) == Fraction("1000.98999")


@pytest.mark.parametrize(
    ("units", "is_off"), [(46_414, False), (46_413, False), (46_415, True), (46_412, True), (0, True)]
)
def test_a_confirmation_is_off_from_one_whole_unit(units: int, is_off: bool) -> None:
    """1,089.33 dollars at 23.47 are 46.41371964… shares."""
    assert shares_deviation_is_a_unit_or_more(units, 108_933, Price.parse("23.47"), 3) is is_off


def test_exactly_one_unit_is_off() -> None:
    assert shares_deviation_is_a_unit_or_more(999, 1_000, Price.parse("10"), 3)
    assert not shares_deviation_is_a_unit_or_more(1_000, 1_000, Price.parse("10"), 3)

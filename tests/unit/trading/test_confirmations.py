"""Which confirmations are believed."""

from __future__ import annotations

import pytest

from services.trading.rules.confirmations import Confirmed, judge
from shared.values.shares import Price

NAV = Price.parse("23.47")


def bought(units: int, cents: int, price: str = "23.47") -> Confirmed:
    return Confirmed(units, cents, Price.parse(price))


def test_a7_the_custodians_rounding_is_right() -> None:
    assert judge("cents", 108_933, bought(46_414, 108_933), NAV, 3) is None


def test_a8_a_pooled_order_is_right_and_the_sum_of_its_rounded_legs_is_not() -> None:
    nav = Price.parse("13.33")
    assert judge("cents", 70_000, bought(52_513, 70_000, "13.33"), nav, 3) is None
    assert judge("cents", 70_000, bought(52_514, 70_000, "13.33"), nav, 3) is None, "less than a unit off"
    assert judge("cents", 70_000, bought(52_515, 70_000, "13.33"), nav, 3) == "SHARES_MISMATCH"


def test_a29_a_dollar_sell_is_right_although_its_shares_are_worth_less() -> None:
    assert judge("cents", 150_000, bought(63_911, 150_000), NAV, 3) is None


def test_one_unit_off_is_wrong_to_either_side() -> None:
    # 100.00 at 10.00 is 10.000 exactly: one unit more or less is exactly a unit off.
    verdicts = [judge("cents", 10_000, bought(units, 10_000, "10"), Price.parse("10"), 3) for units in (9_999, 10_001)]
    assert verdicts == ["SHARES_MISMATCH", "SHARES_MISMATCH"]


def test_a10_another_price_than_the_final_one_is_wrong_before_anything_else() -> None:
    assert judge("cents", 108_933, bought(46_178, 108_933, "23.59"), NAV, 3) == "PRICE_MISMATCH"
    assert judge("cents", 108_933, bought(1, 1, "23.59"), NAV, 3) == "PRICE_MISMATCH"


def test_a_price_is_compared_by_value() -> None:
    assert judge("cents", 108_933, bought(46_414, 108_933, "23.4700"), NAV, 3) is None


@pytest.mark.parametrize("cents", [108_932, 108_934])
def test_a_cent_more_or_less_than_ordered_is_wrong(cents: int) -> None:
    assert judge("cents", 108_933, bought(46_414, cents), NAV, 3) == "AMOUNT_MISMATCH"


def test_a_confirmation_of_no_shares_is_valid_for_a_cent_that_buys_none() -> None:
    assert judge("cents", 1, bought(0, 1), NAV, 3) is None


def test_a17_a_share_order_is_paid_by_shares_times_price() -> None:
    nav = Price.parse("17.83")
    assert judge("shares", 310_457, bought(310_457, 553_545, "17.83"), nav, 3) is None
    assert judge("shares", 310_457, bought(310_457, 553_544, "17.83"), nav, 3) is None, "cut off instead of rounded"
    assert judge("shares", 310_457, bought(310_457, 553_546, "17.83"), nav, 3) == "SHARES_MISMATCH"
    assert judge("shares", 310_457, bought(310_457, 553_543, "17.83"), nav, 3) == "SHARES_MISMATCH"


@pytest.mark.parametrize("units", [310_456, 310_458])
def test_another_number_of_shares_than_ordered_is_wrong(units: int) -> None:
    assert judge("shares", 310_457, bought(units, 553_545, "17.83"), Price.parse("17.83"), 3) == "AMOUNT_MISMATCH"


@pytest.mark.parametrize(("decimals", "units"), [(0, 46), (1, 464), (6, 46_413_720)])
def test_the_funds_own_scale_counts(decimals: int, units: int) -> None:
    assert judge("cents", 108_933, bought(units, 108_933), NAV, decimals) is None
    assert judge("cents", 108_933, bought(units, 108_933), NAV, (decimals + 1) % 7) == "SHARES_MISMATCH"
    paid = 108_933 if decimals == 6 else {0: 107_962, 1: 108_901}[decimals]
    assert judge("shares", units, bought(units, paid), NAV, decimals) is None
    assert judge("shares", units, bought(units, paid), NAV, (decimals + 1) % 7) == "SHARES_MISMATCH"

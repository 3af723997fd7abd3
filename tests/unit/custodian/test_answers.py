"""The custodian's arithmetic: right when it should be, wrong in a way nobody can explain away when told to be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.custodian.answers import Action, Confirmation, Order, executed, price_one_percent_off, rejection
from shared.values.shares import units_of


def a_buy(cents: int = 70_000, action: Action = "confirm") -> Order:
    return Order("o1", "ACME", "F1", "2026-11-27", "buy", cents, None, action)


def a_sell(shares: str, action: Action = "confirm") -> Order:
    return Order("o1", "ACME", "F1", "2026-11-27", "sell", None, shares, action)


def test_seven_hundred_dollars_at_13_33_buy_52_513_shares() -> None:
    confirmations, booked = executed(a_buy(), "13.33", 3)
    assert [Confirmation("o1", "confirmed", 1, "52.513", "13.33", 70_000)] == confirmations
    assert booked.units == 52_513


def test_a_share_order_is_confirmed_in_dollars_rounded_half_up() -> None:
    confirmations, _ = executed(a_sell("63.911"), "23.47", 3)
    assert [Confirmation("o1", "confirmed", 1, "63.911", "23.47", 149_999)] == confirmations


def test_a_cent_that_buys_nothing_is_confirmed_with_no_shares() -> None:
    confirmations, _ = executed(a_buy(cents=1), "23.47", 3)
    assert [Confirmation("o1", "confirmed", 1, "0.000", "23.47", 1)] == confirmations


def test_a_duplicate_says_the_same_twice() -> None:
    confirmations, _ = executed(a_buy(action="duplicate"), "13.33", 3)
    assert len(confirmations) == 2
    assert confirmations[0] == confirmations[1]


def test_a_misprice_is_one_percent_off_and_then_corrected() -> None:
    (wrong, right), booked = executed(a_buy(cents=4_000, action="misprice"), "40.00", 3)
    assert Confirmation("o1", "confirmed", 1, "0.990", "40.40", 4_000) == wrong
    assert Confirmation("o1", "corrected", 2, "1.000", "40.00", 4_000) == right
    assert booked.units == 1_000


def test_wrong_shares_are_one_percent_more_at_the_right_price_and_then_corrected() -> None:
    (wrong, right), booked = executed(a_buy(action="wrong_shares"), "10.00", 3)
    assert (wrong.shares, wrong.price, wrong.cents) == ("70.700", "10.00", 70_000)
    assert (right.shares, right.status, right.version) == ("70.000", "corrected", 2)
    assert booked.units == 70_000


@pytest.mark.parametrize(("cents", "shares"), [(1, "0.003"), (100, "0.102"), (20_000, "20.200")])
def test_wrong_shares_are_at_least_two_units_more(cents: int, shares: str) -> None:
    (wrong, _), _ = executed(a_buy(cents, "wrong_shares"), "10.00", 3)
    assert shares == wrong.shares


def test_a_late_confirmation_is_the_second_version() -> None:
    (confirmation,), _ = executed(a_buy(action="late"), "13.33", 3)
    assert (confirmation.status, confirmation.version, confirmation.shares) == ("confirmed", 2, "52.513")


def test_a_rejection_has_a_reason_and_no_figures() -> None:
    said = rejection(a_buy())
    assert (said.status, said.shares, said.price, said.cents) == ("rejected", None, None, None)
    assert said.reason


@pytest.mark.parametrize(
    ("price", "wrong"),
    [("40.00", "40.40"), ("23.47", "23.70"), ("10", "11"), ("0.01", "0.02"), ("1.7042", "1.7212"), ("0.5", "0.6")],
)
def test_a_price_one_percent_off_keeps_its_decimals_and_always_differs(price: str, wrong: str) -> None:
    assert wrong == price_one_percent_off(price)


@given(
    cents=st.integers(1, 10**12),
    price=st.decimals("0.0001", "9999", places=4).map(str),
    scale=st.integers(0, 6),
    action=st.sampled_from(["misprice", "wrong_shares"]),
)
def test_what_was_wrong_at_first_ends_as_what_is_right_at_once(
    cents: int, price: str, scale: int, action: Action
) -> None:
    (wrong, corrected), booked = executed(a_buy(cents, action), price, scale)
    (right,), _ = executed(a_buy(cents), price, scale)
    assert replace(right, status="corrected", version=2) == corrected
    assert (wrong.price, wrong.shares) != (right.price, right.shares)
    assert units_of(str(corrected.shares), scale) == booked.units

"""What a confirmation does to its order, one after the other."""

from __future__ import annotations

from datetime import date

import pytest

from services.trading.rules.judging import Checked, OrderState, Step, follow, within

DAY = date(2026, 11, 20)
ACCEPTED = "accepted:2026-11-20"
REFUSED = "refused:CONFIRMATION_CONFLICT"


def said(version: int, says: str, came: str, code: str | None = None, units: int | None = None) -> Checked:
    return Checked("O", version, says, came, code, "10.00", 10_000, units)


def right(version: int, says: str = "confirmed", units: int = 10_000) -> Checked:
    return said(version, says, "confirmed", units=units)


def wrong(version: int, says: str = "confirmed", code: str = "PRICE_MISMATCH") -> Checked:
    return said(version, says, "broken", code)


def in_turn(order: OrderState, *confirmations: Checked) -> list[Step]:
    """Each confirmation on the order as the one before left it."""
    steps = []
    for confirmation in confirmations:
        steps.append(follow(order, confirmation, DAY))
        order = steps[-1].after
    return steps


def test_right_figures_fill_an_open_order() -> None:
    step = follow(OrderState("O", "open"), right(1), DAY)
    assert step == Step(OrderState("O", "confirmed", None, 1, "10.00", 10_000, 10_000), ACCEPTED, is_accepted=True)


def test_pending_then_right_figures_fill_once() -> None:
    steps = in_turn(OrderState("O", "open"), said(1, "pending", "pending"), right(2))
    assert [step.verdict for step in steps] == ["pending", ACCEPTED]
    assert [step.is_accepted for step in steps] == [False, True]
    assert steps[0].after == OrderState("O", "pending")


def test_a_rejection_leaves_no_figures() -> None:
    step = follow(OrderState("O", "open"), said(1, "rejected", "rejected", "ORDER_REJECTED"), DAY)
    assert step == Step(OrderState("O", "rejected", "ORDER_REJECTED"), "rejected:ORDER_REJECTED")


def test_a_break_is_filled_by_the_first_right_figures_and_reverses_nothing() -> None:
    broken, filled = in_turn(OrderState("O", "open"), wrong(1), right(2, "corrected"))
    assert (broken.after.status, broken.after.break_code, broken.verdict) == (
        "broken", "PRICE_MISMATCH", "broken:PRICE_MISMATCH",
    )  # fmt: skip
    assert (filled.after.break_code, filled.after.version, filled.reverses) == (None, 2, None)


def test_a_correction_of_a_filled_order_takes_the_old_fills_back() -> None:
    first, second = in_turn(OrderState("O", "open"), right(1), right(2, "corrected", 9_999))
    assert (first.reverses, second.reverses) == (None, 1)
    assert (second.after.version, second.after.units) == (2, 9_999)


@pytest.mark.parametrize(
    "stored", [OrderState("O", "confirmed", None, 1), OrderState("O", "confirmed", None, 1, "9", 1, 2)]
)
def test_a_wrong_correction_in_between_does_not_make_the_right_one_post_twice(stored: OrderState) -> None:
    between, corrected = in_turn(stored, wrong(2, "corrected"), right(3, "corrected"))
    assert between.after == OrderState("O", "confirmed", "PRICE_MISMATCH", 1, stored.price, stored.cents, stored.units)
    assert not between.is_accepted
    assert corrected.reverses == 1
    assert corrected.after.break_code is None


def test_a_second_confirmation_that_is_no_correction_is_refused() -> None:
    filled = OrderState("O", "confirmed", None, 1)
    assert follow(filled, right(2), DAY) == Step(filled, REFUSED, is_refused=True)


@pytest.mark.parametrize("late", [right(1, "corrected"), right(2, "corrected"), wrong(1, "corrected")])
def test_a_version_that_is_not_newer_than_the_filled_one_is_refused(late: Checked) -> None:
    filled = OrderState("O", "confirmed", None, 2)
    assert follow(filled, late, DAY) == Step(filled, REFUSED, is_refused=True)


@pytest.mark.parametrize("late", [right(2), right(2, "corrected"), wrong(2), said(2, "pending", "pending")])
def test_nothing_follows_a_rejection(late: Checked) -> None:
    rejected = OrderState("O", "rejected", "ORDER_REJECTED")
    assert follow(rejected, late, DAY) == Step(rejected, REFUSED, is_refused=True)


def test_an_older_version_that_comes_after_a_broken_newer_one_is_refused() -> None:
    order = OrderState("O", "broken", "PRICE_MISMATCH")
    late = follow(order, right(1), DAY, heard=2)
    assert (late.verdict, late.is_refused, late.after) == (REFUSED, True, order)
    assert follow(order, right(3, "corrected"), DAY, heard=2).is_accepted


@pytest.mark.parametrize(
    ("legs", "judged"),
    [([], 0), ([3, 3, 4], 3), ([3, 3, 5], 2), ([11, 0, 1], 1), ([0, 11], 1), ([50], 1)],
)
def test_a_round_ends_before_the_confirmation_with_one_leg_too_many_unless_it_is_the_first(
    legs: list[int], judged: int
) -> None:
    assert within(legs, 10) == judged

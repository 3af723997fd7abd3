"""What a participant holds after fills."""

from __future__ import annotations

import pytest

from services.valuation.rules.positions import Holdings, apply_legs, check, holding_key
from shared.values.invariants import InvariantBroken


def test_fills_of_one_source_and_fund_add_up() -> None:
    holdings: Holdings = {}
    apply_legs([holdings] * 3, ["match/F1", "roth/F1", "match/F1"], [2_342, 1_464, 8], [5_497, 3_435, 20])
    assert holdings == {"match/F1": [2_350, 5_517], "roth/F1": [1_464, 3_435]}


def test_a7_a_leg_without_a_share_keeps_its_cost_and_a_position_of_zero() -> None:
    holdings: Holdings = {}
    apply_legs([holdings], [holding_key("pre_tax", "F1")], [0], [1])
    assert holdings == {"pre_tax/F1": [0, 1]}
    check(holdings)


def test_a10_a_reversed_fill_posted_again_leaves_only_the_new_one() -> None:
    holdings: Holdings = {"pre_tax/F1": [2_342, 5_497]}
    apply_legs([holdings] * 2, ["pre_tax/F1"] * 2, [-2_342, 2_330], [-5_497, 5_497])
    assert holdings == {"pre_tax/F1": [2_330, 5_497]}
    check(holdings)


def test_new_legs_do_not_touch_the_lists_of_other_holdings() -> None:
    one: Holdings = {}
    other: Holdings = {}
    apply_legs([one, other, one], ["roth/F1"] * 3, [5] * 3, [7] * 3)
    assert (one, other) == ({"roth/F1": [10, 14]}, {"roth/F1": [5, 7]})


def test_a_position_below_zero_is_our_defect() -> None:
    with pytest.raises(InvariantBroken, match="never negative"):
        check({"roth/F1": [5, 5], "roth/F2": [-1, 0]})


def test_a_cost_below_zero_is_none_since_sales_may_gain() -> None:
    check({"roth/F1": [0, -1]})

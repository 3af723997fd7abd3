"""Largest remainder on the worked examples, and in slices over lanes."""

from __future__ import annotations

import json

import pytest

from shared.values.split import NOBODY, RankCut, rank_cut, shares_by_cut, split_largest_remainder


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (13_741, [40, 25, 20, 15], [5_497, 3_435, 2_748, 2_061]),
        (-13_741, [40, 25, 20, 15], [-5_497, -3_435, -2_748, -2_061]),
        (10_000, [1, 1, 1], [3_334, 3_333, 3_333]),
        (1, [50, 50], [1, 0]),
        (31_250, [33, 33, 34], [10_313, 10_312, 10_625]),
        (18_750, [33, 33, 34], [6_188, 6_187, 6_375]),
        (14_808, [33, 33, 34], [4_887, 4_886, 5_035]),
    ],
)
def test_a6_splits_to_the_cent(total: int, weights: list[int], parts: list[int]) -> None:
    assert split_largest_remainder(total, weights) == parts


def test_a7_a_pooled_buy_is_shared_out_to_the_unit_and_a_cent_may_get_nothing() -> None:
    assert split_largest_remainder(46_414, [5_497, 3_435, 100_000, 1]) == [2_342, 1_464, 42_608, 0]


def test_a8_seven_equal_legs_share_one_unit_less_than_each_alone() -> None:
    assert split_largest_remainder(52_513, [10_000] * 7) == [7_502] * 6 + [7_501]


def test_a9_share_sells_are_paid_by_their_shares() -> None:
    assert split_largest_remainder(56_693, [7_502] * 3) == [18_898, 18_898, 18_897]


def test_a16_a_dividend_too_small_for_somebody_is_nothing_to_him() -> None:
    assert split_largest_remainder(1_893, [120_074, 33_333, 5]) == [1_482, 411, 0]


@pytest.mark.parametrize(("total", "parts"), [(5, [2, 1, 1, 1]), (6, [2, 2, 1, 1]), (7, [2, 2, 2, 1])])
def test_ties_go_to_the_lowest_index(total: int, parts: list[int]) -> None:
    assert split_largest_remainder(total, [1, 1, 1, 1]) == parts


def test_many_missing_units_go_to_the_largest_remainders() -> None:
    weights = [1] * 9 + [2]
    assert split_largest_remainder(10, weights) == [1] * 10


def test_weights_that_give_nobody_a_remainder_leave_nothing_over() -> None:
    assert split_largest_remainder(100, [0, 3, 0, 1]) == [0, 75, 0, 25]


def test_nothing_splits_into_nothing() -> None:
    assert split_largest_remainder(0, [0, 0]) == [0, 0]
    assert split_largest_remainder(0, []) == []
    assert split_largest_remainder(0, [2, 1]) == [0, 0]


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [2, -1]])
def test_money_that_nobody_may_get_is_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        split_largest_remainder(1, weights)
    with pytest.raises(ValueError, match="weights"):
        rank_cut(1, weights, [(index,) for index in range(len(weights))])


def test_the_cut_names_the_last_leg_that_gets_a_unit_more() -> None:
    keys = [(f"P{index}", "pre_tax") for index in range(7)]
    assert rank_cut(52_513, [10_000] * 7, keys) == RankCut(6, 60_000, ("P5", "pre_tax"))


def test_a_split_without_remainders_has_no_cut() -> None:
    assert rank_cut(100, [1, 1], [("a",), ("b",)]) == NOBODY
    assert shares_by_cut(100, 2, [1], [("b",)], NOBODY) == [50]


def test_the_key_decides_ties_whatever_the_order_of_the_legs() -> None:
    weights = [1, 1, 1]
    forward = rank_cut(1, weights, [("a", "roth"), ("b", "match"), ("c", "match")])
    backward = rank_cut(1, weights, [("c", "match"), ("b", "match"), ("a", "roth")])
    assert forward == backward
    assert shares_by_cut(1, 3, weights, [("c", "match"), ("a", "roth"), ("b", "match")], forward) == [0, 1, 0]


def test_keys_are_compared_part_by_part_and_not_glued_together() -> None:
    first, second = ("P1", "z"), ("P10", "a")
    assert rank_cut(1, [1, 1], [second, first]).key == first


def test_a_cut_survives_json() -> None:
    cut = rank_cut(1, [1, 1], [("a", "roth"), ("b", "roth")])
    assert RankCut.from_json(json.loads(json.dumps(cut.as_json()))) == cut
    assert RankCut.from_json(json.loads(json.dumps(NOBODY.as_json()))) == NOBODY


def test_two_legs_with_one_key_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="same key"):
        rank_cut(1, [1, 1], [("a",), ("a",)])


def test_a_lane_without_weight_gets_nothing() -> None:
    cut = rank_cut(10, [3, 0], [("a",), ("b",)])
    assert shares_by_cut(10, 3, [0], [("b",)], cut) == [0]
    assert shares_by_cut(0, 0, [0], [("b",)], NOBODY) == [0]
    with pytest.raises(ValueError, match="nobody"):
        shares_by_cut(1, 0, [0], [("b",)], NOBODY)

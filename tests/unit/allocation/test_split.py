"""How a line's cents are divided over funds (acceptance case A6)."""

from __future__ import annotations

import pytest

from services.allocation.rules.split import cents_by_fund, split_line

THIRDS = {"all": [("F1", 330_000), ("F2", 330_000), ("F3", 340_000)]}


def test_a6_a_line_over_four_funds() -> None:
    parts = {"all": [("F1", 400_000), ("F2", 250_000), ("F3", 200_000), ("F4", 150_000)]}
    assert split_line(["pre_tax"], [13_741], parts, "DEF") == (["F1", "F2", "F3", "F4"], [5_497, 3_435, 2_748, 2_061])


def test_a6_each_source_is_split_and_never_the_total() -> None:
    funds, legs = split_line(["pre_tax", "roth", "match"], [31_250, 18_750, 14_808], THIRDS, "DEF")
    assert legs == [10_313, 10_312, 10_625, 6_188, 6_187, 6_375, 4_887, 4_886, 5_035]
    # A split of the total, 648.08, would be 213.87 / 213.86 / 220.35.
    assert cents_by_fund(funds, legs) == [21_388, 21_385, 22_035]


def test_a6_one_cent_over_two_equal_funds_goes_to_the_lower_key() -> None:
    assert split_line(["roth"], [1], {"all": [("F1", 500_000), ("F2", 500_000)]}, "DEF") == (["F1", "F2"], [1, 0])


def test_without_an_election_the_default_fund_gets_every_source_whole() -> None:
    assert split_line(["pre_tax", "match"], [16_923, 14_808], None, "DEF") == (["DEF"], [16_923, 14_808])


def test_sources_of_different_elections_share_one_matrix() -> None:
    parts = {"employee": [("F2", 500_000), ("F3", 500_000)], "employer": [("F1", 1_000_000)]}
    funds, legs = split_line(["pre_tax", "match"], [101, 50], parts, "DEF")
    assert funds == ["F1", "F2", "F3"]
    assert legs == [0, 51, 50, 50, 0, 0]
    assert cents_by_fund(funds, legs) == [50, 51, 50]


def test_a_source_that_falls_back_to_the_default_fund_stands_beside_an_elected_one() -> None:
    funds, legs = split_line(["pre_tax", "match"], [100, 50], {"employee": [("F2", 1_000_000)]}, "DEF")
    assert (funds, legs) == (["DEF", "F2"], [0, 100, 50, 0])


def test_several_sources_without_an_own_election_meet_in_the_default_fund() -> None:
    parts = {"employer": [("F2", 1_000_000)]}
    assert split_line(["pre_tax", "roth"], [100, 50], parts, "DEF") == (["DEF"], [100, 50])


@pytest.mark.parametrize(("funds", "legs", "sums"), [(["A"], [1, 2, 3], [6]), (["A", "B"], [1, 2, 3, 4], [4, 6])])
def test_columns_are_added_up(funds: list[str], legs: list[int], sums: list[int]) -> None:
    assert cents_by_fund(funds, legs) == sums

"""Laws of splitting: nothing appears, nothing is lost, nobody is off by a unit, lanes make no difference."""

from __future__ import annotations

import json
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from shared.values.split import RankCut, rank_cut, shares_by_cut, split_largest_remainder

amounts = st.integers(-(10**15), 10**15)
weight_lists = st.lists(st.integers(0, 10**12), min_size=1, max_size=12).filter(any)
Leg = tuple[tuple[str, str], int, int]
"""Key, weight, lane."""


def legs(weights: st.SearchStrategy[int], max_size: int = 40) -> st.SearchStrategy[list[Leg]]:
    keys = st.tuples(st.text(max_size=3), st.sampled_from(["match", "pre_tax", "roth"]))
    leg = st.tuples(keys, weights, st.integers(0, 7))
    return st.lists(leg, min_size=1, max_size=max_size, unique_by=lambda one: one[0]).filter(
        lambda found: any(weight for _, weight, _ in found)
    )


@given(amounts, weight_lists)
def test_a_split_conserves_every_unit(total: int, weights: list[int]) -> None:
    assert sum(split_largest_remainder(total, weights)) == total


@given(amounts, weight_lists)
def test_each_part_is_within_a_unit_of_exact(total: int, weights: list[int]) -> None:
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    parts = split_largest_remainder(total, weights)
    assert all(abs(part - share) < 1 for part, share in zip(parts, exact, strict=True))


@given(amounts, weight_lists)
def test_zero_weight_never_gets_a_unit(total: int, weights: list[int]) -> None:
    parts = split_largest_remainder(total, weights)
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)


@given(amounts, weight_lists)
def test_negatives_mirror(total: int, weights: list[int]) -> None:
    assert split_largest_remainder(-total, weights) == [-part for part in split_largest_remainder(total, weights)]


@given(amounts, weight_lists)
def test_the_split_is_the_one_of_the_definition(total: int, weights: list[int]) -> None:
    """Floor, then one unit each by falling remainder, then rising index: written down as slowly as it reads."""
    weight_sum, size = sum(weights), abs(total)
    parts = [size * weight // weight_sum for weight in weights]
    ranked = sorted(range(len(weights)), key=lambda index: (-(size * weights[index] % weight_sum), index))
    for index in ranked[: size - sum(parts)]:
        parts[index] += 1
    assert split_largest_remainder(total, weights) == [part if total >= 0 else -part for part in parts]


@given(amounts, weight_lists, st.integers(1, 1000))
def test_only_proportions_matter(total: int, weights: list[int], factor: int) -> None:
    scaled = [weight * factor for weight in weights]
    assert split_largest_remainder(total, scaled) == split_largest_remainder(total, weights)


def assert_lanes_make_no_difference(total: int, found: list[Leg]) -> None:
    keys, weights = [key for key, _, _ in found], [weight for _, weight, _ in found]
    cut = RankCut.from_json(json.loads(json.dumps(rank_cut(total, weights, keys).as_json())))
    by_key: dict[tuple[str, str], int] = {}
    for lane in range(8):
        mine = [(key, weight) for key, weight, of_lane in found if of_lane == lane]
        lane_keys, lane_weights = [key for key, _ in mine], [weight for _, weight in mine]
        by_key |= zip(lane_keys, shares_by_cut(total, sum(weights), lane_weights, lane_keys, cut), strict=True)
    whole = sorted(zip(keys, weights, strict=True))
    assert [by_key[key] for key, _ in whole] == split_largest_remainder(total, [weight for _, weight in whole])


@given(st.integers(-(10**9), 10**9), legs(st.integers(0, 10**6)))
def test_lanes_that_split_apart_agree_with_one_that_splits_all(total: int, found: list[Leg]) -> None:
    assert_lanes_make_no_difference(total, found)


@given(st.integers(0, 50), legs(st.integers(0, 3)))
def test_lanes_agree_when_nearly_all_remainders_tie(total: int, found: list[Leg]) -> None:
    assert_lanes_make_no_difference(total, found)


@given(st.integers(-(10**30), 10**30), legs(st.integers(0, 10**30)))
def test_lanes_agree_on_numbers_beyond_64_bits(total: int, found: list[Leg]) -> None:
    assert_lanes_make_no_difference(total, found)


@given(st.integers(0, 2**62), st.randoms(use_true_random=False), st.integers(1, 2**33))
def test_lanes_agree_over_many_legs_near_the_edge_of_64_bits(total: int, chance: object, highest: int) -> None:
    drawn = [chance.randrange(highest + 1) for _ in range(100)]  # type: ignore[attr-defined]
    found = [((f"P{index:03d}", "roth"), weight or 1, index % 8) for index, weight in enumerate(drawn)]
    assert_lanes_make_no_difference(total, found)

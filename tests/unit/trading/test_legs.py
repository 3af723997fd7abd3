"""An order's legs in one lane: one pack is taken as it is, carried ones are added up and cancelled ones vanish."""

from __future__ import annotations

from typing import Any

from services.trading.rules.legs import LegKeys, Legs, merged


def pack(*legs: tuple[str, str, int]) -> dict[str, Any]:
    return {
        "participants": [leg[0] for leg in legs], "buckets": [7] * len(legs), "sources": [leg[1] for leg in legs],
        "cents": [leg[2] for leg in legs],
    }  # fmt: skip


def test_one_pack_is_taken_as_it_is() -> None:
    assert merged([pack(("P1", "roth", 5), ("P2", "match", 7))]) == Legs(
        ["P1", "P2"], [7, 7], ["roth", "match"], [5, 7]
    )


def test_a_carried_pack_adds_to_the_legs_of_the_date_in_key_order() -> None:
    legs = merged([pack(("P2", "roth", 5)), pack(("P1", "roth", 1), ("P2", "match", 2), ("P2", "roth", 3))])
    assert list(legs.keys) == [("P1", "roth"), ("P2", "match"), ("P2", "roth")]
    assert legs.cents == [1, 2, 8]


def test_a_cancelled_leg_vanishes_and_one_cancelled_in_part_stays() -> None:
    legs = merged([pack(("P1", "roth", 5), ("P2", "roth", 5)), pack(("P1", "roth", -5), ("P2", "roth", -2))])
    assert legs == Legs(["P2"], [7], ["roth"], [3])


def test_the_keys_of_several_lanes_follow_each_other() -> None:
    one, other = merged([pack(("P1", "roth", 5))]), merged([pack(("P0", "match", 1), ("P0", "roth", 1))])
    keys = LegKeys((legs.participants, legs.sources) for legs in (one, other))
    assert len(keys) == 3
    assert keys[1:] == [("P0", "match"), ("P0", "roth")]

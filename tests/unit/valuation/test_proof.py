"""The conservation proof: every number of a consistent day is watched (acceptance case A30)."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from services.valuation.rules.proof import (
    add_up,
    holdings_equations,
    is_proven,
    money_equations,
    offsets_equations,
    plan_cash,
    units_held,
)
from shared.events.valuation import DayClosed

LINES = "payroll.contributions.v1"
REROUTED = "contributions.rerouted.v1"


def counts(**outcomes: int) -> dict[str, int]:
    return {"offsets": sum(outcomes.values()), **outcomes}


def a_lane(lines: int) -> dict[str, dict[str, Any]]:
    """What every stage says of one lane: 10.00 a line asked for, of which 9.00 are taken."""
    cents, units = 900 * lines, 38 * lines
    return {
        "contribution": {
            "submitted": 1_000 * lines, "accepted": cents, "rejected": 100 * lines, "credited": cents + 20,
            "open_before": 5, "released": cents, "open": 25, "reversed": 60,
            "counts": {LINES: counts(decided=lines, duplicates=1, dead_lettered=2, markers=1)},
        },
        "allocation": {"cents": cents - 7, "parked_cents": 7, "reversed_cents": 57, "parked_reversed_cents": 3},
        "trading": {
            "cents": cents - 7, "leg_cents": cents - 7, "carried_leg_cents": 4, "ordered_leg_cents": cents - 8,
            "ordered_cents": cents - 8, "ordered_leg_units": 9, "ordered_units": 9, "reversed_cents": 55,
            "parked_reversed_cents": 2, "reversals_waited": 10, "sold_cost_cents": 40, "cancelled_cents": 5,
            "reversals_waiting": 20,
        },
        "trading.value": {
            "confirmed_cents": cents - 7, "filled_cents": cents - 7, "confirmed_units": units, "filled_units": units,
            "fills": 3, "in_flight": [["ACME", "F1", 5]], "sold_cents": 38, "plan_cash_posted": 43,
        },
        "valuation": {"posted_cents": cents - 7, "posted_units": units, "fills": 3},
    }  # fmt: skip


def a_day() -> list[dict[str, dict[str, Any]]]:
    return [a_lane(1), a_lane(12), a_lane(0)]


def proven(lanes: list[dict[str, dict[str, Any]]]) -> bool:
    return is_proven(offsets_equations(lanes, frozenset({REROUTED})) | money_equations(add_up(lanes)))


WATCHED = [
    (stage, name) for stage, totals in a_lane(1).items() for name, value in totals.items() if isinstance(value, int)
]


def test_a_consistent_day_is_proven() -> None:
    assert proven(a_day())


@pytest.mark.parametrize("change", [1, -1])
@pytest.mark.parametrize(("stage", "name"), WATCHED)
def test_a30_one_cent_or_unit_or_fill_in_any_total_is_detected(stage: str, name: str, change: int) -> None:
    day = a_day()
    day[1][stage][name] += change
    assert not proven(day)


OUTCOMES = [
    "decided", "duplicates", "mismatches", "held", "parked", "dead_lettered", "forwarded", "markers", "holes",
]  # fmt: skip


@pytest.mark.parametrize("name", ["offsets", *OUTCOMES])
def test_a_record_that_vanished_or_came_from_nowhere_is_detected(name: str) -> None:
    day = a_day()
    of_topic = day[0]["contribution"]["counts"][LINES]
    of_topic[name] = of_topic.get(name, 0) + 1
    assert not proven(day)


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_record_is_accounted_for_by_any_one_outcome(name: str) -> None:
    day = a_day()
    of_topic = day[0]["contribution"]["counts"][LINES]
    of_topic[name] = of_topic.get(name, 0) + 1
    of_topic["offsets"] += 1
    assert proven(day)


def test_rerouted_records_are_counted_where_they_came_in() -> None:
    day = a_day()
    day[0]["contribution"]["counts"][REROUTED] = {"decided": 5}
    assert proven(day)


def test_a_lane_that_is_missing_is_detected() -> None:
    day = a_day()
    del day[1]["valuation"]
    assert not proven(day)


def test_what_one_lane_lacks_another_may_have() -> None:
    """Orders and totals of the whole day stand in one lane's figures; sums over lanes are compared."""
    day = a_day()
    day[0]["trading"]["ordered_cents"] += day[1]["trading"]["ordered_cents"]
    day[1]["trading"]["ordered_cents"] = 0
    assert proven(day)


def test_a_day_on_which_nothing_happened_is_proven() -> None:
    assert proven([])
    assert is_proven(holdings_equations({}, {}, {}))


def test_each_equation_shows_both_sides() -> None:
    day = a_day()
    day[2]["valuation"]["posted_cents"] = 5
    equations = money_equations(add_up(day))
    broken = {name: one for name, one in equations.items() if not one["ok"]}
    filled = sum(lane["trading.value"]["filled_cents"] for lane in day)
    assert broken == {"filled = posted cents": {"left": filled, "right": filled + 12, "ok": False}}


def test_adding_up_leaves_what_is_no_number_alone_and_its_input_unchanged() -> None:
    day = a_day()
    before = copy.deepcopy(day)
    summed = add_up(day)
    assert summed["trading.value"]["filled_units"] == 38 * 13
    assert "in_flight" not in summed["trading.value"]
    assert day == before


# -- holdings --------------------------------------------------------------------------------------------------------

HERE = {("ACME", "F1"): 46_414, ("ACME", "F2"): 10, ("BETA", "F1"): 7}
FLYING = {("ACME", "F2"): 5, ("BETA", "F9"): 2}
THERE = {("ACME", "F1"): 46_414, ("ACME", "F2"): 15, ("BETA", "F1"): 7, ("BETA", "F9"): 2}


def test_positions_and_what_is_in_flight_are_what_the_custodian_holds() -> None:
    equations = holdings_equations(HERE, THERE, FLYING)
    assert is_proven(equations)
    assert list(equations) == ["positions + in flight = custodian units"]


@pytest.mark.parametrize("change", [1, -1])
@pytest.mark.parametrize("side", [0, 1, 2])
@pytest.mark.parametrize("key", sorted(THERE))
def test_a30_one_unit_on_any_side_is_detected_and_named(side: int, key: tuple[str, str], change: int) -> None:
    sides = [dict(HERE), dict(THERE), dict(FLYING)]
    sides[side][key] = sides[side].get(key, 0) + change
    equations = holdings_equations(*sides)
    assert not is_proven(equations)
    assert any(f"{key[0]} {key[1]}" in name for name, one in equations.items() if not one["ok"])


def test_differences_that_cancel_out_are_detected() -> None:
    moved = dict(THERE) | {("ACME", "F1"): 46_413, ("BETA", "F1"): 8}
    equations = holdings_equations(HERE, moved, FLYING)
    assert equations["positions + in flight = custodian units"]["ok"]
    assert not is_proven(equations)


def test_a_position_the_custodian_does_not_know_is_detected() -> None:
    assert not is_proven(holdings_equations({("ACME", "F1"): 1}, {}, {}))
    assert not is_proven(holdings_equations({}, {("ACME", "F1"): 1}, {}))


def test_what_only_the_custodian_holds_is_named() -> None:
    equations = holdings_equations(HERE, THERE | {("GAMMA", "F3"): 4}, FLYING)
    assert equations["positions + in flight = custodian units of GAMMA F3"] == {"left": 0, "right": 4, "ok": False}


def test_a_file_that_is_wrong_everywhere_still_fits_into_one_event() -> None:
    plans = {(f"plan-{number}-{'x' * 110}", "f" * 128): 1 for number in range(2_500)}
    equations = holdings_equations(plans, {}, {})
    assert equations["plans and funds that differ further = 0"] == {"left": 1_500, "right": 0, "ok": False}
    _, unreadable = units_held([(plan, fund, "0.00000000001") for plan, fund in plans], {})
    assert unreadable["unreadable positions further = 0"]["left"] == 1_500
    body = orjson.dumps({"trade_date": "2026-11-20", "status": "broken", "proof": equations | unreadable})
    assert len(body) < 900 * 1024
    assert DayClosed.model_validate_json(body).status == "broken"


def test_the_custodians_shares_are_added_up_in_units_of_the_fund() -> None:
    held, unreadable = units_held([("ACME", "F1", "46.4140"), ("ACME", "F1", "1"), ("ACME", "F9", "2.5")], {"F1": 3})
    assert (held, unreadable) == ({("ACME", "F1"): 47_414, ("ACME", "F9"): 2_500_000}, {})


@pytest.mark.parametrize("shares", ["46.4141", "0.00000000001"])
def test_shares_finer_than_the_funds_are_a_difference_and_stop_nothing(shares: str) -> None:
    held, unreadable = units_held([("ACME", "F1", shares), ("BETA", "F1", "0.007")], {"F1": 3})
    assert held == {("BETA", "F1"): 7}
    assert not is_proven(unreadable)
    assert any("ACME F1" in name for name in unreadable)


def test_plan_cash_is_unused_funding_and_what_reversals_brought() -> None:
    lanes: list[dict[str, dict[str, Any]]] = [
        {"contribution": {"plan_cash": {"ACME": 500, "BETA": 7}}, "trading.value": {"plan_cash": {"ACME": 5_363}}},
        {"trading.value": {"plan_cash": {"BETA": -7, "GAMMA": 1}}},
    ]
    assert plan_cash(lanes) == {"ACME": 5_863, "GAMMA": 1}

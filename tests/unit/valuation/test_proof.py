"""The conservation proof: every number of a consistent day is watched (acceptance case A30)."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import orjson
import pytest

from services.valuation.rules.parked import ParkedFill, parked_totals, people_waiting, posted_cents, units_parked
from services.valuation.rules.proof import (
    add_up,
    holdings_equations,
    is_proven,
    money_equations,
    offsets_equations,
    plan_cash,
    units_held,
)
from shared.events.packed import Fill
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
            "ordered_cents": cents - 8, "sell_leg_units": 6, "carried_leg_units": 3,
            "ordered_leg_units": 9, "ordered_units": 9, "reversed_cents": 55,
            "parked_reversed_cents": 2, "reversals_waited": 10, "sold_cost_cents": 40, "cancelled_cents": 5,
            "reversals_waiting": 20,
        },
        "trading.value": {
            "confirmed_cents": cents - 7, "filled_cents": cents - 7, "confirmed_units": units, "filled_units": units,
            "fills": 3, "in_flight": [["ACME", "F1", 5]], "sold_cents": 38, "plan_cash_posted": 43,
        },
        "valuation": {
            "posted_cents": cents - 2, "posted_units": units - 3, "fills": 2, "parked_cents": 6, "parked_units": 4,
            "parked_fills": 2, "freed_cents": 11, "freed_units": 1, "freed_fills": 1,
        },
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
    assert is_proven(holdings_equations({}, {}, {}, {}))


def test_each_equation_shows_both_sides() -> None:
    day = a_day()
    day[2]["valuation"]["posted_cents"] += 5
    equations = money_equations(add_up(day))
    broken = {name: one for name, one in equations.items() if not one["ok"]}
    came = sum(lane["trading.value"]["filled_cents"] + lane["valuation"]["freed_cents"] for lane in day)
    assert broken == {"filled + freed = posted + parked cents": {"left": came, "right": came + 5, "ok": False}}


def test_adding_up_leaves_what_is_no_number_alone_and_its_input_unchanged() -> None:
    day = a_day()
    before = copy.deepcopy(day)
    summed = add_up(day)
    assert summed["trading.value"]["filled_units"] == 38 * 13
    assert "in_flight" not in summed["trading.value"]
    assert day == before


# -- holdings --------------------------------------------------------------------------------------------------------

HERE = {("ACME", "F1"): 46_414, ("ACME", "F2"): 10, ("BETA", "F1"): 7}
FLYING = {("ACME", "F2"): 4, ("BETA", "F9"): 2}
PARKED = {("ACME", "F2"): 1}
THERE = {("ACME", "F1"): 46_414, ("ACME", "F2"): 15, ("BETA", "F1"): 7, ("BETA", "F9"): 2}


def test_positions_and_what_is_in_flight_are_what_the_custodian_holds() -> None:
    equations = holdings_equations(HERE, THERE, FLYING, PARKED)
    assert is_proven(equations)
    assert list(equations) == ["positions + in flight + parked = custodian units"]


@pytest.mark.parametrize("change", [1, -1])
@pytest.mark.parametrize("side", [0, 1, 2, 3])
@pytest.mark.parametrize("key", sorted(THERE))
def test_a30_one_unit_on_any_side_is_detected_and_named(side: int, key: tuple[str, str], change: int) -> None:
    sides = [dict(HERE), dict(THERE), dict(FLYING), dict(PARKED)]
    sides[side][key] = sides[side].get(key, 0) + change
    equations = holdings_equations(*sides)
    assert not is_proven(equations)
    assert any(f"{key[0]} {key[1]}" in name for name, one in equations.items() if not one["ok"])


def test_differences_that_cancel_out_are_detected() -> None:
    moved = dict(THERE) | {("ACME", "F1"): 46_413, ("BETA", "F1"): 8}
    equations = holdings_equations(HERE, moved, FLYING, PARKED)
    assert equations["positions + in flight + parked = custodian units"]["ok"]
    assert not is_proven(equations)


def test_a_position_the_custodian_does_not_know_is_detected() -> None:
    assert not is_proven(holdings_equations({("ACME", "F1"): 1}, {}, {}, {}))
    assert not is_proven(holdings_equations({}, {("ACME", "F1"): 1}, {}, {}))


def test_what_only_the_custodian_holds_is_named() -> None:
    equations = holdings_equations(HERE, THERE | {("GAMMA", "F3"): 4}, FLYING, PARKED)
    assert equations["positions + in flight + parked = custodian units of GAMMA F3"] == {
        "left": 0,
        "right": 4,
        "ok": False,
    }


def test_a_file_that_is_wrong_everywhere_still_fits_into_one_event() -> None:
    plans = {(f"plan-{number}-{'x' * 110}", "f" * 128): 1 for number in range(2_500)}
    equations = holdings_equations(plans, {}, {}, {})
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


# -- fills that are parked -------------------------------------------------------------------------------------------

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2026, 11, day) for day in (16, 17, 18, 19))


def a_fill(order_id: str, cents: list[int], units: list[int], proceeds: list[int] | None = None) -> Fill:
    people = [f"P{number}" for number in range(len(cents))]
    return Fill(
        order_id, 1, "ACME", "F1", "buy" if proceeds is None else "sell", "2026-11-16", "10.00", 3, people,
        [7 + number for number in range(len(people))], ["pre_tax"] * len(people), cents, units, proceeds=proceeds,
    )  # fmt: skip


BOUGHT, SOLD, SERVED = (
    a_fill("b", [600, 400], [60, 40]), a_fill("s", [-100], [-10], [130]), a_fill("o", [90], [9]),
)  # fmt: skip


def proven_at(day: date, filled: list[Fill], posted: list[Fill], parked: list[ParkedFill], held: int) -> bool:
    """Whether a date is proven with what trading filled, what valuation posted, and the units its positions have."""
    stages: dict[str, dict[str, Any]] = {"trading.value": {}, "valuation": parked_totals(parked, day)}
    for stage, said, fills in (("trading.value", "filled", filled), ("valuation", "posted", posted)):
        stages[stage] |= {
            "fills": len(fills), f"{said}_cents": sum(map(posted_cents, fills)),
            f"{said}_units": sum(sum(one.units) for one in fills),
        }  # fmt: skip
    value = stages["trading.value"]
    value |= {"confirmed_cents": value["filled_cents"], "confirmed_units": value["filled_units"]}
    there = {("ACME", "F1"): 99}
    positions = {("ACME", "F1"): held}
    return is_proven(
        money_equations(add_up([stages])) | holdings_equations(positions, there, {}, units_parked(parked, day))
    )


def test_dates_are_proven_from_the_one_a_fill_was_parked_on_to_the_one_it_is_freed_for() -> None:
    waits = [ParkedFill(MONDAY, None, BOUGHT), ParkedFill(MONDAY, None, SOLD)]
    assert proven_at(MONDAY, [BOUGHT, SOLD, SERVED], [SERVED], waits, held=9)
    assert proven_at(TUESDAY, [], [], waits, held=9)
    freed = [ParkedFill(MONDAY, WEDNESDAY, BOUGHT), ParkedFill(MONDAY, WEDNESDAY, SOLD)]
    assert proven_at(MONDAY, [BOUGHT, SOLD, SERVED], [SERVED], freed, held=9)
    assert proven_at(TUESDAY, [], [], freed, held=9)
    assert proven_at(WEDNESDAY, [], [BOUGHT, SOLD], freed, held=99)
    assert proven_at(THURSDAY, [], [], freed, held=99)


def test_a_fill_that_is_parked_and_freed_on_one_date_is_posted_on_it() -> None:
    freed = [ParkedFill(MONDAY, MONDAY, BOUGHT), ParkedFill(MONDAY, MONDAY, SOLD)]
    assert proven_at(MONDAY, [BOUGHT, SOLD, SERVED], [BOUGHT, SOLD, SERVED], freed, held=99)
    assert people_waiting(freed, MONDAY) == {}


def test_a_fill_that_is_neither_posted_nor_parked_is_detected() -> None:
    assert not proven_at(MONDAY, [BOUGHT, SOLD, SERVED], [SERVED], [ParkedFill(MONDAY, None, BOUGHT)], held=9)
    assert not proven_at(TUESDAY, [], [], [], held=9)


def test_who_is_named_in_a_parked_fill_waits_until_it_is_freed() -> None:
    parked = [ParkedFill(MONDAY, WEDNESDAY, BOUGHT)]
    assert people_waiting(parked, TUESDAY) == {("ACME", "P0"): 7, ("ACME", "P1"): 8}
    assert people_waiting(parked, WEDNESDAY) == {}
    assert people_waiting([ParkedFill(TUESDAY, None, SERVED)], MONDAY) == {}


def test_plan_cash_is_unused_funding_and_what_reversals_brought() -> None:
    lanes: list[dict[str, dict[str, Any]]] = [
        {"contribution": {"plan_cash": {"ACME": 500, "BETA": 7}}, "trading.value": {"plan_cash": {"ACME": 5_363}}},
        {"trading.value": {"plan_cash": {"BETA": -7, "GAMMA": 1}}},
    ]
    assert plan_cash(lanes) == {"ACME": 5_863, "GAMMA": 1}

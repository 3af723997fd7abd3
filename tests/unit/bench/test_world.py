"""The measured payday: known beforehand to the cent, and varied enough to mean something."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal

import orjson
import pytest

from deploy.bench.world import World, close_request, line_cents, value_request
from shared.events.census import Census
from shared.events.fund import FundFact
from shared.events.limits import LimitsFact
from shared.events.market import CloseRequested, PriceFact, ValueRequested
from shared.events.payroll import Contribution, PayrollFunded
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged

PAYDAY = date(2026, 11, 20)
MODELS = {
    model.ce_type: model
    for model in (Census, FundFact, LimitsFact, PlanFact, PriceFact, Contribution, PayrollFunded, ElectionChanged)
}


def test_a_payday_has_a_line_of_three_sources_for_every_participant() -> None:
    lines = [orjson.loads(event.value) for event in World(650).lines(PAYDAY)]
    assert len({line["participant_id"] for line in lines}) == 650
    assert {len(line["amounts"]) for line in lines} == {3}
    assert len({line["plan_id"] for line in lines}) == 300


def test_every_participant_elects_four_different_funds_that_sum_to_a_hundred_percent() -> None:
    world = World(10_000)
    chosen = [world.election(number) for number in range(world.participants)]
    assert {len({fund for fund, _ in election}) for election in chosen} == {4}
    assert {sum(Decimal(percent) for _, percent in election) for election in chosen} == {Decimal(100)}
    assert len({fund for election in chosen for fund, _ in election}) == 20


def test_the_cash_of_each_run_is_what_its_lines_submit() -> None:
    world = World(1_000)
    owed: defaultdict[str, int] = defaultdict(int)
    for event in world.lines(PAYDAY):
        line = orjson.loads(event.value)
        owed[line["payroll_id"]] += sum(amount["cents"] for amount in line["amounts"])
    paid = {body["payroll_id"]: body["cents"] for body in map(orjson.loads, (e.value for e in world.fundings(PAYDAY)))}
    assert paid == owed
    assert sum(paid.values()) == world.total_cents == sum(line_cents(number) for number in range(1_000))


def test_every_event_of_a_payday_is_what_its_model_says() -> None:
    world = World(40)
    events = [*world.head(), *world.people(), *world.lines(PAYDAY), *world.fundings(PAYDAY), *world.prices(PAYDAY)]
    for event in events:
        assert MODELS[event.ce_type].model_validate(orjson.loads(event.value))
    CloseRequested.model_validate(orjson.loads(close_request(PAYDAY).value))
    ValueRequested.model_validate(orjson.loads(value_request(PAYDAY).value))


def test_no_two_events_of_a_topic_share_an_id() -> None:
    world = World(700)
    events = [*world.head(), *world.people(), *world.lines(PAYDAY), *world.fundings(PAYDAY), *world.prices(PAYDAY)]
    assert Counter((event.topic, event.ce_id) for event in events).most_common(1)[0][1] == 1


@pytest.mark.parametrize("participants", [1, 299, 300, 301])
def test_a_small_payday_funds_only_the_runs_it_has(participants: int) -> None:
    world = World(participants)
    runs = {orjson.loads(event.value)["payroll_id"] for event in world.lines(PAYDAY)}
    assert {orjson.loads(event.value)["payroll_id"] for event in world.fundings(PAYDAY)} == runs

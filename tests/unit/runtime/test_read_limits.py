"""How far each input may be read: what a worker chooses of its buffers while facts, decisions or closings are due."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from aiokafka import TopicPartition

from shared.events.plan import PlanFact
from shared.events.topics import CONTRIBUTIONS_RELEASED, PARTICIPANT_REQUESTS, PAYROLL_CONTRIBUTIONS, PLANS
from shared.runtime.definition import FactTopic, Input, Service
from shared.runtime.factcache import FactProgress
from shared.runtime.guards import Guards
from shared.runtime.lanes import CycleState, Lane, LaneInput
from shared.runtime.plane import MoneyPlane
from shared.runtime.settings import Settings
from tests.support.fetched import an_event

THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
PLAN = FactTopic(PLANS, {PlanFact.ce_type: PlanFact}, key=lambda fact: fact.plan_id)
LINES, REQUESTS = PAYROLL_CONTRIBUTIONS.name, PARTICIPANT_REQUESTS.name
UNLIMITED = Input(PAYROLL_CONTRIBUTIONS, (), facts_gate=False)
SAID_BY_OTHERS = Input(CONTRIBUTIONS_RELEASED, (), internal=True)


def met(last_cut: date | None) -> LaneInput:
    """A place in a log behind this cut."""
    return LaneInput(0, THURSDAY, last_cut, None, None, {})


@asynccontextmanager
async def holding_a_record(source: Input) -> AsyncIterator[MoneyPlane]:
    """A worker that has fetched one record of Monday from this input, of a lane where nothing else is known yet."""
    service = Service("till", (source,), facts=(PLAN,))
    plane = MoneyPlane(service, Settings.model_validate({"NESTWORK_MARKER_KEY": "a key"}), Guards())
    lane = Lane(0, 1, 1, 1, datetime(2026, 11, 20, tzinfo=UTC), cycles={"day": CycleState()})
    lane.inputs = {source.topic.name: met(FRIDAY), REQUESTS: met(None)}
    plane.lanes = {0: lane}
    place = TopicPartition(source.topic.name, 0)
    plane.intake.assign({place: 0})
    plane.intake.buffers[place].records.append(an_event(0, source.topic.name))
    try:
        yield plane
    finally:
        await plane.membership.stop()
        await plane.intake.stop()


def decide(plane: MoneyPlane, day: date) -> None:
    plane.beats.decided["day"] = day


def close(plane: MoneyPlane, day: date) -> None:
    plane.lanes[0].cycles["day"] = CycleState(day, day)


def meet_elsewhere(plane: MoneyPlane, day: date) -> None:
    plane.lanes[0].inputs[REQUESTS] = met(day)


def read_facts(plane: MoneyPlane, day: date) -> None:
    plane.facts.progress[PLANS.name] = FactProgress(first_cut=THURSDAY, last_cut=day)


@pytest.mark.parametrize(
    ("source", "reach", "too_early", "enough"),
    [
        (replace(UNLIMITED, waits_for_decided="day"), decide, THURSDAY, FRIDAY),
        (replace(UNLIMITED, waits_for_closed="day"), close, THURSDAY, FRIDAY),
        (replace(UNLIMITED, waits_for_inputs=(REQUESTS,)), meet_elsewhere, THURSDAY, FRIDAY),
        (replace(UNLIMITED, facts_gate=True), read_facts, THURSDAY, FRIDAY),
        (SAID_BY_OTHERS, read_facts, FRIDAY, MONDAY),
    ],
    ids=["decided", "closed", "other inputs", "facts before the cut", "facts up to the cut"],
)
async def test_money_of_a_date_waits_for_what_it_is_decided_by(
    source: Input, reach: Callable[[MoneyPlane, date], None], too_early: date, enough: date
) -> None:
    async with holding_a_record(source) as plane:
        assert plane._choose() == []
        reach(plane, too_early)
        assert plane._choose() == []
        reach(plane, enough)
        (chosen,) = plane._choose()
        assert [record.trade_date for record in chosen.records] == [MONDAY]


async def test_money_that_waits_for_nothing_is_taken_at_once() -> None:
    async with holding_a_record(UNLIMITED) as plane:
        assert len(plane._choose()) == 1

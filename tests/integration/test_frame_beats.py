"""The day cycle on a real database: the builder waits for all lanes, and the closing marker for all tasks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from deploy.cluster import Infrastructure
from shared.events.topics import CONTRIBUTIONS_RELEASED, PAYROLL_CONTRIBUTIONS
from shared.runtime.beats import Beats
from shared.runtime.definition import Cycle, Progress
from shared.runtime.lanes import Lane
from shared.runtime.records import LANE_CLOSED
from shared.runtime.work import Task, Work
from tests.support.till import NOON, Till, open_till

DAY = date(2026, 11, 18)
SLICES = 2


async def ask_every_lane_to_post(work: Work, day: date) -> Progress:
    for lane in range(2):
        work.add_task(lane, "day", day, "post", {}, NOON)
    return Progress.DONE


async def post_a_slice(work: Work, task: Task) -> Any:
    """Say something of the date in several polls, as a run of many lines is released."""
    number = (task.position or 0) + 1
    work.emit(
        task.lane, CONTRIBUTIONS_RELEASED.name, key=None, ce_type="slice", ce_id=str(number), value=b"",
        recorded_at=NOON,
    )  # fmt: skip
    return None if number == SLICES else number


CYCLE = Cycle(
    "day", (PAYROLL_CONTRIBUTIONS.name,), (), decide=ask_every_lane_to_post, outputs=(CONTRIBUTIONS_RELEASED,)
)


async def beat(till: Till, beats: Beats, lanes: dict[int, Lane]) -> list[str]:
    """One round in a transaction of its own: what it says in the first of these lanes."""
    async with till.poll(lanes) as (_, work):
        for lane in lanes:
            work.at(lane, NOON)
        await beats.step(work, lanes)
    place = (min(lanes), CONTRIBUTIONS_RELEASED.name, min(lanes))
    return [message.ce_type for message in work.messages.get(place, ())]


def meet_the_cut(lane: Lane) -> None:
    place = lane.inputs[PAYROLL_CONTRIBUTIONS.name]
    place.first_cut = place.last_cut = DAY


@pytest.mark.parametrize("owned", [(0, 1), (1, 0)])
async def test_a_date_is_decided_when_all_lanes_have_read_it_and_marked_when_all_its_tasks_are_done(
    infrastructure: Infrastructure, owned: tuple[int, int]
) -> None:
    async with open_till(infrastructure, 2, cycles=(CYCLE,), tasks={"post": post_a_slice}) as till:
        beats = Beats(till.service, 2)
        lanes = await till.claim(1, (0, 1))
        decided = "SELECT trade_date FROM decided_days"
        meet_the_cut(lanes[owned[0]])
        assert await beat(till, beats, lanes) == []
        assert await till.connection.fetchval(decided) is None
        meet_the_cut(lanes[owned[1]])
        assert await beat(till, beats, {1: lanes[1]}) == []
        assert await till.connection.fetchval(decided) is None, "the builder is the owner of lane 0"
        assert await beat(till, beats, lanes) == []
        assert await till.connection.fetchval(decided) == DAY
        assert await beat(till, beats, lanes) == ["slice"]
        assert await beat(till, beats, lanes) == ["slice", LANE_CLOSED]
        assert await beat(till, beats, lanes) == []

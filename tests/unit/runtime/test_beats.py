"""When a beat asks for the next one at once, and wakes the other workers."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.runtime.beats import Beats
from shared.runtime.definition import Cycle, Progress, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import CycleState, Lane, LaneInput
from shared.runtime.work import Work

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
THURSDAY, FRIDAY = date(2026, 11, 19), date(2026, 11, 20)


class NoRows:
    """A database in which nothing is found; it remembers what was written."""

    def __init__(self) -> None:
        self.written: list[str] = []

    async def fetch(self, *_: Any) -> list[Any]:
        return []

    async def fetchval(self, *_: Any) -> None:
        return None

    async def execute(self, statement: str, *_: Any) -> None:
        self.written.append(statement)


async def a_step(progress: Progress) -> tuple[bool, Work]:
    """One step of a lane that has met Friday's cut, where reading comes to ``progress``."""

    async def read(_work: Work, _lane: int, _day: date) -> Progress:
        return progress

    service = Service("a", (), cycles=(Cycle("day", inputs=("lines",), facts=(), read=read),))
    lane = Lane(1, 1, 1, 1, NOON, {"lines": LaneInput(9, THURSDAY, FRIDAY, None, None, {})})
    lane.cycles["day"] = CycleState(THURSDAY, THURSDAY)
    work = Work(NoRows(), service, {1: lane}, FactCache(()), Guards())
    moved = await Beats(service, partitions=2).step(work, {1: lane})
    work.committed()
    return moved, work


@pytest.mark.parametrize("progress", [Progress.DONE, Progress.MORE])
def test_a_reading_that_did_something_is_followed_by_the_next_beat_of_all_workers(progress: Progress) -> None:
    moved, work = asyncio.run(a_step(progress))
    assert moved
    assert work.wakes_others
    assert (work.lanes[1].cycles["day"].last_read == FRIDAY) == (progress is Progress.DONE)


def test_a_reading_that_waits_for_something_else_neither_goes_on_at_once_nor_wakes_anybody() -> None:
    moved, work = asyncio.run(a_step(Progress.WAITING))
    assert not moved
    assert not work.wakes_others
    assert work.connection.written == []
    assert work.lanes[1].cycles["day"].last_read == THURSDAY

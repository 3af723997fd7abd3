"""Which tasks a worker looks at first."""

from __future__ import annotations

from datetime import UTC, date, datetime
from random import Random
from typing import Any

from shared.runtime import clients
from shared.runtime.beats import SELECT_NEXT_TASKS
from shared.runtime.guards import Guards
from shared.runtime.parking import FRAME_CYCLE, UNPARK
from shared.runtime.work import INSERT_TASKS
from tests.simulation.engine import Engine, installed
from tests.simulation.loop import SimulatedLoop, run
from tests.simulation.simulate import quiet
from tests.simulation.world import Faults, World

FRIDAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)


async def first_tasks(parked: int) -> list[Any]:
    """The tasks to look at when so many participants wait to be freed and then a date is decided."""
    connection = await clients.connect("nestwork_trading")
    tasks = [(0, FRAME_CYCLE, FRIDAY, UNPARK, "{}", NOON)] * parked + [(0, "day", FRIDAY, "orders", "{}", NOON)] * 2
    await connection.execute(INSERT_TASKS, *map(list, zip(*tasks, strict=True)))
    found: list[Any] = await connection.fetch(SELECT_NEXT_TASKS, [0], UNPARK)
    return found


def test_the_tasks_of_a_date_do_not_wait_behind_participants_to_be_freed() -> None:
    loop = SimulatedLoop(Random(1))
    engine = Engine(World(loop, Random(1), Faults(Random(1))), 1, ("trading",), Guards())
    with quiet(), installed(engine):
        found = run(loop, first_tasks(parked=70))
    assert len(found) == 64
    assert [row["kind"] for row in found[:3]] == ["orders", "orders", UNPARK]
    assert [row["task"] for row in found[2:]] == sorted(row["task"] for row in found[2:])

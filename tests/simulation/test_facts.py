"""Facts that were queued before a new claim and are delivered again after it: stored once, and no reason to stop."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import orjson
import pytest

from shared.events import topics
from shared.events.envelope import event_headers
from shared.events.fund import FundFact
from shared.runtime.faustplane import ControlPlane
from shared.runtime.guards import Guards
from shared.runtime.records import record_of
from tests.simulation.engine import Engine, installed
from tests.simulation.loop import SimulatedLoop, run
from tests.simulation.simulate import quiet
from tests.simulation.world import Faults, World

FUNDS = topics.FUNDS.name


async def store_funds(engine: Engine, offsets: list[int]) -> ControlPlane:
    """Publish three funds, and hand over the records of these offsets together."""
    for number in range(3):
        body = orjson.dumps({"fund_id": f"F{number}", "share_decimals": 3})
        headers = event_headers(f"fund-{number}", "/tests", FundFact.ce_type)
        engine.kafka.append(FUNDS, 0, f"F{number}".encode(), body, headers)
    plane = ControlPlane(engine.services["allocation"], engine.config)
    await plane.open()
    await plane.claim([FUNDS], 1)
    for offset in offsets:
        plane.queues[FUNDS].put_nowait(record_of(-1, engine.kafka.log(FUNDS, 0)[offset]))
    task = asyncio.create_task(plane.run(FUNDS))
    await asyncio.sleep(20)
    task.cancel()
    return plane


def stored(offsets: list[int]) -> tuple[ControlPlane, list[Any]]:
    loop = SimulatedLoop(Random(1))
    engine = Engine(World(loop, Random(1), Faults(Random(1))), 1, ("allocation",), Guards())
    with quiet(), installed(engine):
        plane = run(loop, store_funds(engine, offsets))
    return plane, list(engine.postgres.databases["nestwork_allocation"].tables["facts"].values())


@pytest.mark.parametrize("offsets", [[0, 1, 2], [0, 1, 2, 0, 1, 2], [0, 1, 0, 1, 2], [0, 1, 2, 0]])
def test_facts_that_come_again_after_a_claim_are_stored_once(offsets: list[int]) -> None:
    plane, facts = stored(offsets)
    assert plane.next_offset == {FUNDS: 3}
    assert [(row["key"], row["version"]) for row in facts] == [("F0", 1), ("F1", 2), ("F2", 3)]


def test_a_fact_that_is_missing_stops_its_topic() -> None:
    plane, facts = stored([0, 2])
    assert FUNDS not in plane.next_offset
    assert facts == []

"""One lane's internal log makes no sense: that lane stops, the others of the same poll go on."""

from __future__ import annotations

import asyncio
from random import Random

import orjson
import pytest

from shared.events import topics
from shared.events.envelope import event_headers
from shared.runtime.guards import Guards
from shared.runtime.plane import MoneyPlane
from shared.runtime.records import LANE_CLOSED
from tests.simulation.engine import Engine, installed
from tests.simulation.loop import SimulatedLoop, run
from tests.simulation.simulate import quiet
from tests.simulation.world import Faults, World

RELEASED = topics.CONTRIBUTIONS_RELEASED.name
PARTITIONS, BROKEN = 4, 2


def say(engine: Engine, lane: int, ce_type: str, sequence: dict[str, bytes]) -> None:
    """Append what the relay of contribution would, with this sequence."""
    headers = [*event_headers(f"closed-{lane}", "/nestwork/contribution", ce_type), *sequence.items()]
    body = orjson.dumps({"trade_date": "2026-11-18", "lane": lane, "stages": {}})
    engine.kafka.append(RELEASED, lane, None, body, headers)


def numbered(lane: int, seq: int) -> dict[str, bytes]:
    return {"stream": b"contribution/%d/x/%d" % (lane, lane), "epoch": b"1", "seq": b"%d" % seq}


async def live(engine: Engine, ce_type: str, sequence: dict[str, bytes]) -> MoneyPlane:
    """A worker of allocation over logs that were all there before it."""
    for lane in range(PARTITIONS):
        if lane == BROKEN:
            say(engine, lane, ce_type, sequence)
        else:
            say(engine, lane, LANE_CLOSED, numbered(lane, 1))
    engine.start("allocation-0")
    await asyncio.sleep(30)
    return engine.planes["allocation-0#1"]


@pytest.mark.parametrize(
    ("ce_type", "sequence", "why"),
    [
        (LANE_CLOSED, numbered(BROKEN, 2), "expected 1/1, got 1/2"),
        (LANE_CLOSED, {}, "carries no sequence"),
        ("nestwork.rumour.v1", numbered(BROKEN, 1), "unknown internal type"),
    ],
)
def test_only_the_lane_whose_log_lost_something_stops(ce_type: str, sequence: dict[str, bytes], why: str) -> None:
    loop = SimulatedLoop(Random(1))
    engine = Engine(World(loop, Random(1), Faults(Random(1))), PARTITIONS, ("allocation",), Guards())
    with quiet(), installed(engine):
        plane = run(loop, live(engine, ce_type, sequence))
    assert engine.crashes == []
    assert set(plane.stopped_lanes) == {BROKEN}
    assert why in plane.stopped_lanes[BROKEN]
    assert {number: lane.inputs[RELEASED].next_offset for number, lane in plane.lanes.items()} == {0: 1, 1: 1, 3: 1}

"""A log that no longer holds what must be read next: that lane, or that fact topic, stops and says so; never skip."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from shared.events import topics
from shared.events.envelope import event_headers
from shared.runtime.clients import kafka_admin
from shared.runtime.records import LANE_CLOSED
from tests.support import events
from tests.support.events import Outgoing
from tests.support.waiting import eventually
from tests.support.wire import open_wire
from tests.support.workers import Ground, open_ground

pytestmark = pytest.mark.slow
PARTITIONS = 4
LINES, LIMITS = topics.PAYROLL_CONTRIBUTIONS.name, topics.LIMITS.name
REROUTED = topics.CONTRIBUTIONS_REROUTED.name


@pytest_asyncio.fixture(scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with open_ground(tmp_path_factory.mktemp("lost"), "contribution", PARTITIONS) as opened:
        yield opened


async def forget(ground: Ground, topic: str, partition: int, before: int) -> None:
    """Delete the beginning of a log, as a wrong retention would."""
    admin = kafka_admin(ground.config)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


async def test_a_lane_whose_log_lost_its_beginning_stops_and_the_others_serve(ground: Ground) -> None:
    people = [
        next(name for n in range(999) if events.home(name := f"p{n}", PARTITIONS) == p) for p in range(PARTITIONS)
    ]
    async with open_wire(ground.infrastructure, ground.config) as wire:
        await wire.send(events.plan_fact(), *(events.census(one) for one in people))
        await wire.send(*(events.line(people[2]) for _ in range(3)))
        await forget(ground, LINES, 2, 2)
        async with ground.worker() as worker:

            async def has_stopped_that_lane() -> bool:
                assert worker.process.returncode is None, worker.log.read_text()[-3_000:]
                status, said = await worker.readiness()
                return status == 503 and said["lanes"] == [0, 1, 3] and "does not hold" in said["stopped"].get("2", "")

            await eventually(has_stopped_that_lane, seconds=60)
            served, unserved = events.line(people[1]), events.line(people[2])
            await wire.send(unserved, served)
            assert (await wire.receipt(served.ce_id))["status"] in ("accepted", "held")
            assert await has_stopped_that_lane()
            assert wire.receipts(unserved.ce_id) == []


def jumped(partition: int) -> Outgoing:
    """A closing marker of lane 0 whose number says that one before it is missing."""
    headers = event_headers("closed", "/nestwork/contribution", LANE_CLOSED)
    headers += [("stream", f"contribution/0/{REROUTED}/{partition}".encode()), ("epoch", b"1"), ("seq", b"2")]
    body = orjson.dumps({"trade_date": "2026-11-18", "lane": 0, "stages": {}})
    return Outgoing(REROUTED, None, body, headers, partition)


async def test_a_record_missing_from_an_internal_log_stops_its_lane_and_no_other_of_the_same_poll(
    ground: Ground,
) -> None:
    """Lane 2 stands since the test before; lane 3's log is the one that lost something now."""
    people = [next(name for n in range(999) if events.home(name := f"q{n}", PARTITIONS) == p) for p in range(2)]
    async with open_wire(ground.infrastructure, ground.config) as wire:
        lines = [events.line(one) for one in people]
        await wire.send(*(events.census(one) for one in people), jumped(3), *lines)
        async with ground.worker() as worker:
            for line in lines:
                assert (await wire.receipt(line.ce_id))["status"] in ("accepted", "held")

            async def has_stopped_that_lane() -> bool:
                assert worker.process.returncode is None, worker.log.read_text()[-3_000:]
                status, said = await worker.readiness()
                return (
                    status == 503
                    and said["lanes"] == [0, 1]
                    and "expected 1/1, got 1/2" in said["stopped"].get("3", "")
                )

            await eventually(has_stopped_that_lane, seconds=60)


async def test_a_fact_topic_that_lost_its_beginning_is_read_no_further_and_the_worker_says_so(ground: Ground) -> None:
    async with open_wire(ground.infrastructure, ground.config) as wire:
        await wire.send(*(events.plan_fact(f"plan-{number}") for number in range(8)))
        plans = topics.PLANS.name
        await forget(ground, plans, 0, 9)
        async with ground.worker() as worker:

            async def has_stopped_reading() -> bool:
                assert worker.process.returncode is None, worker.log.read_text()[-3_000:]
                status, said = await worker.readiness()
                return status == 503 and set(said.get("facts_stopped", {})) == {plans} and plans not in said["facts"]

            await eventually(has_stopped_reading, seconds=60)
            assert LIMITS in (await worker.readiness())[1]["facts"]

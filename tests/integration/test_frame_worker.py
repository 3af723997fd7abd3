"""The frame around one service on real Kafka and PostgreSQL: starting, refusing, stopping at loss, bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import orjson
import pytest
import pytest_asyncio

from shared.events import topics
from shared.events.envelope import event_headers
from shared.runtime.definition import Input, Service
from shared.runtime.errors import PartitionCountDiffers
from shared.runtime.lanes import prepare_lanes
from shared.runtime.records import LANE_CLOSED
from shared.runtime.topics import create_topics
from tests.support import events
from tests.support.events import Outgoing
from tests.support.waiting import eventually
from tests.support.wire import Wire, open_wire
from tests.support.workers import Ground, Worker, open_ground

pytestmark = pytest.mark.slow
PARTITIONS = 4
LINES, PEOPLE = 200_000, 400
RESIDENT_MB_MAX = 400
ALLOCATION = Service("allocation", (Input(topics.CONTRIBUTIONS_RELEASED, (), internal=True),))
RELEASED = topics.CONTRIBUTIONS_RELEASED.name


@pytest_asyncio.fixture(scope="module")
async def contribution(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with open_ground(tmp_path_factory.mktemp("contribution"), "contribution", PARTITIONS) as ground:
        yield ground


@pytest_asyncio.fixture(scope="module")
async def allocation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with open_ground(tmp_path_factory.mktemp("allocation"), "allocation", PARTITIONS) as ground:
        yield ground


async def value(ground: Ground, statement: str, *arguments: object) -> object:
    connection = await asyncpg.connect(ground.infrastructure.database_url(ground.service))
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def wait_ready(worker: Worker) -> None:
    await eventually(worker.is_ready, seconds=90)


async def test_the_faust_command_starts_a_worker_too(contribution: Ground) -> None:
    command = ("-m", "faust", "-A", "services.contribution.app", "worker", "--without-web")
    async with contribution.worker(*command) as worker:

        async def owns_all_lanes() -> bool:
            assert worker.process.returncode is None, worker.log.read_text()[-3_000:]
            return await value(contribution, "SELECT count(*) FROM lanes WHERE owner <> ''") == PARTITIONS

        await eventually(owns_all_lanes, seconds=90)


async def test_a_backlog_is_worked_off_in_bounded_memory(contribution: Ground) -> None:
    people = [f"person-{number}" for number in range(PEOPLE)]
    async with open_wire(contribution.infrastructure, contribution.config) as wire:
        await wire.send(events.plan_fact(), *(events.census(one) for one in people))
        await fill(wire, people)
        async with contribution.worker() as worker:
            await wait_ready(worker)
            highest = 0.0

            async def all_decided() -> bool:
                nonlocal highest
                assert worker.process.returncode is None, worker.log.read_text()[-3_000:]
                highest = max(highest, worker.resident_mb)
                decided = "SELECT coalesce(sum(records), 0) FROM input_counts WHERE topic = $1 AND outcome = 'decided'"
                return await value(contribution, decided, topics.PAYROLL_CONTRIBUTIONS.name) == LINES

            await eventually(all_decided, seconds=200, every=0.25)
    assert 0 < highest < RESIDENT_MB_MAX


async def fill(wire: Wire, people: list[str]) -> None:
    """Put many small lines of few people into the log, in whole client batches."""
    topic = topics.PAYROLL_CONTRIBUTIONS.name
    made = [events.line(one, {"pre_tax": 1}, payroll="backlog", compensation_cents=0) for one in people]
    batches = [wire.producer.create_batch() for _ in range(PARTITIONS)]
    waiting = []
    for number in range(LINES):
        one = made[number % len(made)]
        partition = wire.partition_of(one)
        headers = event_headers(f"backlog-{number}", events.SOURCE, dict(one.headers)["ce_type"].decode())
        text = (one.value or b"").replace(b"backlog", b"backlog-%d" % (number // len(made)))
        while batches[partition].append(key=one.key, value=text, timestamp=None, headers=headers) is None:
            batches[partition].close()
            waiting.append(await wire.producer.send_batch(batches[partition], topic, partition=partition))
            batches[partition] = wire.producer.create_batch()
    for partition, batch in enumerate(batches):
        batch.close()
        waiting.append(await wire.producer.send_batch(batch, topic, partition=partition))
    for one in waiting:
        await one


async def test_facts_are_read_on_when_somebody_took_the_topic_and_ended(contribution: Ground) -> None:
    """As a worker does that was frozen before its claim, came back after the group had replaced it, and died."""
    count = "SELECT count(*) FROM facts WHERE topic = $1"
    async with open_wire(contribution.infrastructure, contribution.config) as wire, contribution.worker() as worker:
        await wait_ready(worker)
        before = int(str(await value(contribution, count, topics.PLANS.name)))
        taken = "UPDATE fact_topics SET incarnation = incarnation + 1 WHERE topic = $1"
        await value(contribution, taken, topics.PLANS.name)
        await wire.send(events.plan_fact("plan-fenced"))

        async def is_stored() -> bool:
            return await value(contribution, count, topics.PLANS.name) == before + 1

        await eventually(is_stored, seconds=60)
        assert "facts_fenced" in worker.log.read_text()


@pytest.mark.parametrize("other", [PARTITIONS // 2, PARTITIONS * 2])
async def test_a_worker_set_for_another_number_of_partitions_ends_and_names_the_way(
    contribution: Ground, other: int
) -> None:
    changed = replace(contribution, environment=contribution.environment | {"NESTWORK_PARTITIONS": str(other)})
    async with changed.worker() as worker:
        assert await asyncio.wait_for(worker.process.wait(), 60) != 0
        text = worker.log.read_text()
    assert f"was made for {PARTITIONS} partitions, and NESTWORK_PARTITIONS leads to {other}" in text
    assert "docs/recovery.md" in text
    with pytest.raises(PartitionCountDiffers, match="topic "):
        await create_topics(changed.config)


@pytest.mark.parametrize("other", [PARTITIONS // 2, PARTITIONS * 2])
async def test_a_database_made_for_other_lanes_is_refused_and_left_as_it_was(allocation: Ground, other: int) -> None:
    connection = await asyncpg.connect(allocation.infrastructure.database_url("allocation"))
    try:
        await prepare_lanes(connection, ALLOCATION, PARTITIONS)
        await prepare_lanes(connection, ALLOCATION, PARTITIONS)
        assert await connection.fetchval("SELECT count(*) FROM lanes") == PARTITIONS
        with pytest.raises(PartitionCountDiffers, match=f"nestwork_allocation was made for {PARTITIONS}"):
            await prepare_lanes(connection, ALLOCATION, other)
        assert await connection.fetchval("SELECT count(*) FROM lanes") == PARTITIONS
    finally:
        await connection.close()


def internal(partition: int, seq: int, day: str = "2026-11-18") -> Outgoing:
    """A closing marker of one lane of contribution, as its relay would send it."""
    headers = event_headers(f"marker-{partition}-{seq}", "/nestwork/contribution", LANE_CLOSED)
    stream = f"contribution/{partition}/{RELEASED}/{partition}"
    headers += [("stream", stream.encode()), ("epoch", b"1"), ("seq", b"%d" % seq)]
    body = {"trade_date": day, "lane": partition, "stages": {}}
    return Outgoing(RELEASED, None, orjson.dumps(body), headers, partition)


async def received(ground: Ground, lane: int) -> object:
    return await value(ground, "SELECT seq FROM lane_received WHERE lane = $1 AND stream LIKE 'contribution/%'", lane)


async def test_a_repeat_on_an_internal_log_is_dropped_and_a_gap_stops_that_lane_and_names_it(
    allocation: Ground,
) -> None:
    async with open_wire(allocation.infrastructure, allocation.config) as wire, allocation.worker() as worker:
        await wait_ready(worker)
        await wire.send(internal(1, 1), internal(1, 1), internal(2, 1))

        async def both_seen() -> bool:
            return [await received(allocation, lane) for lane in (1, 2)] == [1, 1]

        await eventually(both_seen, seconds=60)
        position = "SELECT next_offset FROM lane_inputs WHERE lane = 1 AND topic = $1"

        async def repeat_passed() -> bool:
            return await value(allocation, position, RELEASED) == 2

        await eventually(repeat_passed, seconds=60)
        await wire.send(internal(1, 3))

        async def is_stopped() -> bool:
            status, answer = await worker.readiness()
            return status == 503 and "1" in answer["stopped"] and "expected 1/2, got 1/3" in answer["stopped"]["1"]

        await eventually(is_stopped, seconds=60)
        assert await value(allocation, position, RELEASED) == 2
        await wire.send(internal(2, 2, "2026-11-19"))

        async def other_lane_goes_on() -> bool:
            return await received(allocation, 2) == 2

        await eventually(other_lane_goes_on, seconds=60)
        assert set((await worker.readiness())[1]["stopped"]) == {"1"}

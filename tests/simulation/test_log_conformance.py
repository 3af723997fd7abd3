"""What the frame relies on at Kafka, asked of the twin and of a real broker in the same words."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from deploy.cluster import Infrastructure
from shared.runtime.clients import kafka_producer, kafka_reader
from shared.runtime.settings import Settings
from tests.simulation.loop import SimulatedLoop, run
from tests.simulation.twin_group import TwinMember
from tests.simulation.twin_kafka import Kafka, TwinProducer, TwinReader
from tests.simulation.world import Faults, World

PARTITIONS = 4
OLD_MS = 1_000_000_000_000


@dataclass(frozen=True)
class Broker:
    """A cluster under test: how its clients are made."""

    topic: str
    producer: Callable[[], Any]
    reader: Callable[[], Any]
    member: Callable[[str], Any]


Law = Callable[[Broker], Awaitable[None]]


async def publish(broker: Broker, partition: int, values: list[bytes]) -> list[int]:
    """Send one batch and return the offsets its ends have."""
    producer = broker.producer()
    await producer.start()
    try:
        batch = producer.create_batch()
        for value in values:
            assert batch.append(key=b"k", value=value, timestamp=OLD_MS, headers=[("n", value)]) is not None
        batch.close()
        assert batch.record_count() == len(values)
        await (await producer.send_batch(batch, broker.topic, partition=partition))
    finally:
        await producer.stop()
    return list(range(len(values)))


async def read(reader: Any, count: int, *places: TopicPartition) -> list[Any]:
    """The next ``count`` records."""
    records: list[Any] = []
    for _ in range(200):
        fetched = await reader.getmany(*places, timeout_ms=200, max_records=count)
        for found in fetched.values():
            records += found
        if len(records) >= count:
            break
    return records


async def a_log_keeps_order_dense_offsets_headers_and_its_own_time(broker: Broker) -> None:
    await publish(broker, 1, [b"a", b"b"])
    await publish(broker, 1, [b"c"])
    place = TopicPartition(broker.topic, 1)
    reader = broker.reader()
    await reader.start()
    try:
        reader.assign([place])
        reader.seek(place, 0)
        records = await read(reader, 3, place)
        assert [(one.offset, one.value, one.key) for one in records] == [
            (0, b"a", b"k"),
            (1, b"b", b"k"),
            (2, b"c", b"k"),
        ]
        assert [tuple(one.headers) for one in records] == [(("n", b"a"),), (("n", b"b"),), (("n", b"c"),)]
        stamps = [one.timestamp for one in records]
        assert stamps == sorted(stamps)
        assert stamps[0] > OLD_MS
        assert (await reader.end_offsets([place]))[place] == 3
        assert (await reader.beginning_offsets([place]))[place] == 0
        reader.seek(place, 1)
        assert [one.value for one in await read(reader, 2, place)] == [b"b", b"c"]
    finally:
        await reader.stop()


async def a_reader_waits_its_time_and_skips_what_is_paused(broker: Broker) -> None:
    await publish(broker, 0, [b"zero"])
    await publish(broker, 2, [b"two"])
    zero, two = TopicPartition(broker.topic, 0), TopicPartition(broker.topic, 2)
    reader = broker.reader()
    await reader.start()
    try:
        reader.assign([zero, two])
        reader.seek(zero, 0)
        reader.seek(two, 0)
        reader.pause(zero)
        assert reader.paused() == {zero}
        assert [one.value for one in await read(reader, 1, two)] == [b"two"]
        loop = asyncio.get_running_loop()
        started = loop.time()
        assert await reader.getmany(two, timeout_ms=300) == {}
        assert loop.time() - started >= 0.25
        reader.resume(zero)
        assert [one.value for one in await read(reader, 1, zero)] == [b"zero"]
        reader.unsubscribe()
        assert reader.assignment() == frozenset()
    finally:
        await reader.stop()


async def a_group_shares_the_partitions_and_refuses_an_old_generation(broker: Broker) -> None:
    group = f"g-{secrets.token_hex(4)}"
    members, heard = [broker.member(group), broker.member(group)], [Listening(), Listening()]
    try:
        for number, member in enumerate(members):
            await member.start()
            member.subscribe([broker.topic], listener=heard[number])
            if number == 0:
                await until(lambda: heard[0].lanes == [0, 1, 2, 3])
                first = members[0]._coordinator.generation
        await until(lambda: sorted([heard[0].lanes, heard[1].lanes]) == [[0, 1], [2, 3]])
        coordinator = members[0]._coordinator
        assert coordinator.generation > first
        assert await coordinator._do_heartbeat()
        await members[1].stop()
        await until(lambda: heard[0].lanes == [0, 1, 2, 3])
        assert coordinator.generation > first + 1
    finally:
        for member in members:
            await member.stop()


async def until(met: Callable[[], bool]) -> None:
    for _ in range(600):
        if met():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("waited in vain")


class Listening(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what a member was given."""

    def __init__(self) -> None:
        self.lanes: list[int] = []

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing is held while the group decides."""
        self.lanes = []

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """What is held now."""
        self.lanes = sorted(place.partition for place in assigned)


LAWS: list[Law] = [
    a_log_keeps_order_dense_offsets_headers_and_its_own_time,
    a_reader_waits_its_time_and_skips_what_is_paused,
    a_group_shares_the_partitions_and_refuses_an_old_generation,
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("seed", range(5))
def test_the_twin_keeps_the_laws(law: Law, seed: int) -> None:
    loop = SimulatedLoop(Random(seed))
    world = World(loop, Random(seed), Faults(Random(seed)))
    kafka = Kafka(world, {"laws": PARTITIONS})

    def made(base: type, **options: Any) -> Callable[..., Any]:
        return lambda *_: type("Twin", (base,), {"kafka": kafka})(**options)

    def member(group: str) -> Any:
        return type("Twin", (TwinMember,), {"kafka": kafka})(
            group_id=group, session_timeout_ms=6_000, heartbeat_interval_ms=300
        )

    run(loop, law(Broker("laws", made(TwinProducer), made(TwinReader), member)))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
async def test_kafka_keeps_the_laws(infrastructure: Infrastructure, law: Law) -> None:
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=infrastructure.bootstrap)
    topic = f"laws-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=infrastructure.bootstrap)
    await admin.start()
    stamped = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1, topic_configs=stamped)])
    await admin.close()

    def member(group: str) -> Any:
        return AIOKafkaConsumer(
            bootstrap_servers=infrastructure.bootstrap, group_id=group, enable_auto_commit=False,
            partition_assignment_strategy=(RangePartitionAssignor,), session_timeout_ms=6_000,
            heartbeat_interval_ms=300, retry_backoff_ms=100,
        )  # fmt: skip

    await law(Broker(topic, lambda: kafka_producer(config), lambda: kafka_reader(config), member))

"""The outside watcher on real logs: what stands behind a position is lag, a mere transaction marker is not."""

from __future__ import annotations

import time

from aiokafka import AIOKafkaProducer, TopicPartition

from deploy.cluster import Infrastructure
from deploy.watcher.watch import lag_of
from shared.runtime.settings import Settings
from tests.support.cluster import unique_topics


async def test_lag_is_what_stands_behind_the_position(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "watched", partitions=3)
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=infrastructure.bootstrap)
    appended_ms = int(time.time() * 1000) - 60_000
    producer = AIOKafkaProducer(bootstrap_servers=infrastructure.bootstrap, acks="all")
    await producer.start()
    try:
        for number in range(5):
            await producer.send_and_wait(topic, b"x", partition=0, timestamp_ms=appended_ms + number * 1_000)
        await producer.send_and_wait(topic, b"x", partition=1)
    finally:
        await producer.stop()
    places = [TopicPartition(topic, number) for number in range(3)]
    found = await lag_of(config, dict(zip(places, (3, 1, 0), strict=True)))
    assert found[places[0]] == (2, (appended_ms + 3_000) / 1000)
    assert found[places[1]] == found[places[2]] == (0, 0.0)


async def test_a_funding_that_was_rolled_back_is_no_lag(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "rolledback", partitions=1)
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=infrastructure.bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=infrastructure.bootstrap, transactional_id=f"{topic}-writer")
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"never", partition=0)
        await producer.abort_transaction()
    finally:
        await producer.stop()
    place = TopicPartition(topic, 0)
    assert await lag_of(config, {place: 0}) == {place: (0, 0.0)}

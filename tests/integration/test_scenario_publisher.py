"""Hundreds of scenario files publish at the same time to one partition: none of them is told to give up."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.cluster import Infrastructure
from deploy.scenarios.facts import Outgoing
from deploy.scenarios.publisher import open_publisher
from shared.runtime.settings import Settings
from tests.support.cluster import unique_topics

FILES = 600


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_hundreds_of_files_may_publish_to_one_partition_at_once(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "runs", partitions=1)
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=infrastructure.bootstrap)
    events = [[Outgoing(topic, "run", "t", "/many", f"{n}-{part}", b"{}") for part in range(2)] for n in range(FILES)]
    async with open_publisher(config) as publisher:
        await asyncio.gather(*[publisher.publish(one) for one in events])
    consumer = AIOKafkaConsumer(bootstrap_servers=infrastructure.bootstrap)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, 0)])
    finally:
        await consumer.stop()
    assert list(ends.values()) == [FILES * 2]

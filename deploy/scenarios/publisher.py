"""Publish a scenario's events to the public topics exactly as an integration would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from deploy.scenarios.facts import Outgoing
from deploy.wire import outgoing
from deploy.wire.publish import BulkPublisher
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings


class Publisher:
    """Sends events in the order given; one partition keeps that order."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._bulk = BulkPublisher(producer)

    async def publish(self, events: Iterable[Outgoing]) -> None:
        """Publish and wait until the broker has all of them. Raises ``KafkaError`` when it cannot have them."""
        await self._bulk.publish_mixed(
            (one.topic, outgoing.Outgoing(one.key, one.value, one.ce_type, one.ce_id, one.ce_source)) for one in events
        )

    async def partitions(self, topic: str) -> int:
        """How many partitions an existing topic has."""
        return await self._bulk.partitions(topic)


@asynccontextmanager
async def open_publisher(config: Settings) -> AsyncIterator[Publisher]:
    """A publisher that is flushed and closed when the block ends."""
    producer = kafka_producer(config, linger_ms=1)
    await producer.start()
    try:
        yield Publisher(producer)
    finally:
        await producer.stop()

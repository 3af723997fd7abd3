"""Publish a scenario's events to the public topics exactly as an integration would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.scenarios.facts import Outgoing
from shared.events.envelope import event_headers
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings
from shared.values.hashing import murmur2


class Publisher:
    """Sends events in the order given; one partition keeps that order."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}

    async def publish(self, events: Iterable[Outgoing]) -> None:
        """Publish and wait until the broker has all of them. Raises ``KafkaError`` when it cannot have them."""
        await asyncio.gather(*[await self._send(event) for event in events])

    async def partitions(self, topic: str) -> int:
        """How many partitions an existing topic has."""
        if topic not in self._partitions:
            self._partitions[topic] = len(await self._producer.partitions_for(topic))
        return self._partitions[topic]

    async def _send(self, event: Outgoing) -> asyncio.Future[Any]:
        key = event.key.encode()
        acknowledgement: asyncio.Future[Any] = await self._producer.send(
            event.topic,
            event.value,
            key=key,
            partition=murmur2(key) % await self.partitions(event.topic),
            headers=event_headers(ce_id=event.ce_id, ce_source=event.ce_source, ce_type=event.ce_type),
        )
        return acknowledgement


@asynccontextmanager
async def open_publisher(config: Settings) -> AsyncIterator[Publisher]:
    """A publisher that is flushed and closed when the block ends."""
    producer = kafka_producer(config, linger_ms=1)
    await producer.start()
    try:
        yield Publisher(producer)
    finally:
        await producer.stop()

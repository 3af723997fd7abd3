"""Publish many events at little cost: whole client batches per partition, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.wire.outgoing import Outgoing
from shared.events.envelope import event_headers
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings
from shared.values.hashing import murmur2_many

EVENTS_PER_CHUNK = 20_000
BATCHES_IN_FLIGHT = 64
BATCH_BYTES = 256 * 1024
"""Batches of moderate size, as many integrations would send them."""

Packed = list[tuple[str, int, Any]]
"""(topic, partition, client batch), in the order to send."""


class BulkPublisher:
    """Packs events into batches by topic and partition and sends them; a partition keeps the order given.

    The one publisher of every tool: the demo and the importer send at once, the benchmark packs beforehand so that
    only sending is measured.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}

    async def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Publish to one topic and wait until the broker has all; returns how many. Raises ``KafkaError``."""
        return await self.publish_mixed((topic, message) for message in messages)

    async def publish_mixed(self, events: Iterable[tuple[str, Outgoing]]) -> int:
        """Publish events of several topics; between topics no order is promised. Raises ``KafkaError``."""
        remaining, sent = iter(events), 0
        while chunk := list(islice(remaining, EVENTS_PER_CHUNK)):
            await self.send(await self.pack(chunk))
            sent += len(chunk)
        return sent

    async def pack(self, events: Iterable[tuple[str, Outgoing]]) -> Packed:
        """Batches ready to send. Raises ``ValueError`` for an event larger than a batch."""
        packed: Packed = []
        open_batches: dict[tuple[str, int], Any] = {}
        remaining = iter(events)
        while chunk := list(islice(remaining, EVENTS_PER_CHUNK)):
            counts = {topic: await self.partitions(topic) for topic in {topic for topic, _ in chunk}}
            hashes = murmur2_many([message.key.encode() for _, message in chunk])
            for (topic, message), hashed in zip(chunk, hashes, strict=True):
                self._append(packed, open_batches, topic, (hashed + message.lanes_astray) % counts[topic], message)
        return packed + [(topic, partition, batch) for (topic, partition), batch in open_batches.items()]

    async def send(self, packed: Packed) -> None:
        """Send batches in their order and wait until the broker has all of them."""
        waiting: list[asyncio.Future[Any]] = []
        for topic, partition, batch in packed:
            batch.close()
            waiting.append(await self._producer.send_batch(batch, topic, partition=partition))
            if len(waiting) >= BATCHES_IN_FLIGHT:
                await asyncio.gather(*waiting)
                waiting = []
        await asyncio.gather(*waiting)

    async def partitions(self, topic: str) -> int:
        """How many partitions an existing topic has."""
        if topic not in self._partitions:
            self._partitions[topic] = len(await self._producer.partitions_for(topic))
        return self._partitions[topic]

    def _append(
        self, packed: Packed, open_batches: dict[tuple[str, int], Any], topic: str, partition: int, message: Outgoing
    ) -> None:
        headers = message.headers
        if headers is None:
            headers = event_headers(ce_id=message.ce_id, ce_source=message.ce_source, ce_type=message.ce_type)
        # An empty key is no key: partitioned by the hash of nothing, as a careless sender would.
        key = message.key.encode() or None
        batch = open_batches.get((topic, partition))
        if batch is not None:
            if batch.append(key=key, value=message.value, timestamp=None, headers=headers) is not None:
                return
            packed.append((topic, partition, batch))
        batch = open_batches[topic, partition] = self._producer.create_batch()
        if batch.append(key=key, value=message.value, timestamp=None, headers=headers) is None:
            raise ValueError(f"event {message.ce_id} is larger than a batch")


@asynccontextmanager
async def open_bulk_publisher(config: Settings) -> AsyncIterator[BulkPublisher]:
    """A bulk publisher that is flushed and closed when the block ends."""
    producer = kafka_producer(config, max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        yield BulkPublisher(producer)
    finally:
        await producer.stop()

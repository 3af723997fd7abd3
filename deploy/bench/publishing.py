"""Publish many events at the least cost to the machine that is measured: whole client batches, packed beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import groupby, islice
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.bench.world import SOURCE, Event
from shared.events.envelope import event_headers
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings
from shared.values.hashing import murmur2_many

EVENTS_PER_CHUNK = 20_000
BATCHES_IN_FLIGHT = 64

Packed = list[tuple[str, int, Any]]
"""(topic, partition, client batch), in the order to send."""


class BulkPublisher:
    """Packs events into batches by partition and sends them."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}

    async def publish(self, events: Iterable[Event]) -> int:
        """Pack and send chunk by chunk; returns how many events the broker has acknowledged."""
        remaining, sent = iter(events), 0
        while chunk := list(islice(remaining, EVENTS_PER_CHUNK)):
            await self.send(await self.pack(chunk))
            sent += len(chunk)
        return sent

    async def pack(self, events: Iterable[Event]) -> Packed:
        """Batches of neighbouring events of one topic, in their order within each partition."""
        packed: Packed = []
        for topic, group in groupby(events, key=lambda event: event.topic):
            count = await self._partition_count(topic)
            open_batches: dict[int, Any] = {}
            remaining = iter(group)
            while chunk := list(islice(remaining, EVENTS_PER_CHUNK)):
                hashes = murmur2_many([event.key.encode() for event in chunk])
                for event, hashed in zip(chunk, hashes, strict=True):
                    self._append(packed, open_batches, event, hashed % count)
            packed += [(topic, partition, batch) for partition, batch in open_batches.items()]
        return packed

    def _append(self, packed: Packed, open_batches: dict[int, Any], event: Event, partition: int) -> None:
        headers = event_headers(ce_id=event.ce_id, ce_source=SOURCE, ce_type=event.ce_type)
        batch = open_batches.get(partition)
        if batch is not None:
            if batch.append(key=event.key.encode(), value=event.value, timestamp=None, headers=headers) is not None:
                return
            packed.append((event.topic, partition, batch))
        batch = open_batches[partition] = self._producer.create_batch()
        if batch.append(key=event.key.encode(), value=event.value, timestamp=None, headers=headers) is None:
            raise ValueError(f"event {event.ce_id} is larger than a batch")

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

    async def _partition_count(self, topic: str) -> int:
        if topic not in self._partitions:
            self._partitions[topic] = len(await self._producer.partitions_for(topic))
        return self._partitions[topic]


@asynccontextmanager
async def open_bulk_publisher(config: Settings) -> AsyncIterator[BulkPublisher]:
    """A bulk publisher that is closed when the block ends; batches of moderate size, as integrations send them."""
    producer = kafka_producer(config, max_batch_size=256 * 1024)
    await producer.start()
    try:
        yield BulkPublisher(producer)
    finally:
        await producer.stop()

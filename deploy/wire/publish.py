"""Publish many events at little cost: whole client batches per partition, in their order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.wire.outgoing import Outgoing
from shared.events.envelope import event_headers
from shared.values.hashing import murmur2_many

EVENTS_PER_CHUNK = 20_000


class BulkPublisher:
    """Packs events into batches by partition and sends them."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}

    async def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Publish and wait until the broker has all of them; returns how many. Raises ``KafkaError``."""
        remaining, sent = iter(messages), 0
        while chunk := list(islice(remaining, EVENTS_PER_CHUNK)):
            lanes = self._by_partition(chunk, await self.partitions(topic))
            await asyncio.gather(*(self._send_in_order(topic, lane, found) for lane, found in lanes.items()))
            sent += len(chunk)
        return sent

    async def partitions(self, topic: str) -> int:
        """How many partitions an existing topic has."""
        if topic not in self._partitions:
            self._partitions[topic] = len(await self._producer.partitions_for(topic))
        return self._partitions[topic]

    def _by_partition(self, chunk: Sequence[Outgoing], partitions: int) -> dict[int, list[Outgoing]]:
        lanes: defaultdict[int, list[Outgoing]] = defaultdict(list)
        hashes = murmur2_many([message.key.encode() for message in chunk])
        for message, hashed in zip(chunk, hashes, strict=True):
            lanes[(hashed + message.lanes_astray) % partitions].append(message)
        return lanes

    async def _send_in_order(self, topic: str, partition: int, messages: Sequence[Outgoing]) -> None:
        """Pack the next batch while the one before it is on its way; a partition keeps the order."""
        acknowledgements: list[asyncio.Future[Any]] = []
        batch = self._producer.create_batch()
        for message in messages:
            if self._append(batch, message):
                continue
            acknowledgements.append(await self._send(topic, partition, batch))
            batch = self._producer.create_batch()
            if not self._append(batch, message):
                raise ValueError(f"event {message.ce_id} is larger than a batch")
        acknowledgements.append(await self._send(topic, partition, batch))
        await asyncio.gather(*acknowledgements)

    def _append(self, batch: Any, message: Outgoing) -> bool:
        headers = message.headers
        if headers is None:
            headers = event_headers(ce_id=message.ce_id, ce_source=message.ce_source, ce_type=message.ce_type)
        # An empty key is no key: partitioned by the hash of nothing, as a careless sender would.
        key = message.key.encode() or None
        return batch.append(key=key, value=message.value, timestamp=None, headers=headers) is not None

    async def _send(self, topic: str, partition: int, batch: Any) -> asyncio.Future[Any]:
        batch.close()
        acknowledgement: asyncio.Future[Any] = await self._producer.send_batch(batch, topic, partition=partition)
        return acknowledgement

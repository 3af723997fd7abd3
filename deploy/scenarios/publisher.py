"""Publish a scenario's events to the public topics exactly as an integration would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from deploy.scenarios.facts import Outgoing
from deploy.wire import outgoing
from deploy.wire.publish import BulkPublisher
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings


class Publisher:
    """Sends events in the order given; one partition keeps that order.

    What many files want to publish at the same time goes out together: the client gives up on a partition for which
    hundreds of small batches queue, long before the time it was told.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._bulk = BulkPublisher(producer)
        self._sending = asyncio.Lock()
        self._waiting: list[tuple[list[Outgoing], asyncio.Future[None]]] = []

    async def publish(self, events: Iterable[Outgoing]) -> None:
        """Publish and wait until the broker has all of them. Raises ``KafkaError`` when it cannot have them."""
        own = list(events)
        if not own:
            return
        acknowledged = asyncio.get_running_loop().create_future()
        self._waiting.append((own, acknowledged))
        async with self._sending:
            if not acknowledged.done():
                await self._send_waiting()
        await acknowledged

    async def _send_waiting(self) -> None:
        together, self._waiting = self._waiting, []
        try:
            await self._bulk.publish_mixed(
                (one.topic, outgoing.Outgoing(one.key, one.value, one.ce_type, one.ce_id, one.ce_source))
                for events, _ in together
                for one in events
            )
        except BaseException as problem:
            for _, acknowledged in together:
                acknowledged.set_exception(problem if isinstance(problem, KafkaError) else KafkaTimeoutError())
            raise
        for _, acknowledged in together:
            acknowledged.set_result(None)

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

"""Publishes outbox rows in sequence order, contiguous prefix only; a crash repeats, never skips."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.runtime import metrics
from shared.runtime.clients import kafka_producer
from shared.runtime.guards import Points
from shared.runtime.logs import get_logger
from shared.runtime.outbox import OutboxRow, StreamNames, unpack
from shared.runtime.tracing import relay_span
from shared.values.invariants import invariant

log = get_logger(__name__)
SEND_TIMEOUT_SECONDS = 30
RETRY_SECONDS = 0.5
BACKLOG_BYTES_MAX = 48 * 1024 * 1024
ROUND_BYTES_MAX = 2 * 1024 * 1024
"""Sent to one partition before it is asked what was taken."""
TROUBLE = (KafkaError, TimeoutError, OSError)

StreamKey = tuple[int, str, int]
Place = tuple[str, int]
"""Topic and partition."""


class Waiting(NamedTuple):
    """A committed row, and since when it waits (seconds since 1970)."""

    since: float
    row: OutboxRow


class Relay:
    """One per worker. ``hand_over`` takes committed rows; ``published`` says what may be deleted.

    Each partition is published on its own: one whose leader is frozen holds up no other.
    """

    def __init__(
        self, names: StreamNames, points: Points, make: Callable[[], AIOKafkaProducer] = kafka_producer
    ) -> None:
        self.names, self.points, self.make = names, points, make
        self.waiting: dict[Place, deque[Waiting]] = {}
        self.sending: dict[Place, asyncio.Task[None]] = {}
        self.failure: Exception | None = None
        self.waiting_bytes = 0
        self.published: dict[StreamKey, tuple[int, int]] = {}
        self.producer: AIOKafkaProducer | None = None
        self.changed, self.is_empty = asyncio.Event(), asyncio.Event()
        self.is_empty.set()
        self.epoch = 0

    @property
    def is_full(self) -> bool:
        """True while so much waits that no more should be decided."""
        return self.waiting_bytes > BACKLOG_BYTES_MAX

    @property
    def waiting_since(self) -> float:
        """When the oldest waiting row was handed over, in seconds since 1970; 0 when none waits."""
        return min((queue[0].since for queue in self.waiting.values() if queue), default=0.0)

    def hand_over(self, rows: list[OutboxRow]) -> None:
        """Queue rows that are committed, in the order of their streams."""
        if rows:
            since = time.time()
            for row in rows:
                self.waiting.setdefault((row.topic, row.partition), deque()).append(Waiting(since, row))
            self.waiting_bytes += sum(len(row.payload) for row in rows)
            self.is_empty.clear()
            self.changed.set()

    def forget(self) -> None:
        """Drop everything: the lanes were lost or will be loaded again, with their unpublished rows."""
        self.epoch += 1
        self.waiting.clear()
        self.waiting_bytes = 0
        self.published.clear()
        self.is_empty.set()

    def take_published(self) -> dict[StreamKey, tuple[int, int]]:
        """What was published since the last call."""
        done, self.published = self.published, {}
        return done

    async def run(self) -> None:
        """Publish for ever; on any send error a new producer restarts from the lowest row of each stream."""
        try:
            while True:
                self.changed.clear()
                if self.failure is None and not self.is_empty.is_set():
                    await self._begin()
                if self.failure is not None:
                    await self._restart(self.failure)
                    continue
                await self.changed.wait()
        finally:
            await self._cancel()

    async def _begin(self) -> None:
        """Send what waits for each partition for which nothing is under way."""
        try:
            if self.producer is None:
                self.producer = self.make()
                await self.producer.start()
        except TROUBLE as failure:
            self.failure = failure
            return
        for place, queue in self.waiting.items():
            if queue and place not in self.sending:
                self.sending[place] = asyncio.create_task(self._send(place, _round(queue), self.epoch))

    async def _send(self, place: Place, rows: list[OutboxRow], epoch: int) -> None:
        try:
            with relay_span(rows):
                async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                    await self._publish_to(*place, rows)
                await self.points.reach("after_publish")
            if epoch == self.epoch:
                self._settle(place, rows)
        except Exception as failure:  # Told to ``run``, which knows what can be tried again.
            self.failure = failure
        del self.sending[place]
        self.changed.set()

    async def _restart(self, failure: Exception) -> None:
        await self._cancel()
        self.failure = None
        if not isinstance(failure, TROUBLE):
            raise failure
        metrics.RELAY_RESTARTS.inc()
        log.warning("relay_restarts", error=repr(failure))
        await self._drop_producer()
        await asyncio.sleep(RETRY_SECONDS)

    async def _cancel(self) -> None:
        under_way = list(self.sending.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        self.sending.clear()

    def _settle(self, place: Place, rows: list[OutboxRow]) -> None:
        queue = self.waiting[place]
        for row in rows:
            invariant(queue.popleft().row is row, "the relay publishes a prefix of what waits")
            self.waiting_bytes -= len(row.payload)
            self.published[row.lane, row.topic, row.partition] = (row.epoch, row.last_seq)
        if not any(self.waiting.values()):
            self.is_empty.set()

    async def _publish_to(self, topic: str, partition: int, rows: list[OutboxRow]) -> None:
        """Send one partition's rows in order: whole client batches, awaited together at the end."""
        invariant(self.producer is not None, "a producer is open while rows are published")
        producer = self.producer
        assert producer is not None
        sent = []
        batch = producer.create_batch()
        for row in rows:
            for key, value, time_ms, headers in unpack(row, self.names):
                if batch.append(key=key, value=value, timestamp=time_ms, headers=headers) is None:
                    batch.close()
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
                    batch = producer.create_batch()
                    fits = batch.append(key=key, value=value, timestamp=time_ms, headers=headers)
                    invariant(fits is not None, "a packed record fits an empty batch")
        batch.close()
        if batch.record_count():
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)
        metrics.RECORDS_PUBLISHED.labels(topic=topic).inc(sum(row.records for row in rows))

    async def _drop_producer(self) -> None:
        producer, self.producer = self.producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), 5)
            except TROUBLE as failure:
                log.warning("producer_did_not_stop", error=repr(failure))

    async def stop(self) -> None:
        """Close the producer; rows not yet published stay in the database for the next owner."""
        await self._drop_producer()


def _round(queue: Iterable[Waiting]) -> list[OutboxRow]:
    """The first rows of a partition, at least one."""
    rows: list[OutboxRow] = []
    size = 0
    for _, row in queue:
        if rows and size + len(row.payload) > ROUND_BYTES_MAX:
            break
        rows.append(row)
        size += len(row.payload)
    return rows

"""Publishes outbox rows in sequence order, contiguous prefix only; a crash repeats, never skips."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

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
ROUND_BYTES_MAX = 8 * 1024 * 1024

StreamKey = tuple[int, str, int]


class Relay:
    """One per worker. ``hand_over`` takes committed rows; ``published`` says what may be deleted."""

    def __init__(
        self, names: StreamNames, points: Points, make: Callable[[], AIOKafkaProducer] = kafka_producer
    ) -> None:
        self.names, self.points, self.make = names, points, make
        self.waiting: deque[OutboxRow] = deque()
        self.committed_at: deque[float] = deque()
        self.waiting_bytes = 0
        self.published: dict[StreamKey, tuple[int, int]] = {}
        self.producer: AIOKafkaProducer | None = None
        self.has_rows, self.is_empty = asyncio.Event(), asyncio.Event()
        self.is_empty.set()
        self.epoch = 0

    @property
    def is_full(self) -> bool:
        """True while so much waits that no more should be decided."""
        return self.waiting_bytes > BACKLOG_BYTES_MAX

    @property
    def waiting_since(self) -> float:
        """When the oldest waiting row was handed over, in seconds since 1970; 0 when none waits."""
        return self.committed_at[0] if self.committed_at else 0.0

    def hand_over(self, rows: list[OutboxRow]) -> None:
        """Queue rows that are committed, in the order of their streams."""
        if rows:
            self.waiting.extend(rows)
            self.committed_at.extend([time.time()] * len(rows))
            self.waiting_bytes += sum(len(row.payload) for row in rows)
            self.is_empty.clear()
            self.has_rows.set()

    def forget(self) -> None:
        """Drop everything: the lanes were lost or will be loaded again, with their unpublished rows."""
        self.epoch += 1
        self.waiting.clear()
        self.committed_at.clear()
        self.waiting_bytes = 0
        self.published.clear()
        self.has_rows.clear()
        self.is_empty.set()

    def take_published(self) -> dict[StreamKey, tuple[int, int]]:
        """What was published since the last call."""
        done, self.published = self.published, {}
        return done

    async def run(self) -> None:
        """Publish for ever; on any send error a new producer restarts from the lowest row."""
        while True:
            await self.has_rows.wait()
            epoch, rows = self.epoch, self._round()
            try:
                with relay_span(rows):
                    await self._publish(rows)
            except (KafkaError, TimeoutError, OSError) as failure:
                metrics.RELAY_RESTARTS.inc()
                log.warning("relay_restarts", error=repr(failure))
                await self._drop_producer()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if epoch == self.epoch:
                self._settle(rows)

    def _round(self) -> list[OutboxRow]:
        rows: list[OutboxRow] = []
        size = 0
        for row in self.waiting:
            if rows and size + len(row.payload) > ROUND_BYTES_MAX:
                break
            rows.append(row)
            size += len(row.payload)
        return rows

    def _settle(self, rows: list[OutboxRow]) -> None:
        for row in rows:
            invariant(self.waiting.popleft() is row, "the relay publishes a prefix of what waits")
            self.committed_at.popleft()
            self.waiting_bytes -= len(row.payload)
            self.published[row.lane, row.topic, row.partition] = (row.epoch, row.last_seq)
        if not self.waiting:
            self.has_rows.clear()
            self.is_empty.set()

    async def _publish(self, rows: list[OutboxRow]) -> None:
        if self.producer is None:
            self.producer = self.make()
            await self.producer.start()
        by_partition: dict[tuple[str, int], list[OutboxRow]] = {}
        for row in rows:
            by_partition.setdefault((row.topic, row.partition), []).append(row)
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await asyncio.gather(*(self._publish_to(*place, group) for place, group in by_partition.items()))
        await self.points.reach("after_publish")

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
            except (KafkaError, TimeoutError, OSError) as failure:
                log.warning("producer_did_not_stop", error=repr(failure))

    async def stop(self) -> None:
        """Close the producer; rows not yet published stay in the database for the next owner."""
        await self._drop_producer()

"""Fetches the assigned partitions of all inputs into bounded buffers, from the positions the lanes' rows name."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from shared.runtime import metrics
from shared.runtime.clients import kafka_reader
from shared.runtime.logs import get_logger

log = get_logger(__name__)
RETRY_SECONDS = 0.1
RECORDS_PER_FETCH = 5_000
BYTES_BUFFERED_MAX = 32 * 1024 * 1024
PARTITION_RECORDS_MAX = 10_000
PARTITION_BYTES_MAX = 8 * 1024 * 1024
POLL_MS = 200


class Buffer:
    """Fetched and not yet decided records of one partition."""

    __slots__ = ("records", "size", "version")

    def __init__(self) -> None:
        self.records: deque[Any] = deque()
        self.size = 0
        self.version = 0


class Intake:
    """Keeps fetching in the background; bounded whatever the lag."""

    def __init__(self, arrived: asyncio.Event, make: Callable[[], AIOKafkaConsumer] = kafka_reader) -> None:
        self.arrived = arrived
        self.consumer = make()
        self.buffers: dict[TopicPartition, Buffer] = {}
        self.wanted: dict[TopicPartition, int] | None = None
        self.size = 0
        self.room = asyncio.Event()
        self.lost: dict[TopicPartition, str] = {}
        """Partitions whose log does not reach the position that has to be read, and why: their lanes must stop."""

    async def start(self) -> None:
        """Connect; nothing is assigned yet."""
        await self.consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self.consumer.stop()

    def assign(self, positions: dict[TopicPartition, int]) -> None:
        """Replace the assignment and start from these positions; what was buffered is dropped.

        The consumer itself is moved by ``run``, between two fetches: a fetch that was under way at a reassignment goes
        on, takes the first records of the new one, and its result is dropped, which would skip them for ever.
        """
        for buffer in self.buffers.values():
            buffer.version += 1
        self.buffers = {place: Buffer() for place in positions}
        self.wanted = dict(positions)
        self.lost = {}
        self.size = 0
        self.room.set()

    def _follow(self) -> None:
        """Move the consumer to the newest assignment; only ever called while no fetch is under way."""
        positions, self.wanted = self.wanted, None
        if positions is None:
            return
        if not positions:
            self.consumer.unsubscribe()
            return
        self.consumer.assign(list(positions))
        for place, offset in positions.items():
            self.consumer.seek(place, offset)

    def is_open(self, buffer: Buffer) -> bool:
        """True while a partition may buffer more.

        With nothing buffered it always may, or the others could hold all room while they wait for what it has to say
        (a marker, the lines of an earlier date). So memory is bounded by the limit and one fetch per partition.
        """
        if self.size > BYTES_BUFFERED_MAX:
            return not buffer.records
        return len(buffer.records) < PARTITION_RECORDS_MAX and buffer.size < PARTITION_BYTES_MAX

    async def run(self) -> None:
        """Fetch for ever into the partitions that have room; the others are paused, which bounds the client too."""
        while True:
            self._follow()
            ready = [place for place, buffer in self.buffers.items() if place not in self.lost and self.is_open(buffer)]
            if not ready:
                self.room.clear()
                await self.room.wait()
                continue
            self._pause_others(ready)
            buffers = self.buffers
            try:
                fetched = await self.consumer.getmany(*ready, timeout_ms=POLL_MS, max_records=RECORDS_PER_FETCH)
            except OffsetOutOfRangeError as loss:
                self._note_loss(loss)
                continue
            except (KafkaError, AssertionError) as trouble:
                # The broker is away, or the assignment changed under the call: positions are kept, try again.
                log.warning("fetch_failed", error=repr(trouble))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if buffers is self.buffers:
                self._keep(fetched)

    def _note_loss(self, loss: OffsetOutOfRangeError) -> None:
        """Read these partitions no more: the log starts after our position, or ends before it. Never skip."""
        for place, offset in loss.args[0].items():
            if place in self.buffers:
                self.lost[place] = f"the log of {place.topic}/{place.partition} does not hold offset {offset}"
        log.error("log_lost", places=sorted(self.lost.values()))
        self.arrived.set()

    def _pause_others(self, ready: list[TopicPartition]) -> None:
        paused = self.consumer.paused()
        full = self.buffers.keys() - set(ready)
        if full - paused:
            self.consumer.pause(*(full - paused))
        if paused & set(ready):
            self.consumer.resume(*(paused & set(ready)))

    def _keep(self, fetched: dict[TopicPartition, list[Any]]) -> None:
        for place, records in fetched.items():
            buffer = self.buffers.get(place)
            if buffer is None or not records:
                continue
            buffer.records.extend(records)
            size = sum(len(record.value or b"") + 100 for record in records)
            buffer.size += size
            self.size += size
        if fetched:
            metrics.BUFFERED_BYTES.set(self.size)
            self.arrived.set()

    def lag(self, now: float) -> Iterator[tuple[str, int, int, float]]:
        """By partition: records not decided, and the age of the first of them in seconds.

        With nothing fetched nothing is known to wait; that fetching itself stands still is seen from outside.
        """
        assigned = self.consumer.assignment()
        for place, buffer in self.buffers.items():
            if not buffer.records:
                yield place.topic, place.partition, 0, 0.0
                continue
            first, end = buffer.records[0], self.consumer.highwater(place) if place in assigned else None
            records = max(len(buffer.records), (end or 0) - first.offset)
            yield place.topic, place.partition, records, max(0.0, now - first.timestamp / 1000)

    def took(self, place: TopicPartition, count: int) -> None:
        """Remove the first ``count`` records of a partition: their poll is committed."""
        buffer = self.buffers[place]
        for _ in range(count):
            size = len(buffer.records.popleft().value or b"") + 100
            buffer.size -= size
            self.size -= size
        metrics.BUFFERED_BYTES.set(self.size)
        self.room.set()

"""Watch a run from outside: when each stage moved first and was through, and what the output topics say."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.bench.store import STAGES, Progress
from shared.events.topics import PAYROLL_CONTRIBUTIONS, PAYROLL_RECEIPTS, VALUATION_DAYS, Topic
from shared.runtime.clients import kafka_reader
from shared.runtime.settings import Settings

SAMPLE_SECONDS = 0.1
READ_WAIT_MS = 500


@dataclass
class StageTimes:
    """When each stage's journal first grew and when it held all lines; seconds of the monotonic clock."""

    first: dict[str, float] = field(default_factory=dict)
    through: dict[str, float] = field(default_factory=dict)

    def rate(self, stage: str, lines: int) -> float | None:
        """Lines per second between a stage's first entry and its last line."""
        if stage not in self.through or self.through[stage] <= self.first[stage]:
            return None
        return round(lines / (self.through[stage] - self.first[stage]), 1)


async def watch_stages(progress: Progress, lines: int, times: StageTimes) -> None:
    """Sample the journals until every stage that keeps one entry per line holds ``lines`` new ones; cancel to stop."""
    before = {stage: await progress.entries(stage) for stage in STAGES}
    previous = time.monotonic()
    while True:
        for stage in STAGES:
            if stage in times.through:
                continue
            new = await progress.entries(stage) - before[stage]
            if new:
                times.first.setdefault(stage, previous)
            if new >= lines:
                times.through[stage] = time.monotonic()
        previous = time.monotonic()
        await asyncio.sleep(SAMPLE_SECONDS)


class DaysFeed:
    """Follows ``valuation.days.v1``."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._closed: dict[str, Any] = {}

    async def closed(self, day: date, seconds: float) -> dict[str, Any]:
        """The ``day.closed`` event of a date. Raises ``TimeoutError`` when it does not come in time."""
        async with asyncio.timeout(seconds):
            while day.isoformat() not in self._closed:
                for records in (await self._consumer.getmany(timeout_ms=READ_WAIT_MS)).values():
                    for record in records:
                        body = orjson.loads(record.value)
                        self._closed.setdefault(body["trade_date"], body)
        return dict(self._closed[day.isoformat()])


@asynccontextmanager
async def open_days_feed(config: Settings) -> AsyncIterator[DaysFeed]:
    """A follower from the beginning of the log."""
    consumer = kafka_reader(config)
    await consumer.start()
    try:
        place = TopicPartition(VALUATION_DAYS.name, 0)
        consumer.assign([place])
        consumer.seek(place, 0)
        yield DaysFeed(consumer)
    finally:
        await consumer.stop()


class _Receipt(msgspec.Struct):
    status: str
    accepted_cents: int
    rejected_cents: int
    request: dict[str, str]


@dataclass
class ReceiptTotals:
    """What the final receipts of one payday say, and how long each took from log to log (milliseconds)."""

    finals: int = 0
    accepted_cents: int = 0
    rejected_cents: int = 0
    repeats: int = 0
    others: int = 0
    last_at_ms: int = 0
    delays_ms: array[int] = field(default_factory=lambda: array("q"))

    def delay_ms(self, percent: int) -> int | None:
        """The ``percent``-th percentile of the delays (nearest rank)."""
        if not self.delays_ms:
            return None
        ordered = sorted(self.delays_ms)
        return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


class Logs:
    """Ends of the partitions of a topic, to read later exactly what a payday appended."""

    def __init__(self, config: Settings, partitions: int) -> None:
        self._config, self._partitions = config, partitions

    async def ends(self, *topics: Topic) -> dict[TopicPartition, int]:
        """The present end of every partition of these topics."""
        consumer = kafka_reader(self._config)
        await consumer.start()
        try:
            places = [
                TopicPartition(topic.name, number)
                for topic in topics
                for number in range(self._partitions if topic.partitioned else 1)
            ]
            found: dict[TopicPartition, int] = await consumer.end_offsets(places)
            return found
        finally:
            await consumer.stop()

    async def records(
        self, begins: dict[TopicPartition, int], ends: dict[TopicPartition, int], topic: str
    ) -> AsyncIterator[list[Any]]:
        """The records of one topic between two sets of ends, in slices; each partition in its order."""
        left = {
            place: begins.get(place, 0) for place in ends if place.topic == topic and begins.get(place, 0) < ends[place]
        }
        if not left:
            return
        consumer = kafka_reader(self._config)
        await consumer.start()
        try:
            consumer.assign(list(left))
            for place, at in left.items():
                consumer.seek(place, at)
            while left:
                for records in (await consumer.getmany(timeout_ms=READ_WAIT_MS, max_records=20_000)).values():
                    yield records
                for place in list(left):
                    if await consumer.position(place) >= ends[place]:
                        del left[place]
        finally:
            await consumer.stop()


async def add_up_receipts(logs: Logs, begins: dict[TopicPartition, int]) -> ReceiptTotals:
    """Read back the lines and receipts appended since ``begins``: totals by request, and the delays."""
    lines, receipts = PAYROLL_CONTRIBUTIONS.name, PAYROLL_RECEIPTS.name
    ends = await logs.ends(PAYROLL_CONTRIBUTIONS, PAYROLL_RECEIPTS)
    appended: dict[str, int] = {}
    async for records in logs.records(begins, ends, lines):
        for record in records:
            headers = dict(record.headers)
            if headers.get("ce_type", b"").startswith(b"nestwork.payroll.contribution"):
                appended[headers["ce_id"].decode()] = record.timestamp
    totals = ReceiptTotals()
    decode = msgspec.json.Decoder(_Receipt).decode
    async for records in logs.records(begins, ends, receipts):
        for record in records:
            _add(totals, appended, decode(record.value), record.timestamp)
    return totals


def _add(totals: ReceiptTotals, appended: dict[str, int], receipt: _Receipt, timestamp: int) -> None:
    if receipt.status not in ("accepted", "partially_accepted", "rejected"):
        totals.others += 1
        return
    came = appended.pop(receipt.request["id"], None)
    if came is None:
        totals.repeats += 1
        return
    totals.finals += 1
    totals.last_at_ms = max(totals.last_at_ms, timestamp)
    totals.accepted_cents += receipt.accepted_cents
    totals.rejected_cents += receipt.rejected_cents
    totals.delays_ms.append(timestamp - came)

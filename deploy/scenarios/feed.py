"""Follow the cluster's public output topics and wait for what must appear in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.scenarios.observed import Observed
from shared.events import topics
from shared.runtime.clients import kafka_reader
from shared.runtime.logs import get_logger
from shared.runtime.records import DAY_CUT, MARKERS
from shared.runtime.settings import Settings

log = get_logger(__name__)

POLL_WAIT_MS = 200
RETRY_SECONDS = 0.2
BARRIER_TOPICS = (
    topics.PAYROLL_RECEIPTS.name,
    topics.CUSTODIAN_ORDERS.name,
    topics.CUSTODIAN_CONFIRMATIONS.name,
    topics.VALUATION_DAYS.name,
)
DEAD_LETTER_TOPICS = tuple(topic.name for topic in topics.ALL_TOPICS if topic.name.endswith(".dlq"))
FOLLOWED = (*BARRIER_TOPICS, topics.MARKET_PRICES.name, *DEAD_LETTER_TOPICS)


class Feed:
    """A reader of all followed topics from their beginning, filling ``observed``."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.observed = Observed()
        self._consumer = consumer
        self._changed = asyncio.Condition()
        self._applied: dict[TopicPartition, int] = {}

    async def start(self, partitions_of: Callable[[str], Awaitable[int]]) -> None:
        """Assign every partition of every followed topic, at the start of its log."""
        present = await self._consumer.topics()
        places = [
            TopicPartition(topic, partition)
            for topic in FOLLOWED
            if topic in present
            for partition in range(await partitions_of(topic))
        ]
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, 0)
            self._applied[place] = 0

    async def follow(self) -> None:
        """Read on for ever; a broker that restarts is waited for."""
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=POLL_WAIT_MS, max_records=10_000)
            except KafkaError as problem:
                log.warning("feed_interrupted", problem=repr(problem))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if fetched:
                await self._apply(fetched)

    async def until(self, holds: Callable[[Observed], bool], seconds: float) -> bool:
        """Wait until ``holds`` is true of what was read; false when ``seconds`` passed first."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: holds(self.observed))
        except TimeoutError:
            return False
        return True

    async def catch_up(self, seconds: float) -> bool:
        """Wait until everything that stands in the barrier topics now has been read."""
        places = [place for place in self._applied if place.topic in BARRIER_TOPICS]
        try:
            async with asyncio.timeout(seconds):
                ends = await self._ends(places)
        except TimeoutError:
            return False
        return await self.until(lambda _: all(self._applied[place] >= ends[place] for place in places), seconds)

    async def _ends(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        while True:
            with suppress(KafkaError):
                ends: dict[TopicPartition, int] = await self._consumer.end_offsets(places)
                return ends
            await asyncio.sleep(RETRY_SECONDS)

    async def _apply(self, fetched: dict[TopicPartition, list[Any]]) -> None:
        async with self._changed:
            for place, records in fetched.items():
                for record in records:
                    take(self.observed, record)
                self._applied[place] = records[-1].offset + 1
            self._changed.notify_all()


def take(observed: Observed, record: Any) -> None:
    """Put one fetched record where it belongs."""
    headers = dict(record.headers)
    ce_type = headers.get("ce_type", b"").decode()
    if record.topic in DEAD_LETTER_TOPICS:
        place = (record.topic, record.partition, record.offset)
        observed.add_dead_letter(place, (record.key or b"").decode(errors="replace"), _reason(headers))
        return
    if ce_type in MARKERS or record.topic == topics.MARKET_PRICES.name:
        if ce_type == DAY_CUT and record.topic == topics.MARKET_PRICES.name:
            observed.days_cut.add(orjson.loads(record.value)["trade_date"])
        return
    body = orjson.loads(record.value)
    match record.topic:
        case topics.PAYROLL_RECEIPTS.name:
            observed.add_receipt(headers["ce_id"].decode(), body)
        case topics.CUSTODIAN_ORDERS.name:
            observed.add_order(body)
        case topics.CUSTODIAN_CONFIRMATIONS.name:
            observed.add_confirmation(body)
        case topics.VALUATION_DAYS.name:
            observed.closed_by_day.setdefault(body["trade_date"], body)


def _reason(headers: dict[str, bytes]) -> str:
    return headers.get("reason", b"").decode(errors="replace")


@asynccontextmanager
async def open_feed(config: Settings, partitions_of: Callable[[str], Awaitable[int]]) -> AsyncIterator[Feed]:
    """A feed that is being followed until the block ends."""
    consumer = kafka_reader(config, fetch_max_wait_ms=50)
    await consumer.start()
    task: asyncio.Task[None] | None = None
    try:
        feed = Feed(consumer)
        await feed.start(partitions_of)
        task = asyncio.create_task(feed.follow())
        yield feed
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await consumer.stop()

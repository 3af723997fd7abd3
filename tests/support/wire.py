"""The outside of a running cluster: send records of any shape, hear all answers, drive the business days."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.cluster import Infrastructure
from shared.events import topics
from shared.runtime.clients import kafka_reader
from shared.runtime.settings import Settings
from shared.runtime.topics import partition_count
from tests.support.events import Outgoing, home

Answer = TypeVar("Answer")
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Sent:
    """Where the broker put a record."""

    outgoing: Outgoing
    partition: int
    offset: int

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition, offset."""
        return self.outgoing.topic, self.partition, self.offset


@dataclass(frozen=True)
class Heard:
    """A record that was read from an output topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]

    @property
    def body(self) -> Any:
        """The value as JSON."""
        return orjson.loads(self.value)


class Wire:
    """One outsider with a producer, and an ear at every output topic."""

    def __init__(self, infrastructure: Infrastructure, config: Settings, producer: AIOKafkaProducer) -> None:
        self.infrastructure, self.config, self.producer = infrastructure, config, producer
        self.heard: defaultdict[str, list[Heard]] = defaultdict(list)
        self._changed = asyncio.Condition()

    # -- sending ---------------------------------------------------------------------------------------------------

    async def send(self, *records: Outgoing) -> list[Sent]:
        """Send in the order given and wait for the broker."""
        waiting = []
        for one in records:
            partition = self.partition_of(one) if one.partition is None else one.partition
            waiting.append(
                await self.producer.send(one.topic, one.value, key=one.key, partition=partition, headers=one.headers)
            )
        stored = [await future for future in waiting]
        return [Sent(one, at.partition, at.offset) for one, at in zip(records, stored, strict=True)]

    def partition_of(self, record: Outgoing) -> int:
        """Where a record belongs."""
        topic = next(topic for topic in topics.ALL_TOPICS if topic.name == record.topic)
        return home(record.key or b"", self.config.partitions) if topic.partitioned else 0

    # -- hearing ---------------------------------------------------------------------------------------------------

    async def follow(self, consumer: AIOKafkaConsumer) -> None:
        """Keep what is said, for ever."""
        while True:
            fetched = await consumer.getmany(timeout_ms=100)
            async with self._changed:
                for records in fetched.values():
                    for one in records:
                        heard = Heard(
                            one.topic, one.partition, one.offset, one.key, one.value or b"", dict(one.headers)
                        )
                        self.heard[one.topic].append(heard)
                self._changed.notify_all()

    async def until(self, found: Callable[[], Answer | None], what: str, seconds: float = WAIT_SECONDS) -> Answer:
        """Wait until ``found`` returns something, and return it; fail the test after ``seconds``."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                while (answer := found()) is None:
                    await self._changed.wait()
                return answer
        except TimeoutError:
            raise AssertionError(f"not there after {seconds:.0f} s: {what}") from None

    def receipts(self, ce_id: str, topic: str = topics.PAYROLL_RECEIPTS.name) -> list[dict[str, Any]]:
        """The distinct answers to a request so far, in the order they came."""
        answers = {one.headers["ce_id"]: one.body for one in self.heard[topic]}
        return [body for body in answers.values() if body["request"]["id"] == ce_id]

    async def receipt(self, ce_id: str, topic: str = topics.PAYROLL_RECEIPTS.name, number: int = 1) -> dict[str, Any]:
        """The ``number``-th distinct answer to a request."""
        return await self.until(
            lambda: self.receipts(ce_id, topic)[number - 1] if len(self.receipts(ce_id, topic)) >= number else None,
            f"receipt {number} of {ce_id}",
        )

    async def letter(self, sent: Sent, service: str) -> Heard:
        """The record that a service put on the dead letter topic for a sent one."""
        topic, partition, offset = sent.place
        ce_id = f"{topic}/{partition}/{offset}".encode()
        return await self.until(
            lambda: next(
                (
                    one
                    for one in self.heard[f"{topic}.dlq"]
                    if one.headers["ce_id"] == ce_id and one.headers["service"] == service.encode()
                ),
                None,
            ),
            f"dead letter of {topic}/{partition}@{offset} from {service}",
        )

    async def query(self, service: str, statement: str, *arguments: Any) -> list[Any]:
        """Rows of a service's database."""
        connection = await asyncpg.connect(self.infrastructure.database_url(service))
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()


@asynccontextmanager
async def open_wire(infrastructure: Infrastructure, config: Settings) -> AsyncIterator[Wire]:
    """A wire to a cluster whose topics exist."""
    producer = AIOKafkaProducer(
        bootstrap_servers=config.kafka_bootstrap_servers, acks="all", max_request_size=8_000_000, linger_ms=0,
        request_timeout_ms=15_000,
    )  # fmt: skip
    await producer.start()
    consumer = kafka_reader(config, fetch_max_wait_ms=50)
    await consumer.start()
    wire = Wire(infrastructure, config, producer)
    places = [
        TopicPartition(topic.name, partition)
        for topic in (*topics.OUTPUT_TOPICS, *topics.DEAD_LETTER_TOPICS)
        for partition in range(partition_count(topic, config))
    ]
    consumer.assign(places)
    for place in places:
        consumer.seek(place, 0)
    task = asyncio.create_task(wire.follow(consumer))
    try:
        yield wire
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await consumer.stop()
        await producer.stop()


def read_page(url: str) -> tuple[int, Any]:
    """Status and JSON of a page; an error status is an answer too. Raises ``OSError`` when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


async def page(url: str) -> tuple[int, Any]:
    """``read_page`` beside the running loop."""
    return await asyncio.to_thread(read_page, url)


def codes(receipt: dict[str, Any]) -> list[str]:
    """The distinct codes of a receipt."""
    return sorted({one["code"] for one in receipt["codes"]})


def iso(days: Iterable[date]) -> list[str]:
    """Dates as text."""
    return [day.isoformat() for day in days]

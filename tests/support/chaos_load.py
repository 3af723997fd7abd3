"""Load that goes on whatever happens, and what its sender sees: what the broker took, and when it was answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.events.topics import PAYROLL_CONTRIBUTIONS, PAYROLL_RECEIPTS
from shared.runtime.clients import kafka_producer, kafka_reader
from shared.runtime.settings import Settings
from tests.support.chaos_world import Said, World
from tests.support.events import Outgoing, home

SINGLE = frozenset({"plans.v1", "funds.v1", "limits.v1", "payroll.runs.v1", "market.prices.v1", "day.commands.v1"})
IN_FLIGHT_MAX = 500
SEND_SECONDS = 180.0


@dataclass
class Load:
    """One sender with one listener."""

    config: Settings
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    world: World
    acked: list[tuple[str, int, int, bytes | None]] = field(default_factory=list)
    """(topic, partition, offset, value) of everything the broker took."""
    unanswered: dict[str, float] = field(default_factory=dict)
    """ce_id of a line to when the broker took it."""
    waiting_at: dict[str, int] = field(default_factory=dict)
    """ce_id of such a line to the partition it stands in."""
    served: dict[int, float] = field(default_factory=dict)
    """Partition to when the broker took the newest of its lines that have an answer."""
    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    """Payroll to the cents of each of its good lines: what the employer owes it."""
    heard: set[str] = field(default_factory=set)
    """ce_ids of lines with an answer."""
    answered: int = 0
    day: date | None = None
    """The date whose lines are sent."""
    failures: list[str] = field(default_factory=list)

    # -- sending -------------------------------------------------------------------------------------------------

    async def send(self, record: Outgoing, *, astray: bool = False) -> None:
        """Send until the broker takes it; a repeat after a doubtful failure is a resend like any other."""
        deadline = time.monotonic() + SEND_SECONDS
        while True:
            try:
                at = await self.producer.send_and_wait(
                    record.topic, record.value, key=record.key, headers=record.headers,
                    partition=self.place(record, astray=astray),
                )  # fmt: skip
                break
            except KafkaError as trouble:
                if time.monotonic() > deadline:
                    raise
                self.failures.append(repr(trouble))
                await asyncio.sleep(0.5)
        self.note(record, at)

    def place(self, record: Outgoing, *, astray: bool = False) -> int:
        """Where it stood before, or where it belongs, or beside that."""
        if record.partition is not None:
            return record.partition
        if record.topic in SINGLE:
            return 0
        return (home(record.key or b"", self.config.partitions) + astray) % self.config.partitions

    def note(self, record: Outgoing, at: Any) -> None:
        """The broker took a record: it has to stand there, and a line has to be answered and paid."""
        self.acked.append((record.topic, at.partition, at.offset, record.value))
        self.world.said.keep(record.but(partition=at.partition))
        ce_id = dict(record.headers).get("ce_id", b"").decode()
        if record.topic == PAYROLL_CONTRIBUTIONS.name and ce_id.startswith("line-"):
            if ce_id not in self.heard:  # The answer may be here before the broker's word is.
                self.unanswered.setdefault(ce_id, time.monotonic())
                self.waiting_at.setdefault(ce_id, at.partition)
            body = orjson.loads(record.value or b"{}")
            if body["participant_id"] in self.world.people:
                cents = sum(one["cents"] for one in body["amounts"])
                self.runs.setdefault(body["payroll_id"], {}).setdefault(ce_id, cents)

    async def send_all(self, records: list[Outgoing]) -> None:
        """Send side by side."""
        await asyncio.gather(*(self.send(record) for record in records))

    async def stream(self, day: date, rate: float, until: asyncio.Event) -> None:
        """Send at a rate, whatever becomes of the answers, until told to stop; ends when the broker has all."""
        self.day = day
        waiting: set[asyncio.Task[None]] = set()
        started, count = time.monotonic(), 0
        while not until.is_set():
            due = int((time.monotonic() - started) * rate) - count
            for _ in range(min(due, IN_FLIGHT_MAX - len(waiting))):
                task = asyncio.create_task(self._send_next(self.world.next(day)))
                waiting.add(task)
                task.add_done_callback(waiting.discard)
            count += max(0, due)
            await asyncio.sleep(0.05)
        if waiting:
            await asyncio.gather(*waiting)

    async def _send_next(self, said: Said) -> None:
        await self.send(said.record, astray=said.astray)
        self.world.acknowledged(said)

    # -- hearing -------------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Note the first answer to every line, for ever. ``held`` counts: the line was decided."""
        while True:
            try:
                fetched = await self.consumer.getmany(timeout_ms=100)
            except KafkaError:
                await asyncio.sleep(0.2)
                continue
            for records in fetched.values():
                for record in records:
                    ce_id = orjson.loads(record.value)["request"]["id"]
                    self.answered += ce_id not in self.heard
                    self.heard.add(ce_id)
                    self._answered(ce_id)

    def _answered(self, ce_id: str) -> None:
        since, place = self.unanswered.pop(ce_id, None), self.waiting_at.pop(ce_id, None)
        if since is not None and place is not None:
            self.served[place] = max(since, self.served.get(place, 0.0))

    def unserved_since(self, moment: float) -> list[int]:
        """The partitions of which no line that came after ``moment`` has an answer."""
        return [number for number in range(self.config.partitions) if self.served.get(number, 0.0) < moment]

    def oldest(self) -> float:
        """How long the oldest line without an answer waits, in seconds."""
        return time.monotonic() - min(self.unanswered.values()) if self.unanswered else 0.0


@asynccontextmanager
async def open_load(config: Settings, world: World) -> AsyncIterator[Load]:
    """A sender that tries each record for two minutes, and a listener at every partition of the receipts."""
    producer = kafka_producer(config, request_timeout_ms=120_000, linger_ms=5)
    consumer = kafka_reader(config, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(PAYROLL_RECEIPTS.name, number) for number in range(config.partitions)])
    await consumer.seek_to_beginning()
    load = Load(config, producer, consumer, world)
    listening = asyncio.create_task(load.listen())
    try:
        yield load
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await consumer.stop()
        await producer.stop()

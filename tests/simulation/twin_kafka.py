"""aiokafka's surface over the twin of a Kafka cluster: logs with append time, idempotent producers, readers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, OffsetOutOfRangeError, RequestTimedOutError

from shared.events.topics import INTERNAL_TOPICS
from tests.simulation.twin_group import Group
from tests.simulation.world import LOSS, World

Headers = Sequence[tuple[str, bytes | None]]
RECORD_BYTES_MAX = 1_048_576
INTERNAL = frozenset(topic.name for topic in INTERNAL_TOPICS)
BATCH_BYTES_MAX = 900 * 1024


class Stored(NamedTuple):
    """A record as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass
class Kafka:
    """The logs and groups of one cluster."""

    world: World
    partitions: Mapping[str, int]
    logs: dict[TopicPartition, list[Stored]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def log(self, topic: str, partition: int) -> list[Stored]:
        """The records of a partition."""
        if not 0 <= partition < self.partitions[topic]:
            raise KafkaError(f"no partition {partition} of {topic}")
        return self.logs.setdefault(TopicPartition(topic, partition), [])

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Stored:
        """Append a record; its time is the cluster's."""
        size = len(key or b"") + len(value or b"") + sum(len(n) + len(v or b"") for n, v in headers)
        if size > RECORD_BYTES_MAX:
            raise KafkaError("MESSAGE_TOO_LARGE")
        log = self.log(topic, partition)
        now = int(self.world.loop.wall_clock() * 1000)
        record = Stored(topic, partition, len(log), now, key, value, tuple(headers))
        log.append(record)
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)
        return record

    def group(self, name: str, topic: str, session_seconds: float) -> Group:
        """A consumer group over one topic."""
        if name not in self.groups:
            self.groups[name] = Group(self.world, name, self.partitions[topic], session_seconds)
        return self.groups[name]

    def forget(self, actor: str) -> None:
        """A process is gone; its group finds out by its session's timeout."""


class Batch:
    """What a producer's ``create_batch`` gives."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes | None, Headers]] = []
        self.size = 0

    def append(self, *, key: bytes | None, value: bytes | None, timestamp: int | None, headers: Headers = ()) -> Any:
        """Add a record; ``None`` when it does not fit."""
        size = len(key or b"") + len(value or b"") + 100
        if self.records and self.size + size > BATCH_BYTES_MAX:
            return None
        self.records.append((key, value, headers))
        self.size += size
        return True

    def close(self) -> None:
        """No more records."""

    def record_count(self) -> int:
        """How many there are."""
        return len(self.records)


class TwinProducer:
    """What the project uses of ``AIOKafkaProducer``: idempotent, so that a partition's order holds in its life."""

    kafka: Kafka

    def __init__(self, **_options: Any) -> None:
        self.world = self.kafka.world
        self.tails: dict[tuple[str, int], asyncio.Task[None] | None] = {}
        self.broken: set[tuple[str, int]] = set()
        self.under_way: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect."""
        if (await self.world.before("send", "connect")).startswith("refuse"):
            raise KafkaConnectionError("no broker answers")

    async def stop(self) -> None:
        """Send what is left and disconnect."""
        while self.under_way:
            await asyncio.wait(set(self.under_way))

    async def partitions_for(self, topic: str) -> set[int]:
        """The partitions of a topic."""
        return set(range(self.kafka.partitions[topic]))

    def create_batch(self) -> Batch:
        """An empty batch."""
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        """Queue a batch; the future is done when it is appended."""
        return self._queue((topic, partition), list(batch.records))

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, partition: int = 0, **more: Any
    ) -> asyncio.Future[Any]:
        """Queue one record."""
        return self._queue((topic, partition), [(key, value, more.get("headers") or ())])

    async def send_and_wait(self, topic: str, **more: Any) -> Any:
        """Send one record and wait for its place."""
        return await (await self.send(topic, **more))

    def _queue(self, place: tuple[str, int], records: list[tuple[bytes | None, bytes | None, Headers]]) -> Any:
        done = self.world.loop.create_future()
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        task = asyncio.ensure_future(self._deliver(place, records, done, self.tails.get(place)))
        self.tails[place] = task
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        return done

    async def _deliver(
        self, place: tuple[str, int], records: list[Any], done: asyncio.Future[Any], earlier: asyncio.Task[None] | None
    ) -> None:
        if earlier is not None:
            await asyncio.wait({earlier})
        outcome = await self.world.before("send", f"{place[0]}/{place[1]}")
        kind = outcome.partition(":")[0]
        if place in self.broken or kind == "refuse":
            self.broken.add(place)  # What follows a lost batch is out of sequence for the broker.
            _fail(done, RequestTimedOutError())
            return
        if kind == LOSS and place[0] in INTERNAL and not done.done():
            done.set_result(None)
            return
        try:
            stored = [self.kafka.append(*place, key, value, headers) for key, value, headers in records]
        except KafkaError as refused:
            _fail(done, refused)
            return
        await self.world.after(outcome)
        if kind == "refuse_after":
            _fail(done, RequestTimedOutError())
        elif not done.done():
            done.set_result(stored[-1])


def _fail(done: asyncio.Future[Any], failure: Exception) -> None:
    if not done.done():
        done.set_exception(failure)


class TwinReader:
    """What the project uses of an ``AIOKafkaConsumer`` outside any group."""

    kafka: Kafka

    def __init__(self, **_options: Any) -> None:
        self.world = self.kafka.world
        self.positions: dict[TopicPartition, int] = {}
        self.stopped: set[TopicPartition] = set()

    async def start(self) -> None:
        """Connect."""
        await self.world.before("fetch", "connect")

    async def stop(self) -> None:
        """Disconnect."""

    def assign(self, places: Sequence[TopicPartition]) -> None:
        """Take these partitions and no others."""
        self.positions = dict.fromkeys(places, 0)
        self.stopped = set()

    def unsubscribe(self) -> None:
        """Take none."""
        self.positions = {}

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Go on from here."""
        self.positions[place] = offset

    def assignment(self) -> frozenset[TopicPartition]:
        """What is taken."""
        return frozenset(self.positions)

    def highwater(self, place: TopicPartition) -> int:
        """The end of a log."""
        return len(self.kafka.log(*place))

    async def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log begins: nothing is ever removed."""
        await self.world.before("fetch", "offsets")
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log ends."""
        await self.world.before("fetch", "offsets")
        return {place: len(self.kafka.log(*place)) for place in places}

    def paused(self) -> set[TopicPartition]:
        """What is not fetched."""
        return set(self.stopped)

    def pause(self, *places: TopicPartition) -> None:
        """Fetch these no more for now."""
        self.stopped.update(places)

    def resume(self, *places: TopicPartition) -> None:
        """Fetch them again."""
        self.stopped.difference_update(places)

    async def getmany(
        self, *places: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Stored]]:
        """What is there, or what comes within the time."""
        outcome = await self.world.before("fetch", "")
        kind, _, seconds = outcome.partition(":")
        if kind == "refuse":
            raise KafkaConnectionError("no broker answers")
        deadline = self.world.loop.time() + timeout_ms / 1000
        wanted = [place for place in places or self.positions if place not in self.stopped]
        if kind == "go_back":
            for place in wanted:
                self.positions[place] = max(0, self.positions.get(place, 0) - 1 - int(float(seconds)) % 3)
        while True:
            found = self._fetch(wanted, max_records or 1_000_000)
            left = deadline - self.world.loop.time()
            if found or left <= 0:
                return found
            more = self.world.loop.create_future()
            self.kafka.waiting.append(more)
            await asyncio.wait({more}, timeout=left)

    def _fetch(self, wanted: Sequence[TopicPartition], most: int) -> dict[TopicPartition, list[Stored]]:
        found: dict[TopicPartition, list[Stored]] = {}
        for place in wanted:
            if place not in self.positions:
                continue
            log, position = self.kafka.log(*place), self.positions[place]
            if position > len(log):
                raise OffsetOutOfRangeError({place: position})
            records = log[position : position + min(most, self.world.chance.choice((1, 3, 1_000)))]
            if records:
                found[place] = records
                self.positions[place] = records[-1].offset + 1
        return found

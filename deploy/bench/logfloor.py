"""The second floor of a payday's cost: producing the bytes of all its records, and consuming them once."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from deploy.bench.costs import BROKER, Meter
from deploy.bench.following import Logs
from deploy.cluster import Infrastructure
from shared.events.topics import Topic
from shared.runtime.clients import kafka_admin, kafka_producer, kafka_reader
from shared.runtime.intake import POLL_MS, RECORDS_PER_FETCH
from shared.runtime.settings import Settings

ROUND_BYTES_MAX = 8 * 1024 * 1024
"""In flight at once: what a relay has under way when it sends to four partitions."""

PREFIX = "floor."
RECORDS_PER_FRAME = 1_000
FIRST_OFFSET = 1
"""Below it lies the record that showed that the partition takes records."""
SILENCE_SECONDS_MAX = 60.0
_head = struct.Struct(">I")


class Frame(msgspec.Struct, array_like=True, gc=False):
    """Some neighbouring records of a partition."""

    topic: str
    partition: int
    records: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
    """Key, value, headers."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


@dataclass
class RecordFile:
    """Records of a payday in a file, in the order of their partitions: memory holds a round of them at a time."""

    file: IO[bytes]
    records: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sizes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Bytes of keys, values and headers by topic, as they are before compression."""

    def take(self, records: list[Any]) -> None:
        """Add records of one partition as a consumer gives them."""
        for first in range(0, len(records), RECORDS_PER_FRAME):
            some = records[first : first + RECORDS_PER_FRAME]
            kept = [(one.key, one.value, list(one.headers)) for one in some]
            frame = _encode(Frame(some[0].topic, some[0].partition, kept))
            self.file.write(_head.pack(len(frame)))
            self.file.write(frame)
            self.records[some[0].topic] += len(some)
            self.sizes[some[0].topic] += sum(map(_size, kept))

    def rounds(self) -> Iterator[list[Frame]]:
        """The frames, as many at a time as the relay publishes in one go."""
        self.file.flush()
        self.file.seek(0)
        frames: list[Frame] = []
        size = 0
        while head := self.file.read(_head.size):
            frame = self.file.read(*_head.unpack(head))
            if frames and size + len(frame) > ROUND_BYTES_MAX:
                yield frames
                frames, size = [], 0
            frames.append(_decode(frame))
            size += len(frame)
        if frames:
            yield frames


def _size(record: tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]) -> int:
    key, value, headers = record
    return len(key or b"") + len(value or b"") + sum(len(name) + len(text or b"") for name, text in headers)


async def record_payday(
    logs: Logs, begins: Mapping[TopicPartition, int], topics: tuple[Topic, ...], file: IO[bytes]
) -> RecordFile:
    """Read what was appended since ``begins``; nothing of it is timed."""
    made, ends = RecordFile(file), await logs.ends(*topics)
    for topic in topics:
        async for records in logs.records(dict(begins), ends, topic.name):
            made.take(records)
    return made


@asynccontextmanager
async def scratch_topics(config: Settings, topics: Mapping[Topic, int]) -> AsyncIterator[None]:
    """Topics of their own with the given numbers of partitions and the real ones' settings; gone afterwards."""
    admin = kafka_admin(config)
    await admin.start()
    names = [PREFIX + topic.name for topic in topics]
    try:
        await admin.create_topics(
            [
                NewTopic(
                    PREFIX + topic.name, partitions, config.kafka_replication_factor, topic_configs=dict(topic.config)
                )
                for topic, partitions in topics.items()
            ]
        )
        try:
            yield
        finally:
            await admin.delete_topics(names)
    finally:
        await admin.close()


@dataclass(frozen=True, slots=True)
class LogFloor:
    """What the bare log took."""

    produce_seconds: float
    consume_seconds: float
    cpu_seconds: dict[str, float]
    """By ``client`` and ``broker``, for both ways."""
    records: dict[str, int]
    bytes: dict[str, int]
    """By topic."""


async def measure_log(
    cluster: Infrastructure, config: Settings, held: RecordFile, topics: Mapping[Topic, int]
) -> LogFloor:
    """Produce the records to topics like theirs (``topics``: with how many partitions), then consume them once.

    One client, with the engine's own settings. Reading the file, connecting and waiting for leaders is not timed.
    """
    used = {topic: partitions for topic, partitions in topics.items() if topic.name in held.records}
    places = [TopicPartition(PREFIX + topic.name, number) for topic, count in used.items() for number in range(count)]
    async with scratch_topics(config, used):
        await _have_leaders(config, places)
        sending = await _produce(cluster, config, held, places)
        sent = sending.cpu_seconds()
        reading = await _consume(cluster, config, sum(held.records.values()), places)
        read = reading.cpu_seconds()
    return LogFloor(
        round(sending.seconds, 3),
        round(reading.seconds, 3),
        {group: round(sent[group] + read[group], 3) for group in sent},
        dict(held.records),
        dict(held.sizes),
    )


async def _have_leaders(config: Settings, places: list[TopicPartition]) -> None:
    """Wait until every partition answers: the catalogue names a leader some time before it knows of it itself."""
    consumer = kafka_reader(config)
    await consumer.start()
    try:
        async with asyncio.timeout(SILENCE_SECONDS_MAX):
            await consumer.end_offsets(places)
    finally:
        await consumer.stop()


async def _produce(cluster: Infrastructure, config: Settings, held: RecordFile, places: list[TopicPartition]) -> Meter:
    """Send everything; between two rounds, when all of one is acknowledged, the meter stands still."""
    producer = kafka_producer(config)
    await producer.start()
    try:
        for place in places:  # So that the client knows every partition and has its number.
            await producer.send_and_wait(place.topic, b"", partition=place.partition)
        meter = Meter(cluster, BROKER)
        for frames in held.rounds():
            with meter.running():
                await _send(producer, frames)
        return meter
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, frames: list[Frame]) -> None:
    """Whole client batches per partition, awaited together, as the relay sends its rounds."""
    by_place: dict[tuple[str, int], list[Frame]] = defaultdict(list)
    for frame in frames:
        by_place[PREFIX + frame.topic, frame.partition].append(frame)
    waiting = []
    for (topic, partition), some in by_place.items():
        batch = producer.create_batch()
        for frame in some:
            for key, value, headers in frame.records:
                if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                    batch.close()
                    waiting.append(await producer.send_batch(batch, topic, partition=partition))
                    batch = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=None, headers=headers)
        batch.close()
        waiting.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*waiting)


async def _consume(cluster: Infrastructure, config: Settings, records: int, places: list[TopicPartition]) -> Meter:
    """Fetch and take apart all records. Raises ``TimeoutError`` when some do not come."""
    consumer = kafka_reader(config)
    await consumer.start()
    try:
        meter, seen = Meter(cluster, BROKER), 0
        with meter.running():
            consumer.assign(places)
            for place in places:
                consumer.seek(place, FIRST_OFFSET)
            latest = time.monotonic()
            while seen < records:
                fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_FETCH)
                seen += sum(map(len, fetched.values()))
                if fetched:
                    latest = time.monotonic()
                elif time.monotonic() - latest > SILENCE_SECONDS_MAX:
                    raise TimeoutError(f"{seen} of {records} records were read back")
        return meter
    finally:
        await consumer.stop()

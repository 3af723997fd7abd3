"""Topics of the comparison through aiokafka: fill, empty, ends, and everything a committed reader sees."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from shared.values.hashing import murmur2_many

PARTITIONS = 8
CHUNK = 5_000


def reader(bootstrap: str) -> AIOKafkaConsumer:
    """A consumer of committed records, outside any group."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, isolation_level="read_committed",
        max_partition_fetch_bytes=4 << 20, fetch_max_bytes=32 << 20,
    )  # fmt: skip


class Topics:
    """Makes and empties topics."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    async def __aenter__(self) -> Topics:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await self._admin.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()

    async def named(self, prefixes: Iterable[str]) -> list[str]:
        """Existing topics that begin with one of these words."""
        words = tuple(prefixes)
        return [name for name in await self._admin.list_topics() if words and name.startswith(words)]

    async def delete(self, names: list[str]) -> None:
        """Remove topics and wait until they are gone."""
        present = set(await self._admin.list_topics())
        gone = [name for name in names if name in present]
        if gone:
            await self._admin.delete_topics(gone)
        async with asyncio.timeout(30):
            while set(gone) & set(await self._admin.list_topics()):  # noqa: ASYNC110 (Kafka has no event for it)
                await asyncio.sleep(0.05)

    async def recreate(self, names: list[str]) -> None:
        """Empty topics, made anew."""
        await self.delete(names)
        for _ in range(50):
            made = await self._admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
            if all(error[1] in (0, 36) for error in made.topic_errors):  # 36: it is there, which is what we want.
                return
            await asyncio.sleep(0.1)
        raise RuntimeError(f"topics were not made: {made.topic_errors}")


async def fill(bootstrap: str, topic: str, messages: list[tuple[bytes, bytes]]) -> None:
    """Append messages by the hash of their key, in their order, in whole batches."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_batch_size=128 * 1024)
    await producer.start()
    stamp = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").encode()
    fixed = [("ce_source", b"/payroll/acme"), ("ce_type", b"payroll.contribution.v1"), ("ce_specversion", b"1.0"),
             ("ce_time", stamp)]  # fmt: skip
    try:
        waiting: list[Any] = []
        for begin in range(0, len(messages), CHUNK):
            chunk = messages[begin : begin + CHUNK]
            batches: dict[int, Any] = {}
            hashes = murmur2_many([key for key, _ in chunk])
            for number, ((key, value), hashed) in enumerate(zip(chunk, hashes, strict=True), begin):
                partition, headers = hashed % PARTITIONS, [("ce_id", b"%012d" % number), *fixed]
                batch = batches.setdefault(partition, None) or producer.create_batch()
                if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                    batch.close()
                    waiting.append(await producer.send_batch(batch, topic, partition=partition))
                    batch = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=None, headers=headers)
                batches[partition] = batch
            for partition, batch in batches.items():
                batch.close()
                waiting.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


class Ends:
    """Where a committed reader's logs end, asked again and again."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: list[str]) -> None:
        self._consumer = consumer
        self._places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]

    async def total(self) -> int:
        """Sum of the last stable offsets."""
        for _ in range(100):
            try:
                return sum((await self._consumer.end_offsets(self._places)).values())
            except KafkaError:  # A topic made a moment ago has no leader yet.
                await asyncio.sleep(0.1)
        raise RuntimeError("no end offsets within 10 s")


async def records(bootstrap: str, topic: str, partitions: int = PARTITIONS) -> AsyncIterator[Any]:
    """Every record of a topic that a committed reader sees now; each partition in its order."""
    consumer = reader(bootstrap)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        ends = await consumer.end_offsets(places)
        left = [place for place in places if ends[place]]
        consumer.assign(left)
        for place in left:
            consumer.seek(place, 0)
        while left:
            found = await asyncio.wait_for(consumer.getmany(*left, timeout_ms=500, max_records=20_000), 60)
            for batch in found.values():
                for record in batch:
                    yield record
            left = [place for place in left if await consumer.position(place) < ends[place]]
    finally:
        await consumer.stop()

"""From the outbox to the wire: in order, prefix removed, repeated after a crash and told apart by sequence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from deploy.cluster import Infrastructure
from shared.runtime.clients import kafka_producer
from shared.runtime.guards import GapGuard, Points, SequenceGuard
from shared.runtime.lanes import SELECT_OUTBOX
from shared.runtime.migrations import migrate
from shared.runtime.outbox import Message, OutboxRow, StreamNames, append, milliseconds, pack, remove_published
from shared.runtime.relay import Relay
from shared.runtime.settings import Settings
from tests.support.cluster import first_records, fresh_database, unique_topics
from tests.support.waiting import eventually

NAMES = StreamNames("contribution", "/nestwork/contribution")
STAMP = milliseconds(datetime(2026, 11, 20, 17, tzinfo=UTC))


@asynccontextmanager
async def outbox(infrastructure: Infrastructure) -> AsyncIterator[Any]:
    """A connection to a migrated database with an empty outbox."""
    url = await fresh_database(infrastructure, "relay")
    config = Settings(DATABASE_URL=infrastructure.server_url)
    await migrate("contribution", config, database=url.rpartition("/")[2])
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO lanes (lane) VALUES (0)")
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    """A relay at work, stopped as it stands."""
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await relay.stop()


async def publish(infrastructure: Infrastructure, rows: list[OutboxRow]) -> Relay:
    """Let a relay of its own publish rows; it is then stopped as it stands."""
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=infrastructure.bootstrap)
    relay = Relay(NAMES, Points(), lambda: kafka_producer(config))
    relay.hand_over(rows)
    async with running(relay):
        await asyncio.wait_for(relay.is_empty.wait(), 60)
    return relay


async def decide(connection: Any, topic: str, seq: int, values: list[bytes]) -> list[OutboxRow]:
    """Write messages into the outbox as a poll does, from this sequence number on."""
    said = [Message(b"P1", "t.v1", f"id-{number}", STAMP, value) for number, value in enumerate(values, seq)]
    rows, following = pack(0, topic, 0, 1, seq, said)
    await append(connection, rows, {(0, topic, 0): (1, following)})
    return rows


async def stored(connection: Any) -> list[OutboxRow]:
    return [OutboxRow(*row) for row in await connection.fetch(SELECT_OUTBOX, [0])]


def place(record: Any) -> tuple[int, int]:
    headers = dict(record.headers)
    return int(headers["epoch"]), int(headers["seq"])


async def test_packed_rows_become_records_in_sequence_and_only_the_published_prefix_is_removed(
    infrastructure: Infrastructure,
) -> None:
    (topic,) = await unique_topics(infrastructure, "out")
    values = [bytes([65 + number]) * 250_000 for number in range(7)]
    async with outbox(infrastructure) as connection:
        first = await decide(connection, topic, 1, values)
        assert len(first) > 1
        assert sum(row.records for row in first) == len(values)
        relay = await publish(infrastructure, first)
        later = await decide(connection, topic, len(values) + 1, [b"later"])
        await remove_published(connection, relay.take_published())
        assert await stored(connection) == later
        assert relay.take_published() == {}
        await remove_published(connection, (await publish(infrastructure, later)).take_published())
        assert await stored(connection) == []
    records = await first_records(infrastructure, topic, len(values) + 1)
    assert [place(record) for record in records] == [(1, seq) for seq in range(1, len(values) + 2)]
    assert [record.value for record in records] == [*values, b"later"]


async def test_what_was_published_before_a_crash_is_published_again_byte_for_byte_and_dropped_by_sequence(
    infrastructure: Infrastructure,
) -> None:
    (topic,) = await unique_topics(infrastructure, "again")
    async with outbox(infrastructure) as connection:
        rows = await decide(connection, topic, 1, [b"one", b"two", b"three"])
        await publish(infrastructure, rows)
        survivors = await stored(connection)
        assert survivors == rows
        await publish(infrastructure, survivors)
    records = await first_records(infrastructure, topic, 6)
    assert [(one.key, one.value, one.headers) for one in records[:3]] == [
        (one.key, one.value, one.headers) for one in records[3:]
    ]
    last, applied = (1, 0), []
    for record in records:
        if not SequenceGuard().is_repeat(last, *place(record)):
            GapGuard().check_sequence(0, "contribution/0", last, *place(record))
            last = place(record)
            applied.append(record.value)
    assert applied == [b"one", b"two", b"three"]


class Broken(AIOKafkaProducer):  # type: ignore[misc]
    """After an error nobody knows what this producer's sequence numbers stand for."""

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        raise KafkaTimeoutError


async def test_after_an_error_a_new_producer_goes_on_at_the_lowest_row(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "after")
    makes = [Broken, AIOKafkaProducer]
    relay = Relay(NAMES, Points(), lambda: makes.pop(0)(bootstrap_servers=infrastructure.bootstrap))
    for seq, text in enumerate((b"one", b"two"), 1):
        relay.hand_over(pack(0, topic, 0, 1, seq, [Message(b"P1", "t.v1", f"id-{seq}", STAMP, text)])[0])
    async with running(relay):
        await asyncio.wait_for(relay.is_empty.wait(), 60)
    assert [place(record) for record in await first_records(infrastructure, topic, 2)] == [(1, 1), (1, 2)]


async def test_what_was_under_way_when_the_lanes_were_lost_settles_nothing_of_the_next_claim(
    infrastructure: Infrastructure,
) -> None:
    (topic,) = await unique_topics(infrastructure, "lost")
    is_sending, may_send = asyncio.Event(), asyncio.Event()

    class Slow(AIOKafkaProducer):  # type: ignore[misc]
        async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
            is_sending.set()
            await may_send.wait()
            return await super().send_batch(batch, topic, partition=partition)

    def rows() -> list[OutboxRow]:  # As each claim reads them.
        return pack(0, topic, 0, 1, 1, [Message(b"P1", "t.v1", "id-1", STAMP, b"one")])[0]

    relay = Relay(NAMES, Points(), lambda: Slow(bootstrap_servers=infrastructure.bootstrap))
    relay.hand_over(rows())
    async with running(relay):
        await asyncio.wait_for(is_sending.wait(), 30)
        relay.forget()
        relay.hand_over(rows())
        may_send.set()
        await asyncio.wait_for(relay.is_empty.wait(), 30)
    assert [place(record) for record in await first_records(infrastructure, topic, 2)] == [(1, 1), (1, 1)]


class FrozenLeader(AIOKafkaProducer):  # type: ignore[misc]
    """The leader of partition 0 took the request and does not answer."""

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        if partition == 0:
            await asyncio.Event().wait()
        return await super().send_batch(batch, topic, partition=partition)


async def until_published(relay: Relay, seq: int, topic: str) -> None:
    """Until this is what is published of lane 0 to partition 1, and nothing else is."""

    async def is_there() -> bool:
        return relay.published == {(0, topic, 1): (1, seq)}

    await eventually(is_there)


async def test_a_partition_whose_leader_does_not_answer_holds_up_no_other(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "frozen", partitions=2)
    relay = Relay(NAMES, Points(), lambda: FrozenLeader(bootstrap_servers=infrastructure.bootstrap))
    said = [Message(b"P1", "t.v1", "id-1", STAMP, b"one")]
    relay.hand_over(pack(0, topic, 0, 1, 1, said)[0])
    async with running(relay):
        for seq in (1, 2):
            relay.hand_over(pack(0, topic, 1, 1, seq, said)[0])
            await until_published(relay, seq, topic)
        assert not relay.is_empty.is_set()
        assert relay.waiting_since > 0


@pytest.mark.parametrize("size", [1_000_000, 1_048_000])
async def test_a_record_that_nearly_fills_the_limit_is_published(infrastructure: Infrastructure, size: int) -> None:
    (topic,) = await unique_topics(infrastructure, "large")
    async with outbox(infrastructure) as connection:
        await publish(infrastructure, await decide(connection, topic, 1, [b"x" * size, b"small"]))
    assert [len(record.value) for record in await first_records(infrastructure, topic, 2)] == [size, 5]

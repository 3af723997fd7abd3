"""What the frame leaves to servers and clients, asked of these themselves: time limits, acknowledgements, sums."""

from __future__ import annotations

import secrets
import struct
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.cluster import Infrastructure
from shared.runtime.clients import connect, kafka_producer, open_pool
from tests.support.cluster import unique_topics
from tests.support.till import NOON, open_till, process_settings

LIMITS = {
    # Longer than it takes to free a blocker; shorter than the patience of whoever waits for a receipt.
    "lock_timeout": "4s",
    # A worker that froze between two statements holds its rows no longer.
    "idle_in_transaction_session_timeout": "10s",
    "transaction_timeout": "1min",
}
TRANSACTION_MS_MAX = 60_000
PRODUCER_AT = 43
"""Where a stored batch of records says which producer sent it, in which of its lives, and its number: -1 for none."""


async def test_every_connection_of_the_frame_has_its_time_limits(infrastructure: Infrastructure) -> None:
    with process_settings(infrastructure):
        connection, pool = await connect("postgres"), await open_pool("postgres", size=1)
        try:
            async with pool.acquire() as pooled:
                for one in (connection, pooled):
                    assert {name: await one.fetchval(f"SHOW {name}") for name in LIMITS} == LIMITS
        finally:
            connection.terminate()
            pool.terminate()


async def test_the_producer_waits_for_all_replicas_and_its_batches_are_numbered(infrastructure: Infrastructure) -> None:
    """The broker drops a batch that comes twice, and refuses one whose predecessor is missing, by these numbers."""
    (topic,) = await unique_topics(infrastructure, "numbered", partitions=1)
    with process_settings(infrastructure) as config:
        producer = kafka_producer(config)
        await producer.start()
        try:
            await producer.send_and_wait(topic, b"one", partition=0)
            assert producer._sender._acks == -1
        finally:
            await producer.stop()
    assert stored_numbers(infrastructure.folder, topic)[0] >= 0


def stored_numbers(folder: Path, topic: str) -> tuple[int, int, int]:
    """Producer, its epoch and the number of the first batch in a log, as the broker keeps them."""
    (segment,) = folder.rglob(f"{topic}-0/*.log")
    found: tuple[int, int, int] = struct.unpack_from(">qhi", segment.read_bytes(), PRODUCER_AT)
    return found


async def test_a_foreign_transaction_stays_open_for_a_minute_at_most(infrastructure: Infrastructure) -> None:
    """What it has written can't be read before it ends, so it holds back the cut of a date."""

    async def begin(timeout_ms: int) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=infrastructure.bootstrap,
            transactional_id=f"foreign-{secrets.token_hex(4)}",
            transaction_timeout_ms=timeout_ms,
        )
        try:
            await producer.start()
        finally:
            await producer.stop()

    await begin(TRANSACTION_MS_MAX)
    with pytest.raises(KafkaError):
        await begin(TRANSACTION_MS_MAX + 1)


WRITE_ENTRY = """
INSERT INTO journal (trade_date, lane, entry, recorded_at, kind, bucket, plan_id, cause, rule_set, accounts, amounts)
VALUES ($1, 0, $2, $3, 'k', 0, 'P', gen_random_uuid(), 'r', $4, $5)"""


async def test_the_database_refuses_an_entry_that_does_not_sum_to_zero(infrastructure: Infrastructure) -> None:
    async with open_till(infrastructure) as till:
        await till.connection.execute("SELECT create_journal()")

        async def write(entry: int, accounts: list[str], amounts: list[int]) -> None:
            await till.connection.execute(WRITE_ENTRY, NOON.date(), entry, NOON, accounts, amounts)

        await write(1, ["payer", "taker", "taker"], [-3, 1, 2])
        for accounts, amounts in ((["payer", "taker"], [-3, 2]), (["payer"], [-1]), (["payer"], [-1, 1])):
            with pytest.raises(asyncpg.CheckViolationError):
                await write(2, accounts, amounts)

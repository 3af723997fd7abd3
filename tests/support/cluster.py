"""Kafka and PostgreSQL once per test session, and fresh names inside them for every test."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.cluster import Infrastructure
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from tests.support.waiting import eventually

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session")
async def infrastructure(tmp_path_factory: object) -> AsyncIterator[Infrastructure]:
    """A real Kafka and PostgreSQL, shared by the whole session; use fresh topics and databases in it."""
    folder: Path = tmp_path_factory.mktemp("infrastructure")  # type: ignore[attr-defined]
    started = await Infrastructure.start(folder, postgres_settings={"shared_buffers": "'128MB'"})
    try:
        yield started
    finally:
        await started.stop()


async def fresh_database(infrastructure: Infrastructure, name: str) -> str:
    """Create an empty database with a name nobody else has, and return its URL."""
    database = f"{name}_{next(_numbers)}_{secrets.token_hex(3)}"
    connection = await asyncpg.connect(infrastructure.server_url)
    try:
        await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()
    return infrastructure.url_of(database)


@asynccontextmanager
async def service_database(infrastructure: Infrastructure, service: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database of its own with all tables of a service."""
    url = await fresh_database(infrastructure, service)
    await migrate(service, Settings(DATABASE_URL=infrastructure.server_url), database=url.rpartition("/")[2])
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def unique_topics(infrastructure: Infrastructure, *names: str, partitions: int = 4) -> list[str]:
    """Create topics with a common random prefix and return their full names, in order, once they have leaders."""
    prefix = f"t{secrets.token_hex(4)}"
    topics = [f"{prefix}.{name}" for name in names]
    admin = AIOKafkaAdminClient(bootstrap_servers=infrastructure.bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(topic, num_partitions=partitions, replication_factor=1) for topic in topics]
        )

        async def all_have_leaders() -> bool:
            described = await admin.describe_topics(topics)
            return all(
                len(topic["partitions"]) == partitions and all(part["leader"] >= 0 for part in topic["partitions"])
                for topic in described
            )

        await eventually(all_have_leaders)
    finally:
        await admin.close()
    return topics


async def first_records(infrastructure: Infrastructure, topic: str, count: int) -> list[Any]:
    """The records of partition 0, as soon as there are ``count``."""
    consumer = AIOKafkaConsumer(bootstrap_servers=infrastructure.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    records: list[Any] = []
    try:
        consumer.assign([TopicPartition(topic, 0)])

        async def all_there() -> bool:
            for fetched in (await consumer.getmany(timeout_ms=200)).values():
                records.extend(fetched)
            return len(records) >= count

        await eventually(all_there, seconds=60)
    finally:
        await consumer.stop()
    return records

"""The embedded cluster on the real thing: start, stop, crashes of every part."""

from __future__ import annotations

import asyncpg
from aiokafka import AIOKafkaProducer

from deploy.cluster import Infrastructure
from tests.support.cluster import fresh_database, unique_topics


async def test_kafka_and_postgres_serve(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "hello")
    producer = AIOKafkaProducer(bootstrap_servers=infrastructure.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(topic, b"one")
    await producer.stop()
    connection = await asyncpg.connect(await fresh_database(infrastructure, "hello"))
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    await connection.close()

"""Reads the receipts of a run as they are appended, so that their delay is what an integration would see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.load.flight import Flight
from shared.events.envelope import CE_ID
from shared.events.topics import PAYROLL_RECEIPTS
from shared.runtime.clients import kafka_reader
from shared.runtime.settings import Settings

READ_WAIT_MS = 200
RECORDS_PER_READ = 5_000


async def follow(consumer: AIOKafkaConsumer, flight: Flight) -> None:
    """Take receipts for ever; cancel to stop."""
    while True:
        for records in (await consumer.getmany(timeout_ms=READ_WAIT_MS, max_records=RECORDS_PER_READ)).values():
            now = time.time()
            for record in records:
                receipt_id = next((value for name, value in record.headers if name == CE_ID), b"")
                flight.take(receipt_id, record.value, record.timestamp / 1000, now)


@asynccontextmanager
async def following(config: Settings, partitions: int, flight: Flight) -> AsyncIterator[asyncio.Task[None]]:
    """Follow the receipts from the present ends of the log while the block runs."""
    consumer = kafka_reader(config, fetch_max_wait_ms=20)
    await consumer.start()
    try:
        places = [TopicPartition(PAYROLL_RECEIPTS.name, number) for number in range(partitions)]
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():
            consumer.seek(place, end)
        task = asyncio.create_task(follow(consumer, flight))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    finally:
        await consumer.stop()

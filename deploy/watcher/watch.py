"""Compare what is stored with what is in the logs: lag in records and in seconds, seen from outside every worker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client.core import Metric

from deploy.watcher.store import stored_positions
from shared.runtime import metrics
from shared.runtime.clients import DATABASE_TROUBLE, connect, kafka_reader
from shared.runtime.exposition import Value, metrics_of
from shared.runtime.logs import get_logger
from shared.runtime.settings import Settings

log = get_logger(__name__)

SERVICES = ("contribution", "allocation", "trading", "valuation")
WATCH_SECONDS = 5.0
PEEK_MS = 200
PEEK_BYTES = 64 * 1024
TROUBLE = (*DATABASE_TROUBLE, KafkaError)


class Watcher:
    """What was seen last; a collector of the Prometheus client."""

    def __init__(self, config: Settings) -> None:
        self.config = config
        self.seen: dict[str, list[Value]] = {}

    def collect(self) -> Iterator[Metric]:
        """The last look at every service; one that can't be seen keeps its figures, and the time of the look tells."""
        yield from metrics_of(value for values in list(self.seen.values()) for value in values)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            for service in SERVICES:
                try:
                    async with asyncio.timeout(30):
                        self.seen[service] = await self.look(service)
                except TROUBLE as trouble:
                    log.warning("not_seen", service=service, error=repr(trouble))
            await asyncio.sleep(WATCH_SECONDS)

    async def look(self, service: str) -> list[Value]:
        """One service's lag now."""
        connection = await connect(f"nestwork_{service}", self.config)
        try:
            positions = await stored_positions(connection)
        finally:
            await connection.close()
        waiting = await lag_of(self.config, {TopicPartition(*place): at for place, at in positions.items()})
        now = time.time()
        values: list[Value] = [(metrics.WATCHED_AT, (service,), now)]
        for (topic, partition), (records, appended_at) in waiting.items():
            labels = (service, topic, str(partition))
            values.append((metrics.WATCHED_LAG_RECORDS, labels, records))
            values.append((metrics.WATCHED_LAG_SECONDS, labels, max(0.0, now - appended_at) if records else 0.0))
        return values


async def lag_of(config: Settings, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, tuple[int, float]]:
    """By partition: committed records from the position on, and when the first of them was appended."""
    reader = kafka_reader(config, max_partition_fetch_bytes=PEEK_BYTES)
    await reader.start()
    try:
        ends = await reader.end_offsets(list(positions))
        behind = {place: at for place, at in positions.items() if ends[place] > at}
        first = await _first_records(reader, behind, ends) if behind else {}
        return {
            place: (ends[place] - at, first[place]) if place in first else (0, 0.0) for place, at in positions.items()
        }
    finally:
        with contextlib.suppress(KafkaError):
            await reader.stop()


async def _first_records(
    reader: AIOKafkaConsumer, behind: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, float]:
    """When the first committed record from each position was appended; a mere transaction marker is no record."""
    reader.assign(list(behind))
    for place, at in behind.items():
        reader.seek(place, at)
    found: dict[TopicPartition, float] = {}
    waiting = set(behind)
    while waiting:
        fetched: dict[TopicPartition, list[Any]] = await reader.getmany(timeout_ms=PEEK_MS)
        for place, records in fetched.items():
            found.setdefault(place, records[0].timestamp / 1000)
            reader.pause(place)
        waiting = {place for place in waiting - found.keys() if await reader.position(place) < ends[place]}
    return found

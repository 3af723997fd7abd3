"""What a payday costs beside its floors: the same rows by bare COPY, the same bytes through the bare log."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import date
from typing import Any

from aiokafka import TopicPartition

from deploy.bench import store_floors
from deploy.bench.copyfloor import CopyFloor, measure_copy
from deploy.bench.costs import BENCH, microseconds_each
from deploy.bench.following import Logs
from deploy.bench.logfloor import LogFloor, measure_log, record_payday
from deploy.bench.store_floors import WRITTEN, Rows
from deploy.cluster import Cluster
from shared.events.topics import ALL_TOPICS
from shared.runtime.settings import Settings

ENDED_SECONDS_MAX = 30.0
LOOK_SECONDS = 0.05


async def measure_floors(
    cluster: Cluster,
    logs: Logs,
    begins: Mapping[TopicPartition, int],
    measured: Mapping[str, Any],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Both floors of the payday that was ``measured``, whose records begin at ``begins``, and the ratio to them.

    The engine's processes are ended first, so that the floors have the machine for themselves.
    """
    config = Settings(
        KAFKA_BOOTSTRAP_SERVERS=cluster.bootstrap,
        DATABASE_URL=cluster.server_url,
        NESTWORK_PARTITIONS=cluster.state.partitions,
    )
    say("ending the workers, for the floors")
    await _end_workers(cluster)
    say("floor: bare COPY of the same rows")
    copied = await _copy(cluster, config, date.fromisoformat(measured["payday"]))
    say("floor: bare produce and consume of the same bytes")
    with tempfile.TemporaryFile(dir=cluster.folder) as file:
        held = await record_payday(logs, begins, ALL_TOPICS, file)
        partitions = {topic: cluster.state.partitions if topic.partitioned else 1 for topic in ALL_TOPICS}
        logged = await measure_log(cluster, config, held, partitions)
    return report(measured, copied, logged)


async def _end_workers(cluster: Cluster) -> None:
    """End the services and the custodian; they stay away."""
    ended = [record for record in cluster.state.processes.values() if record.kind in ("worker", "custodian")]
    for record in ended:
        cluster.hold(record.name)
        record.identity.send(signal.SIGTERM)
    async with asyncio.timeout(ENDED_SECONDS_MAX):
        while any(record.identity.alive() for record in ended):  # noqa: ASYNC110 (a process that ends tells nobody)
            await asyncio.sleep(LOOK_SECONDS)


async def _copy(cluster: Cluster, config: Settings, day: date) -> CopyFloor:
    async with AsyncExitStack() as stack:
        databases = {}
        for service in WRITTEN:
            databases[service] = await store_floors.open_database(service, config)
            stack.push_async_callback(databases[service].close)
        chosen = {name: [Rows(*one) for one in tables.items()] for name, tables in WRITTEN.items()}
        await store_floors.pause_vacuum(config, paused=True)
        stack.push_async_callback(store_floors.pause_vacuum, config, paused=False)
        return await measure_copy(cluster, databases, chosen, day)


def report(measured: Mapping[str, Any], copied: CopyFloor, logged: LogFloor) -> dict[str, Any]:
    """The block ``floors`` of the result. The engine's CPU is that of all processes but the bench's own."""
    count = measured["contributions"]
    engine = sum(spent for group, spent in measured["cpu_seconds"].items() if group != BENCH)
    log_seconds = logged.produce_seconds + logged.consume_seconds
    copy_cpu, log_cpu = (sum(one.cpu_seconds.values()) for one in (copied, logged))
    return {
        "copy": asdict(copied)
        | {
            "rows": sum(copied.rows.values()),
            "rows_by_table": copied.rows,
            "bytes": sum(copied.bytes.values()),
            "bytes_by_table": copied.bytes,
            "cpu_microseconds_per_contribution": microseconds_each(copied.cpu_seconds, count),
        },
        "log": asdict(logged)
        | {
            "seconds": round(log_seconds, 3),
            "records": sum(logged.records.values()),
            "records_by_topic": logged.records,
            "bytes": sum(logged.bytes.values()),
            "bytes_by_topic": logged.bytes,
            "cpu_microseconds_per_contribution": microseconds_each(logged.cpu_seconds, count),
        },
        "engine": {
            "seconds": measured["seconds"],
            "cpu_seconds": round(engine, 3),
            "cpu_microseconds_per_contribution": round(engine / count * 1e6, 1),
        },
        "ratio": {
            "cpu": _ratios(engine, copy_cpu, log_cpu),
            "seconds": _ratios(measured["seconds"], copied.seconds, log_seconds),
        },
    }


def _ratios(engine: float, copied: float, logged: float) -> dict[str, float | None]:
    """The engine over each floor and over both together; None where a floor is too small to be measured."""
    floors = {"copy": copied, "log": logged, "both": copied + logged}
    return {name: round(engine / floor, 2) if floor > 0 else None for name, floor in floors.items()}

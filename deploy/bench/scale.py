"""How figures change with workers, partitions and history: cold start, payday, quiet day, rebalance."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

from deploy.bench import costs
from deploy.bench.payday import FIRST_PAYDAY, PaydayBench, Say, open_bench
from deploy.bench.store_history import grow_history, lanes_by_owner
from deploy.bench.world import World
from deploy.cluster import Cluster
from shared.runtime.settings import Settings
from shared.values.trading_days import next_trading_day

SERVICE = "contribution"
LOOK_SECONDS = 0.05
REBALANCE_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Size:
    """One configuration: processes per service and partitions."""

    workers: int
    partitions: int


def sizes(workers: list[int], partitions: list[int]) -> list[Size]:
    """Every number of workers at the fewest partitions, then two workers at every other number of partitions."""
    fewest = min(partitions)
    return [Size(count, fewest) for count in workers] + [
        Size(2, count) for count in sorted(partitions) if count != fewest
    ]


async def measure_size(cluster: Cluster, world: World, size: Size, cold_start: float, say: Say) -> dict[str, Any]:
    """A payday, a quiet day and, with two workers or more, the loss and the return of one."""
    async with open_bench(cluster, world) as bench:
        await bench.prepare(FIRST_PAYDAY)
        say(f"{size.workers} workers per service, {size.partitions} partitions: payday")
        empty = await _bytes_on_disk(bench)
        payday = await bench.round(FIRST_PAYDAY)
        paid = await _bytes_on_disk(bench)
        quiet = await _quiet_day(bench, next_trading_day(FIRST_PAYDAY))
        after = await _bytes_on_disk(bench)
        rebalance = await _rebalance(cluster, size, say) if size.workers > 1 else None
    return {
        "workers_per_service": size.workers,
        "partitions": size.partitions,
        "cold_start_seconds": round(cold_start, 2),
        "payday": payday,
        "quiet_day": quiet,
        "bytes_per_contribution": {name: (paid[name] - empty[name]) // world.participants for name in paid},
        "bytes_per_quiet_day_and_participant": {
            name: (after[name] - paid[name]) // world.participants for name in after
        },
        "rebalance": rebalance,
    }


async def _bytes_on_disk(bench: PaydayBench) -> dict[str, int]:
    """Bytes of each service's tables with their indexes, and of Kafka's logs (segments as far as they are written)."""
    logs = bench.cluster.folder.glob("kafka-*/logs/*/*.log")
    return {**await bench.progress.table_bytes(), "log": sum(file.stat().st_size for file in logs)}


async def _quiet_day(bench: PaydayBench, day: date) -> dict[str, Any]:
    """What a date costs on which nobody contributes: every participant is valued all the same."""
    before, began = costs.cpu_seconds(bench.cluster.state), time.monotonic()
    closed = await bench.quiet_day(day)
    spent = costs.used(before, costs.cpu_seconds(bench.cluster.state))
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu_microseconds_per_participant": costs.microseconds_each(spent, bench.world.participants),
        "proof": "ok" if closed["status"] == "proven" else "broken",
    }


async def _rebalance(cluster: Cluster, size: Size, say: Say) -> dict[str, float]:
    """Seconds until others own the lanes of a worker that was killed, and until it owns its share again."""
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=cluster.bootstrap, DATABASE_URL=cluster.server_url)
    last = size.workers - 1
    name = f"{SERVICE}-{last}"
    say(f"killing {name}")
    cluster.hold(name)
    began = time.monotonic()
    cluster.kill_worker(SERVICE, last)
    before = await lanes_by_owner(config, SERVICE)
    await _until_owners(config, size.workers - 1)
    lost = time.monotonic() - began
    cluster.release(name)
    began = time.monotonic()
    await _until_owners(config, size.workers)
    return {
        "lanes_moved": float(min(before.values())),
        "taken_over_seconds": round(lost, 2),
        "shared_again_seconds": round(time.monotonic() - began, 2),
    }


async def _until_owners(config: Settings, count: int) -> None:
    async with asyncio.timeout(REBALANCE_SECONDS_MAX):
        while len(await lanes_by_owner(config, SERVICE)) != count:  # noqa: ASYNC110 (a database has no event)
            await asyncio.sleep(LOOK_SECONDS)


async def measure_history(cluster: Cluster, world: World, contributions: int, say: Say) -> dict[str, Any]:
    """The same payday on empty tables and on ``contributions`` earlier ones, and what that changes."""
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=cluster.bootstrap, DATABASE_URL=cluster.server_url)
    async with open_bench(cluster, world) as bench:
        await bench.prepare(FIRST_PAYDAY)
        say("payday on empty tables")
        first = await bench.round(FIRST_PAYDAY)
        day = next_trading_day(FIRST_PAYDAY)
        say("payday after one payday")
        second = await bench.round(day)
        times = -(-contributions // world.participants)
        say(f"history: {times} times {world.participants} contributions")
        began = time.monotonic()
        rows = await grow_history(config, FIRST_PAYDAY, times)
        seconds = time.monotonic() - began
        say("payday on history")
        third = await bench.round(next_trading_day(day))
        sizes_now = await bench.progress.table_bytes()
    before, after = (sum(one["cpu_microseconds_per_contribution"].values()) for one in (second, third))
    return {
        "rows": rows,
        "seconds_to_make": round(seconds, 1),
        "table_bytes": sizes_now,
        "paydays": [first, second, third],
        "cpu_change": round(after / before - 1, 4),
    }

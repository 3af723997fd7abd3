"""The first stage alone as a backlog drain, beside the same job by a plain Faust agent on the same machine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from aiokafka.admin import NewTopic

from deploy.bench import costs
from deploy.bench.following import Logs, add_up_receipts, open_days_feed
from deploy.bench.payday import FIRST_PAYDAY, PaydayBench, Say
from deploy.bench.publishing import open_bulk_publisher
from deploy.bench.store import Progress, create_empty_database, open_progress
from deploy.bench.world import World
from deploy.cluster import Cluster
from deploy.scenarios.pages import Pages
from shared.events.topics import PAYROLL_CONTRIBUTIONS, PAYROLL_RECEIPTS
from shared.runtime.clients import database_url, kafka_admin
from shared.runtime.settings import Settings

SERVICE = "contribution"
LOOK_SECONDS = 0.05
DRAIN_SECONDS_MAX = 600.0
BASELINE_MODULE = "tests.load.faust_baseline"
BASELINE_TOPICS = ("baseline.contributions", "baseline.receipts")
BASELINE_DATABASE = "nestwork_baseline"


async def drain_backlog(bench: PaydayBench) -> dict[str, Any]:
    """Fill the topic while the service is held, start it, and time it from its first commit to its last receipt.

    The lines of the first commit are left out of the rate, as the work on them is.
    """
    cluster, count = bench.cluster, bench.world.participants
    cluster.hold(f"{SERVICE}-0")
    cluster.kill_worker(SERVICE)
    begins = await bench.logs.ends(PAYROLL_CONTRIBUTIONS.name, PAYROLL_RECEIPTS.name)
    await bench.publisher.publish(bench.world.lines(FIRST_PAYDAY))
    before = await bench.progress.entries(SERVICE)
    cpu_before = costs.cpu_seconds(cluster.state)
    cluster.release(f"{SERVICE}-0")
    first, started_at = await _first_commit(bench.progress, before)
    worker_before = costs.cpu_seconds(cluster.state)
    await _drained(bench, before + count)
    receipts = await add_up_receipts(bench.logs, begins)
    cpu = costs.used(cpu_before | {SERVICE: worker_before[SERVICE]}, costs.cpu_seconds(cluster.state))
    seconds = receipts.last_at_ms / 1000 - started_at
    return {
        "contributions": count,
        "seconds": round(seconds, 3),
        "contributions_per_s": round((count - first) / seconds, 1),
        "cpu_microseconds_per_contribution": costs.microseconds_each(cpu, count),
        "answered": receipts.finals == count and receipts.accepted_cents == bench.world.total_cents,
    }


async def _first_commit(progress: Progress, before: int) -> tuple[int, float]:
    """How many lines the first commit held, and when it was seen (seconds since 1970)."""
    async with asyncio.timeout(DRAIN_SECONDS_MAX):
        while True:
            new = await progress.entries(SERVICE) - before
            if new:
                return new, time.time()
            await asyncio.sleep(LOOK_SECONDS)


async def _drained(bench: PaydayBench, entries: int) -> None:
    async with asyncio.timeout(DRAIN_SECONDS_MAX):
        while True:
            if await bench.progress.entries(SERVICE) >= entries and not await bench.progress.unpublished(SERVICE):
                return
            await asyncio.sleep(LOOK_SECONDS)


async def run_baseline(cluster: Cluster, lines: int, partitions: int) -> dict[str, Any]:
    """The same lines through an ordinary Faust agent: concurrency 1, a transaction per event, receipts by ``send``."""
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=cluster.bootstrap, DATABASE_URL=cluster.server_url)
    await _make_baseline_topics(config, partitions)
    await create_empty_database(BASELINE_DATABASE, config)
    world = World(lines)
    async with open_bulk_publisher(config) as publisher:
        await publisher.publish(event._replace(topic=BASELINE_TOPICS[0]) for event in world.lines(FIRST_PAYDAY))
    environment = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap,
        "DATABASE_URL": database_url(BASELINE_DATABASE, config),
        "BASELINE_LINES": str(lines),
        "BASELINE_FOLDER": str(cluster.folder / "baseline"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", BASELINE_MODULE, "worker", "-l", "error", env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DRAIN_SECONDS_MAX):
            said, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = next((line for line in said.decode().splitlines() if line.startswith('{"baseline"')), None)
    if found is None:
        return {"error": complaints.decode()[-2000:] or said.decode()[-2000:]}
    return dict(json.loads(found)["baseline"])


async def _make_baseline_topics(config: Settings, partitions: int) -> None:
    admin = kafka_admin(config)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in BASELINE_TOPICS])
    finally:
        await admin.close()


async def run_first_stage(cluster: Cluster, world: World, baseline_lines: int, say: Say) -> dict[str, Any]:
    """Both drains one after the other on one cluster, and how many times faster ours is."""
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=cluster.bootstrap, DATABASE_URL=cluster.server_url)
    partitions = cluster.state.partitions
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(open_bulk_publisher(config))
        days = await stack.enter_async_context(open_days_feed(config))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        progress = await open_progress(config)
        stack.push_async_callback(progress.close)
        pages = Pages(http, cluster.web_url("trading"), cluster.web_url("valuation"))
        bench = PaydayBench(cluster, world, publisher, days, progress, pages, Logs(config, partitions))
        say("publishing facts, census and elections")
        await bench.prepare(FIRST_PAYDAY)
        say(f"{world.participants} contributions as a backlog")
        ours = await drain_backlog(bench)
        say(f"{baseline_lines} contributions by a plain Faust agent")
        baseline = await run_baseline(cluster, baseline_lines, partitions)
    rate = baseline.get("contributions_per_s")
    ratio = round(ours["contributions_per_s"] / rate, 1) if rate else None
    return {"ok": bool(ours["answered"] and ratio), "engine": ours, "plain_faust": baseline, "ratio": ratio}

"""The first stage alone as a backlog drain, beside a plain Faust agent that drains the same lines, in turns."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from datetime import date, timedelta
from typing import Any

from aiokafka.admin import NewTopic

from deploy.bench import costs
from deploy.bench.following import add_up_receipts
from deploy.bench.payday import FIRST_PAYDAY, PaydayBench, Say, open_bench
from deploy.bench.store import Progress, create_empty_database
from deploy.bench.world import World
from deploy.cluster import Cluster, ClusterError
from shared.events.topics import PAYROLL_CONTRIBUTIONS, PAYROLL_RECEIPTS
from shared.runtime.clients import database_url, kafka_admin
from shared.runtime.settings import Settings

SERVICE = "contribution"
LOOK_SECONDS = 0.05
DRAIN_SECONDS_MAX = 600.0
BASELINE_MODULE = "tests.load.faust_baseline"
BASELINE = "nestwork_baseline"
PAY_EVERY = timedelta(days=14)


def pay_date(number: int) -> date:
    """The pay date of a round: each has lines of its own, all of one year and below its limits."""
    return FIRST_PAYDAY - number * PAY_EVERY


async def drain_backlog(bench: PaydayBench, number: int) -> dict[str, Any]:
    """Fill the topic while the service is held, start it, and time it from its first commit to its last receipt.

    The lines of the first commit are left out of the rate, as the work on them is.
    """
    cluster, count = bench.cluster, bench.world.participants
    cluster.hold(f"{SERVICE}-0")
    cluster.kill_worker(SERVICE)
    begins = await bench.logs.ends(PAYROLL_CONTRIBUTIONS, PAYROLL_RECEIPTS)
    await bench.publisher.publish(bench.world.lines(pay_date(number)))
    before = await bench.progress.entries(SERVICE)
    cpu_before = costs.cpu_seconds(cluster.state)
    cluster.release(f"{SERVICE}-0")
    first, started_at = await _first_commit(bench.progress, before)
    if 2 * first > count:
        raise ClusterError(f"the first commit held {first} of {count} lines, so there is nothing to time: take more")
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


async def run_baseline(bench: PaydayBench, config: Settings, number: int) -> dict[str, Any]:
    """The same lines through an ordinary Faust agent: concurrency 1, a transaction per event, receipts by ``send``.

    It reads them from a topic of its own into a database of its own, on the same servers, while the engine is idle.
    """
    topics = (f"baseline.contributions.{number}", f"baseline.receipts.{number}")
    database = f"{BASELINE}_{number}"
    await _make_topics(config, topics, bench.cluster.state.partitions)
    await create_empty_database(database, config)
    lines = bench.world.lines(pay_date(number))
    await bench.publisher.publish(event._replace(topic=topics[0]) for event in lines)
    environment = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": bench.cluster.bootstrap,
        "DATABASE_URL": database_url(database, config),
        "BASELINE_TOPICS": ",".join(topics),
        "BASELINE_LINES": str(bench.world.participants),
        "BASELINE_FOLDER": str(bench.cluster.folder / database),
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


async def _make_topics(config: Settings, names: tuple[str, ...], partitions: int) -> None:
    admin = kafka_admin(config)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    finally:
        await admin.close()


async def run_first_stage(cluster: Cluster, world: World, rounds: int, say: Say) -> dict[str, Any]:
    """Both drain the same lines, in turns, so that a change of the machine's load meets both; how many times faster."""
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=cluster.bootstrap, DATABASE_URL=cluster.server_url)
    ours, theirs = [], []
    async with open_bench(cluster, world) as bench:
        say("publishing facts, census and elections")
        await bench.prepare(FIRST_PAYDAY)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}: {world.participants} contributions as a backlog of the engine")
            ours.append(await drain_backlog(bench, number))
            say("the same contributions as a backlog of a plain Faust agent")
            theirs.append(await run_baseline(bench, config, number))
    return verdict_of(ours, theirs)


def verdict_of(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, Any]:
    """All rounds and the ratio of the medians; not ok when a round of either is missing a line."""
    complete = all(one["answered"] for one in ours)
    complete = complete and all(one.get("rows") == one.get("contributions") for one in theirs if "error" not in one)
    rates = [one["contributions_per_s"] for one in ours], [one.get("contributions_per_s", 0.0) for one in theirs]
    engine, agent = (statistics.median(each) for each in rates)
    return {
        "ok": bool(complete and all(rates[1])),
        "engine": {"contributions_per_s": engine, "rounds": ours},
        "plain_faust": {"contributions_per_s": agent, "rounds": theirs},
        "ratio": round(engine / agent, 1) if agent else None,
    }

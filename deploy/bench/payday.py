"""One payday from the first published line to the last participant valued, as often as asked for, on one cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

import aiohttp
from aiokafka import TopicPartition

from deploy.bench import costs
from deploy.bench.floors import measure_floors
from deploy.bench.following import (
    DaysFeed,
    Logs,
    ReceiptTotals,
    StageTimes,
    add_up_receipts,
    open_days_feed,
    watch_stages,
)
from deploy.bench.publishing import BulkPublisher, Packed, open_bulk_publisher
from deploy.bench.store import STAGES, Progress, open_progress
from deploy.bench.world import LINES_PER_YEAR_MAX, World, close_request, value_request
from deploy.cluster import Cluster
from deploy.scenarios.pages import Pages
from deploy.scenarios.runner import is_answered
from shared.events.topics import ALL_TOPICS
from shared.runtime.settings import Settings
from shared.values.nyse_calendar import LAST_YEAR
from shared.values.trading_days import previous_trading_day, trading_days_between

FIRST_PAYDAY = date(2026, 11, 20)
SECONDS_PER_LINE_MAX = 0.005
WAIT_SECONDS_MIN = 300.0

Say = Callable[[str], None]


@dataclass
class Phases:
    """Named moments of a run on the monotonic clock."""

    began: float = field(default_factory=time.monotonic)
    moments: list[tuple[str, float]] = field(default_factory=list)

    def reached(self, name: str) -> None:
        """Now ``name`` is reached."""
        self.moments.append((name, time.monotonic()))

    def seconds(self) -> dict[str, float]:
        """Seconds from the moment before to each moment."""
        before, found = self.began, {}
        for name, at in self.moments:
            found[name] = round(at - before, 3)
            before = at
        return found

    @property
    def total(self) -> float:
        """Seconds from the first publish to the last moment."""
        return self.moments[-1][1] - self.began


class PaydayBench:
    """Drives paydays on a running cluster."""

    def __init__(
        self,
        cluster: Cluster,
        world: World,
        publisher: BulkPublisher,
        days: DaysFeed,
        progress: Progress,
        pages: Pages,
        logs: Logs,
    ) -> None:
        self.cluster, self.world, self.publisher = cluster, world, publisher
        self.days, self.progress, self.pages, self.logs = days, progress, pages, logs
        self.begins: dict[TopicPartition, int] = {}
        """Where the last payday's records begin in each partition of each topic."""
        self.wait_seconds = max(WAIT_SECONDS_MIN, world.participants * SECONDS_PER_LINE_MAX)

    async def prepare(self, payday: date) -> float:
        """Publish facts, census and elections and close the day before; returns the seconds it took."""
        began, eve = time.monotonic(), previous_trading_day(payday)
        await self.publisher.publish([*self.world.head(), *self.world.people()])
        await self.quiet_day(eve)
        return time.monotonic() - began

    async def quiet_day(self, day: date) -> dict[str, Any]:
        """Close and value a date on which nobody contributes; returns its ``day.closed``."""
        await self.publisher.publish([close_request(day)])
        await self.publisher.publish(self.world.prices(day))
        await self.pages.trading_day(day, is_answered, self.wait_seconds)
        await self.publisher.publish([value_request(day)])
        return await self.days.closed(day, self.wait_seconds)

    async def round(self, payday: date) -> dict[str, Any]:
        """Measure one payday. Packing the lines is not measured, sending them is."""
        lines = await self.publisher.pack(self.world.lines(payday))
        fundings = await self.publisher.pack(self.world.fundings(payday))
        begins = self.begins = await self.logs.ends(*ALL_TOPICS)
        times = StageTimes()
        watcher = asyncio.create_task(watch_stages(self.progress, self.world.participants, times))
        await asyncio.sleep(0.5)  # The watcher's first look at the journals is not part of the run.
        state = self.cluster.state
        cpu_before, backends_before = costs.cpu_seconds(state), costs.backend_seconds(state)
        phases = Phases()
        try:
            closed = await self._drive(payday, [*lines, *fundings], phases)
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
        cpu = costs.used(cpu_before, costs.cpu_seconds(state))
        backends = costs.used(backends_before, costs.backend_seconds(state))
        receipts = await add_up_receipts(self.logs, begins)
        return self._report(payday, phases, times, cpu, backends, receipts, closed)

    async def _drive(self, payday: date, packed: Packed, phases: Phases) -> dict[str, Any]:
        await self.publisher.send(packed)
        phases.reached("published")
        await self.publisher.publish([close_request(payday)])
        await self.publisher.publish(self.world.prices(payday))
        await self._all_closed(payday)
        phases.reached("instructed_and_ordered")
        await self.pages.trading_day(payday, is_answered, self.wait_seconds)
        phases.reached("confirmed")
        await self.publisher.publish([value_request(payday)])
        closed = await self.days.closed(payday, self.wait_seconds)
        phases.reached("filled_and_valued")
        return closed

    async def _all_closed(self, payday: date) -> None:
        """Wait until trading has built the date's orders."""
        await self.pages.trading_day(payday, lambda page: bool(page.get("orders_built")), self.wait_seconds)

    def _report(
        self,
        payday: date,
        phases: Phases,
        times: StageTimes,
        cpu: dict[str, float],
        backends: dict[str, float],
        receipts: ReceiptTotals,
        closed: dict[str, Any],
    ) -> dict[str, Any]:
        count = self.world.participants
        faults = faults_of(self.world, receipts, closed)
        rates = {stage: times.rate(stage, count) for stage in STAGES[:3]}
        rates["valuation"] = round(count / phases.seconds()["filled_and_valued"], 1)
        return {
            "payday": payday.isoformat(),
            "contributions": count,
            "seconds": round(phases.total, 3),
            "contributions_per_s": round(count / phases.total, 1),
            "seconds_by_phase": phases.seconds(),
            "stages": {
                stage: {"through_at_seconds": _after(times.through.get(stage), phases.began), "per_s": rates[stage]}
                for stage in STAGES
            },
            "cpu_seconds": cpu,
            "cpu_microseconds_per_contribution": costs.microseconds_each(cpu, count),
            "postgres_cpu_seconds_by_service": backends,
            "peak_memory_mb": costs.peak_memory_mb(self.cluster.state.processes.values()),
            "receipt_delay_ms": {"p50": receipts.delay_ms(50), "p99": receipts.delay_ms(99)},
            "restarts": sum(record.restarts for record in self.cluster.state.processes.values()),
            "proof": "ok" if not faults else "broken",
            "faults": faults,
        }


def _after(moment: float | None, began: float) -> float | None:
    return None if moment is None else round(moment - began, 3)


def faults_of(world: World, receipts: ReceiptTotals, closed: dict[str, Any]) -> list[str]:
    """Everything that keeps a payday from being proven: the engine's own proof, and receipts that do not add up."""
    faults = []
    if closed["status"] != "proven":
        broken = [name for name, equation in closed["proof"].items() if not equation["ok"]]
        faults.append(f"the day is {closed['status']}: {', '.join(broken)}")
    if receipts.finals != world.participants:
        faults.append(f"{receipts.finals} final receipts of {world.participants} lines")
    if receipts.accepted_cents != world.total_cents or receipts.rejected_cents:
        said = f"receipts accept {receipts.accepted_cents} and reject {receipts.rejected_cents}"
        faults.append(f"{said} of {world.total_cents} cents")
    return faults


def paydays(count: int, per_participant: int = 1) -> list[date]:
    """The first ``count`` paydays, of which everybody is paid on one of ``per_participant``.

    Raises ``ValueError`` when the exchange's calendar ends before, or when they would be cut by the limits of a year.
    """
    known = trading_days_between(FIRST_PAYDAY, date(LAST_YEAR, 12, 31))[:-1]  # Its last date is never closed.
    if count > len(known):
        raise ValueError(f"the exchange calendar ends with {LAST_YEAR}, after {len(known)} paydays")
    for year, of_year in groupby(known[:count], key=lambda day: day.year):
        if (lines := len(list(of_year)) // per_participant) > LINES_PER_YEAR_MAX:
            raise ValueError(
                f"{lines} paydays in {year} pass the yearly limit of deferrals: at most {LINES_PER_YEAR_MAX} do not"
            )
    return known[:count]


@asynccontextmanager
async def open_bench(cluster: Cluster, world: World) -> AsyncIterator[PaydayBench]:
    """A bench on a running cluster; what it opened is closed when the block ends."""
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=cluster.bootstrap, DATABASE_URL=cluster.server_url)
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(open_bulk_publisher(config))
        days = await stack.enter_async_context(open_days_feed(config))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        progress = await open_progress(config)
        stack.push_async_callback(progress.close)
        pages = Pages(http, cluster.web_url("trading"), cluster.web_url("valuation"))
        logs = Logs(config, cluster.state.partitions)
        yield PaydayBench(cluster, world, publisher, days, progress, pages, logs)


async def run_paydays(cluster: Cluster, world: World, rounds: int, say: Say, *, floors: bool = False) -> dict[str, Any]:
    """Prepare a fresh cluster and measure ``rounds`` paydays on consecutive trading days.

    With ``floors`` also what the last one's rows and records cost without an engine; the cluster's workers are ended
    for it.
    """
    async with open_bench(cluster, world) as bench:
        say("publishing facts, census and elections")
        prepared = await bench.prepare(FIRST_PAYDAY)
        results: list[dict[str, Any]] = []
        for number, payday in enumerate(paydays(rounds), start=1):
            say(f"payday {number} of {rounds}: {payday}, {world.participants} contributions")
            results.append(await bench.round(payday))
        sizes = await bench.progress.table_bytes()
        found = {"floors": await measure_floors(cluster, bench.logs, bench.begins, results[-1], say)} if floors else {}
    return {
        "prepare_seconds": round(prepared, 3),
        "rounds": results,
        "table_bytes": sizes,
        **found,
    }

"""Run scenario files together on one fresh cluster, in lock step by date.

Each file lives in its own namespace, so hundreds of small files take little longer than one. Every wait ends after a
while as a difference that names what was awaited; a day that never closes ends the run for all files.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import orjson
from aiokafka.errors import KafkaError

from deploy.cluster import Cluster, ClusterError
from deploy.scenarios.expectations import AsOf
from deploy.scenarios.expected import expected_differences
from deploy.scenarios.facts import CLOSE_REQUESTED, VALUE_REQUESTED, Outgoing, day_command
from deploy.scenarios.feed import Feed, open_feed
from deploy.scenarios.filerun import FileRun
from deploy.scenarios.model import FileProblem, FundingEvent, LaterEvent, Scenario, ScenarioDay, read_scenario
from deploy.scenarios.names import Namespace
from deploy.scenarios.pages import Page, PageNotReady, Pages, said
from deploy.scenarios.publisher import Publisher, open_publisher
from deploy.scenarios.state import as_of_state, day_state, deposit_state, in_several_plans, is_proven, returns_state
from deploy.scenarios.vested import vested_state
from shared.runtime.logs import get_logger
from shared.runtime.settings import Settings
from shared.values.trading_days import next_trading_day, previous_trading_day

log = get_logger(__name__)

WAIT_SECONDS = 120.0
NOT_SUPPORTED_YET = "not supported yet"

OnDay = Callable[[date, str], Awaitable[None]]


class RunningCluster(Protocol):
    """What the runner needs of a cluster."""

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap servers."""

    def web_url(self, service: str, index: int = 0) -> str:
        """Base address of a worker's pages."""

    async def stop(self) -> None:
        """End everything the cluster started."""


ClusterFactory = Callable[[Path, int, int, Path], Awaitable[RunningCluster]]
"""Starts a cluster in a folder, with so many partitions, so many workers per service, and the custodian's actions."""


class RunStopped(Exception):
    """The cluster did not do its part in time: no later day can be driven."""


@dataclass(frozen=True)
class Progress:
    """What a caller may want to know while days go by. ``phase``: published, closed, valued, compared."""

    on_day: OnDay | None = None

    async def reached(self, day: date, phase: str) -> None:
        """Tell the caller."""
        if self.on_day is not None:
            await self.on_day(day, phase)


async def start_embedded(folder: Path, partitions: int, workers: int, actions: Path) -> RunningCluster:
    """A fresh embedded cluster with the simulated custodian."""
    services = ("contribution", "allocation", "trading", "valuation")
    return await Cluster.start(
        folder, partitions=partitions, workers=dict.fromkeys(services, workers), custodian_actions=actions
    )


async def run_files(
    files: Sequence[Path],
    *,
    workers: int = 1,
    partitions: int = 8,
    cluster_factory: ClusterFactory = start_embedded,
    on_day: OnDay | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> list[FileRun]:
    """Run ``files`` on one cluster; the results stand in their order. A file that cannot run differs from the start.

    A cluster that does not start, or is lost on the way, is a difference of every file that needed it.
    """
    runs = [_prepare(index, file) for index, file in enumerate(files)]
    runnable = [run for run in runs if run.can_run]
    if not runnable:
        return runs
    try:
        async with _cluster(runnable, workers, partitions, cluster_factory) as cluster:
            await _drive(cluster, runnable, Progress(on_day), wait_seconds)
    except Exception as problem:  # Whatever it was, who asked for the files' results gets them with the reason.
        if not isinstance(problem, ClusterError):
            log.exception("cluster_lost")
        for run in runnable:
            run.differ("", "a cluster that runs", str(problem) or repr(problem))
    return runs


def _prepare(index: int, file: Path) -> FileRun:
    run = FileRun(str(file), Namespace(index))
    try:
        _read(run, file)
    except FileProblem as problem:
        run.differ(problem.path, "a scenario this runner can read", problem.reason)
    except Exception as problem:  # Whatever is odd about one file, the others run.
        run.scenario = None
        run.differ("", "a scenario this runner can read", repr(problem))
    return run


def _read(run: FileRun, file: Path) -> None:
    scenario = read_scenario(file)
    later = list(_later_events(scenario))
    for path, kind in later:
        run.differ(path, kind, NOT_SUPPORTED_YET)
    if not later:
        run.scenario = scenario
        run.head = list(run.events.head())


def _later_events(scenario: Scenario) -> Iterator[tuple[str, str]]:
    for index, day in enumerate(scenario.days):
        for place, event in enumerate(day.events):
            if isinstance(event, LaterEvent):
                yield f"days[{index}].events[{place}]", next(iter(event.model_dump()))


@asynccontextmanager
async def _cluster(
    runs: Sequence[FileRun], workers: int, partitions: int, factory: ClusterFactory
) -> AsyncIterator[RunningCluster]:
    with tempfile.TemporaryDirectory(prefix="nestwork-scenario-", ignore_cleanup_errors=True) as folder:
        actions = Path(folder) / "custodian-actions.json"
        actions.write_bytes(orjson.dumps([line for run in runs for line in run.events.custodian_actions()]))
        cluster = await factory(Path(folder) / "cluster", partitions, workers, actions)
        try:
            yield cluster
        finally:
            await cluster.stop()


async def _drive(cluster: RunningCluster, runs: Sequence[FileRun], progress: Progress, wait_seconds: float) -> None:
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=cluster.bootstrap)
    async with (
        open_publisher(config) as publisher,
        open_feed(config, publisher.partitions) as feed,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)) as http,
    ):
        pages = Pages(http, cluster.web_url("trading"), cluster.web_url("valuation"), cluster.web_url("contribution"))
        await Driver(runs, publisher, feed, pages, progress, wait_seconds).run()


class Driver:
    """Takes all files through all days."""

    def __init__(
        self,
        runs: Sequence[FileRun],
        publisher: Publisher,
        feed: Feed,
        pages: Pages,
        progress: Progress,
        wait_seconds: float,
    ) -> None:
        self._runs = runs
        self._publisher = publisher
        self._feed = feed
        self._pages = pages
        self._progress = progress
        self._wait_seconds = wait_seconds

    async def run(self) -> None:
        """Publish the head facts, then close every business day from the one before the first to the last."""
        scenarios = [run.scenario for run in self._runs if run.scenario is not None]
        first = min(scenario.days[0].date for scenario in scenarios)
        last = max(scenario.days[-1].date for scenario in scenarios)
        day = previous_trading_day(first)
        try:
            await self._publish([event for run in self._runs for event in run.head])
            while day <= last:
                await self._business_day(day)
                day = next_trading_day(day)
        except RunStopped as stopped:
            self._end(day, str(stopped), f"not there after {self._wait_seconds:.0f} s")
        except Exception as problem:
            log.exception("run_ended", trade_date=day.isoformat())
            self._end(day, "a run that goes on", repr(problem))

    def _end(self, day: date, expected: str, actual: str) -> None:
        """Say that the run ended on a day, in every file that had days to come."""
        for run in self._runs:
            if run.scenario is not None and run.scenario.days[-1].date >= day:
                run.differ(_day_path(day), expected, actual)

    async def _business_day(self, day: date) -> None:
        self._feed.observed.day = day
        listed = [(run, found) for run in self._runs if (found := run.day(day)) is not None]
        await asyncio.gather(*[self._publish_day(run, found) for run, found in listed])
        await self._progress.reached(day, "published")
        trading = await self._close(day)
        await self._progress.reached(day, "valued")
        await self._all_answered([run for run, _ in listed], day)
        await asyncio.gather(*[self._compare_alone(run, found, trading) for run, found in listed])
        for run, _ in listed:
            run.date_closed(self._feed.observed)
        await self._progress.reached(day, "compared")
        await self._late_confirmations(day)

    async def _publish_day(self, run: FileRun, day: ScenarioDay) -> None:
        """Publish a file's events in order; only a funding without amount makes the rest wait."""
        batch: list[Outgoing] = []
        for index, event in enumerate(day.events):
            if not isinstance(event, FundingEvent):
                batch += published(run, event, day, index)
                continue
            if event.amount is None:
                await self._publish(batch)
                batch = []
            cents = event.amount if event.amount is not None else await self._owed(run, event, day, index)
            if cents > 0:
                batch.append(run.funding(event, cents, day.date))
        await self._publish(batch)

    async def _owed(self, run: FileRun, event: FundingEvent, day: ScenarioDay, index: int) -> int:
        if await self._feed.until(lambda seen: not run.undecided(event.funding, seen), self._wait_seconds):
            return run.owed(event.funding, self._feed.observed)
        missing = run.undecided(event.funding, self._feed.observed)
        run.differ(
            f"{_day_path(day.date)}.events[{index}].funding",
            f"a final receipt of every line of {event.funding}, or a named amount",
            f"undecided after {self._wait_seconds:.0f} s: {', '.join(missing)}",
        )
        return 0

    async def _close(self, day: date) -> Page:
        """Close ``day``, price it, value it; returns trading's page of it."""
        await self._publish([day_command(CLOSE_REQUESTED, day)])
        text = day.isoformat()
        await self._must(lambda: text in self._feed.observed.days_cut, f"the cut of {day} in the price log")
        await self._progress.reached(day, "closed")
        await self._publish(self._prices(day))
        trading = await self._orders_answered(day)
        await self._publish([day_command(VALUE_REQUESTED, day)])
        await self._must(lambda: text in self._feed.observed.closed_by_day, f"day.closed of {day}")
        return trading

    def _prices(self, day: date) -> Iterable[Outgoing]:
        """What each file prices on a date."""
        for run in self._runs:
            yield from run.events.prices(day, run.prices_of(day))

    async def _orders_answered(self, day: date) -> Page:
        """Trading's page once every order is answered; in the end as it is, a difference of the files that lack one."""
        try:
            return await self._pages.trading_day(day, is_answered, self._wait_seconds)
        except PageNotReady as problem:
            lacking = [run for run in self._runs if run.unconfirmed(day, self._feed.observed)]
            for run in lacking or [run for run in self._runs if run.day(day) is not None]:
                run.differ(_day_path(day), "every order answered and no correction outstanding", str(problem))
        try:
            return await self._pages.trading_day(day, lambda _: True, self._wait_seconds)
        except PageNotReady as problem:
            raise RunStopped(f"trading's page of {day} ({problem})") from problem

    async def _all_answered(self, listed: Sequence[FileRun], day: date) -> None:
        """Every line and every resend has its receipt, and all that stands in the logs has been read."""
        if not await self._feed.until(lambda seen: not any(run.unanswered(seen) for run in listed), self._wait_seconds):
            for run in listed:
                for line in run.unanswered(self._feed.observed):
                    run.differ(f"{_day_path(day)}.receipts.{line}", "an answer to every sending", "none in time")
                    run.give_up(line)
        if not await self._feed.catch_up(self._wait_seconds):
            raise RunStopped(f"the end of the logs on {day}")

    async def _compare_alone(self, run: FileRun, day: ScenarioDay, trading: Page) -> None:
        try:
            await self._compare(run, day, trading)
        except Exception as problem:  # What one file expects oddly is a difference of that file.
            run.differ(_day_path(day.date), "expectations that can be compared", repr(problem))

    async def _compare(self, run: FileRun, day: ScenarioDay, trading: Page) -> None:
        plans = sorted(run.scenario.plans) if run.scenario is not None else []
        if not is_proven(self._feed.observed, day.date):
            plans = []  # Valuation shows nothing of a day whose proof does not hold.
        try:
            found = await asyncio.gather(
                *[self._pages.plan_balances(run.names.full(plan), day.date, self._wait_seconds) for plan in plans]
            )
            by_plan = dict(zip(plans, found, strict=True))
            totals = await self._pages.totals(in_several_plans(by_plan), day.date, None, self._wait_seconds)
        except PageNotReady as problem:
            run.differ(_day_path(day.date), "valuation's balances", str(problem))
            return
        state = day_state(run, day.date, self._feed.observed, by_plan, totals, trading)
        if day.expect.vested is not None and plans:
            await self._add_vested(run, day, by_plan, state)
        if day.expect.returns and plans:
            await self._add_returns(run, day, state)
        if day.expect.deposits:
            await self._add_deposits(run, day, state)
        if day.expect.as_of is not None:
            await self._add_as_of(run, day, state)
        run.days.append({"date": day.date.isoformat(), "expect": state})
        run.differences += expected_differences(_day_path(day.date), day.expect, state)

    async def _add_vested(
        self, run: FileRun, day: ScenarioDay, balances: Mapping[str, Page], state: dict[str, Any]
    ) -> None:
        asked = [self._pages.plan_vesting(run.names.full(plan), day.date, self._wait_seconds) for plan in balances]
        found = await said(run, f"{_day_path(day.date)}.vested", "contribution's vested percents", asked)
        if found is not None:
            state["vested"] = vested_state(run, day.date, balances, found)

    async def _add_returns(self, run: FileRun, day: ScenarioDay, state: dict[str, Any]) -> None:
        names = sorted(day.expect.returns or ())
        asked = [self._pages.returns(run.names.full(name), day.date, self._wait_seconds) for name in names]
        found = await said(run, f"{_day_path(day.date)}.returns", "valuation's returns", asked)
        if found is not None:
            state["returns"] = {name: returns_state(page) for name, page in zip(names, found, strict=True)}

    async def _add_as_of(self, run: FileRun, day: ScenarioDay, state: dict[str, Any]) -> None:
        asked = day.expect.as_of
        try:
            if isinstance(asked, list):
                state["as_of"] = [await self._as_of(run, block) for block in asked]
            elif asked is not None:
                state["as_of"] = await self._as_of(run, asked)
        except PageNotReady as problem:
            run.differ(f"{_day_path(day.date)}.as_of", "valuation's balances", str(problem))

    async def _as_of(self, run: FileRun, asked: AsOf) -> dict[str, Any]:
        plans = sorted(run.scenario.plans) if run.scenario is not None else []
        found = await asyncio.gather(
            *[
                self._pages.known_balances(run.names.full(plan), asked.date, asked.known_at, self._wait_seconds)
                for plan in plans
            ]
        )
        known = {plan: page for plan, page in zip(plans, found, strict=True) if page is not None}
        if len(known) < len(plans):
            return as_of_state(run, asked.date, asked.known_at, None, {})
        totals = await self._pages.totals(in_several_plans(known), asked.date, asked.known_at, self._wait_seconds)
        return as_of_state(run, asked.date, asked.known_at, known, totals)

    async def _add_deposits(self, run: FileRun, day: ScenarioDay, state: dict[str, Any]) -> None:
        names = sorted(day.expect.deposits or ())
        asked = [self._pages.payroll_run(run.names.full(name), self._wait_seconds) for name in names]
        found = await said(run, f"{_day_path(day.date)}.deposits", "contribution's payroll runs", asked)
        if found is not None:
            pages = zip(names, found, strict=True)
            state["deposits"] = {name: deposit_state(page) for name, page in pages if page is not None}

    async def _late_confirmations(self, day: date) -> None:
        """What was confirmed late must be in the log before the next day is cut."""
        await self._must(
            lambda: not self._feed.observed.orders_in_the_air(), f"the late confirmations of {day} before the next cut"
        )

    async def _publish(self, events: Iterable[Outgoing]) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._publisher.publish(events)
        except (KafkaError, TimeoutError) as problem:
            raise RunStopped(f"the broker's acknowledgement of published events ({problem!r})") from problem

    async def _must(self, holds: Callable[[], bool], awaited: str) -> None:
        if not await self._feed.until(lambda _: holds(), self._wait_seconds):
            raise RunStopped(awaited)


def published(run: FileRun, event: object, day: ScenarioDay, index: int) -> list[Outgoing]:
    """What an event publishes; nothing, and a difference of its file, when it cannot be said."""
    try:
        return run.published(event, day.date)
    except Exception as problem:  # Whatever is odd about one file, the others run.
        run.differ(f"{_day_path(day.date)}.events[{index}]", "an event that can be published", repr(problem))
        return []


def is_answered(page: Page) -> bool:
    """True when trading has made the day's orders, each has an answer, and no correction is awaited.

    Until the orders are made, no order only means not yet; a confirmation nobody judged may still be a break.
    """
    orders: dict[str, Any] = page.get("orders") or {}
    awaited = orders.get("unanswered"), page.get("corrections_outstanding"), page.get("confirmations_unjudged")
    return bool(page.get("orders_built")) and not any(awaited)


def _day_path(day: date) -> str:
    return f"days[{day.isoformat()}]"

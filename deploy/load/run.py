"""A load run from the first fact to the proof of the last date."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import numpy as np

from deploy.bench import costs, limits
from deploy.load import days, killing, measure, store
from deploy.load.flight import Flight
from deploy.load.following import following
from deploy.load.owners import Owners
from deploy.load.people import PLANS, Crowd, made_up_limits, plan_id
from deploy.load.profiles import intended_seconds, share_of_peak, step_bounds
from deploy.load.result import Correctness, Kill, LoadResult
from deploy.load.sending import Sender
from deploy.load.surroundings import OtherWork, memory_mb, surroundings
from deploy.load.target import Target
from deploy.load.wish import FIRST_PAYDAY, Wish
from deploy.wire.publish import BulkPublisher, open_bulk_publisher
from shared.runtime.clients import kafka_producer
from shared.values.trading_days import next_trading_day

LEAD_SECONDS = 0.5
"""Between the decision to start and the first intended moment."""
DAY_SECONDS_MAX = 900.0
DRAIN_SECONDS_MIN = 60.0
AFTER_KILL_SECONDS = 10.0
HELD_SERVICE = "contribution"

Say = Callable[[str], None]


@dataclass
class Run:
    """One run on an open target."""

    target: Target
    wish: Wish
    publisher: BulkPublisher
    say: Say
    crowd: Crowd
    payday: date = FIRST_PAYDAY
    closed: list[dict[str, Any]] = field(default_factory=list)
    blows: list[killing.Blow] = field(default_factory=list)
    spending: costs.Spending | None = None
    """CPU of the cluster's processes, when they are on this machine, from the first line on."""
    began: float = 0.0

    async def prepare(self) -> None:
        """Publish plans, funds, people; close the date before, so that all of it is in force."""
        closes = self.wish.closes(await store.last_cut(self.target.config))
        if closes:
            self.payday = closes[1]
        await self._load_limits(self.payday.year)
        await self.publisher.publish_mixed(self.crowd.head())
        await self.publisher.publish_mixed(self.crowd.people())
        if not closes:
            return
        self.say(f"closing {closes[0]}, so that plans, funds and people are in force")
        await self._close(closes[0])
        self.closed.clear()

    async def _load_limits(self, year: int) -> None:
        """Make up the limits of a year that has none: its lines would all be held. What was loaded there stays."""
        if not limits.is_unannounced(year) or await store.has_limits(self.target.config, year):
            return
        self.say(f"no limits are known for {year}: loading made-up ones")
        await self.publisher.publish_mixed([made_up_limits(year)])

    async def _close(self, day: date) -> None:
        self.closed.append(
            await days.close_and_prove(
                self.target.config, self.publisher, day, self.began or time.time(), DAY_SECONDS_MAX
            )
        )

    async def drive(self, flight: Flight) -> None:
        """Offer the load, with what the profile does beside it, and wait for the last receipt."""
        profile = self.wish.shape
        producer = kafka_producer(self.target.config, max_batch_size=256 * 1024)
        await producer.start()
        try:
            sender = Sender(producer, flight, self.payday.isoformat(), self.target.partitions)
            if profile.waits:
                await self._fill(sender, flight)
            else:
                self._start(flight)
            beside = self._beside()
            try:
                if not profile.waits:
                    await self._send(sender, flight)
                await self._drained(flight)
                await asyncio.gather(*beside)
            finally:
                for task in beside:
                    task.cancel()
        finally:
            await producer.stop()

    def _beside(self) -> list[asyncio.Task[None]]:
        """What happens while lines come in: days that are closed, workers that are killed."""
        profile, wish, tasks = self.wish.shape, self.wish, []
        if kills := profile.kills(wish.seconds):
            cluster = self.target.processes
            assert self.spending is not None  # Processes that may be killed are on this machine.
            blows = killing.kill_workers(cluster, self.began, kills, wish.seed, self.spending.look, self.blows)
            tasks.append(asyncio.create_task(blows))
        if wish.close and (cuts := profile.cuts(wish.seconds)):
            tasks.append(asyncio.create_task(self._cut_meanwhile(cuts)))
        return tasks

    def _start(self, flight: Flight) -> None:
        self.began = time.time() + LEAD_SECONDS
        flight.intended += self.began

    async def _send(self, sender: Sender, flight: Flight) -> None:
        if self.wish.rate is not None:
            await sender.open_loop(self.began)
            return
        pieces = self.wish.shape.pieces(1.0, self.wish.seconds)
        sent = await sender.closed_loop(self.began, self.wish.seconds, partial(share_of_peak, pieces))
        if sent == len(flight):
            self.say(f"all {sent} lines these participants may have were sent before the time was over")
        flight.cut_off(sent)

    async def _fill(self, sender: Sender, flight: Flight) -> None:
        """A backlog: all lines are in the log before the first service starts; they are all due when it starts."""
        cluster = self.target.processes
        names = [record.name for record in cluster.workers() if record.name.startswith(f"{HELD_SERVICE}-")]
        for index, name in enumerate(names):
            cluster.hold(name)
            cluster.kill_worker(HELD_SERVICE, index)
        try:
            self.say(f"{len(flight)} lines into the log while {HELD_SERVICE} is held")
            for first in range(0, len(flight), 2_000):
                await sender.send(first, min(2_000, len(flight) - first))
            await sender.producer.flush()
        finally:
            for name in names:
                cluster.release(name)
        self.began = time.time()
        flight.intended[:] = flight.sent[:] = self.began

    async def _cut_meanwhile(self, moments: list[float]) -> None:
        """Close a business day at each moment while lines keep coming; what comes after it is of the next date."""
        for moment in moments:
            await asyncio.sleep(max(0.0, self.began + moment - time.time()))
            await self._close(self.payday)
            self.payday = next_trading_day(self.payday)

    async def _drained(self, flight: Flight) -> None:
        """Wait until every line is answered, or no answer has come for long: then lines are lost, which is a result."""
        quiet_since, answered = time.time(), -1
        while (now_answered := flight.answered_lines) < flight.sent_lines:
            if now_answered != answered:
                quiet_since, answered = time.time(), now_answered
            if time.time() - quiet_since > DRAIN_SECONDS_MIN:
                return
            await asyncio.sleep(0.05)

    async def finish(self, flight: Flight) -> Owners | None:
        """Close and prove the last date; whose money is invested in the end, or None when nothing was closed."""
        if not self.wish.close:
            return None
        self.say(f"closing {self.payday}")
        await self._close(self.payday)
        plans = [plan_id(number) for number in range(PLANS)]
        owners = Owners(self.crowd, flight.sent_lines)
        await store.invested(self.target.config, plans, self.crowd.prefix, owners.found)
        return owners


async def run_load(target: Target, wish: Wish, say: Say) -> LoadResult:
    """Prepare, offer, drain, close, prove, and tell. Raises ``OperatorError`` when the engine does not get there."""
    count = wish.lines()
    crowd = Crowd(secrets.token_hex(3), wish.participants)
    started, around = datetime.now(UTC), await surroundings(target)
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(open_bulk_publisher(target.config))
        run = Run(target, wish, publisher, say, crowd)
        say(f"publishing {wish.participants} participants")
        await run.prepare()
        flight = Flight(crowd, _schedule(wish, count))
        say(f"{wish.name}: {'up to ' if wish.latency_from == 'sent' else ''}{count} lines")
        memory = {"start": memory_mb(target)}
        run.spending, elsewhere = _spending(target), OtherWork()
        async with following(target.config, target.partitions, flight) as follower:
            await run.drive(flight)
            if follower.done():
                follower.result()
        cpu = run.spending.by_group() if run.spending else {}
        others = elsewhere.share(sum(cpu.values())) if target.cluster else None
        memory |= {"end": memory_mb(target), "peak": _peak(target)}
        owners = await run.finish(flight)
    result = _result(run, flight, started, cpu, memory, owners, around)
    return result.model_copy(update={"others_cpu_share": others})


def _schedule(wish: Wish, count: int) -> Any:
    if wish.rate is None or wish.shape.waits:
        return np.zeros(count)
    return intended_seconds(wish.shape.pieces(wish.rate, wish.seconds))


def _spending(target: Target) -> costs.Spending | None:
    cluster = target.cluster
    return costs.Spending(lambda: cluster.state) if cluster else None


def _peak(target: Target) -> dict[str, int]:
    return costs.peak_memory_mb(target.cluster.state.living()) if target.cluster else {}


def _correctness(run: Run, flight: Flight, owners: Owners | None) -> Correctness:
    faults = flight.verdict()
    faults += [f"{day['trade_date']} is not proven: {day['differ'] or day['engine']}" for day in run.closed
               if day["proof"] != "ok"]  # fmt: skip
    invested = owners.found_cents if owners else None
    if owners is not None:
        faults += owners.faults()
        if invested != flight.accepted_cents:
            faults.append(f"{invested} cents are invested of {flight.accepted_cents} that were accepted")
    return Correctness(
        ok=not faults,
        faults=faults,
        lines=flight.sent_lines,
        final_receipts=flight.answered_lines,
        accepted_cents=flight.accepted_cents,
        expected_cents=flight.expected_cents,
        invested_cents=invested,
        repeats_on_the_wire=flight.repeats,
        days=run.closed,
    )


def _kills(run: Run, flight: Flight) -> list[Kill]:
    return [
        Kill(
            second=round(blow.at - run.began, 3),
            worker=blow.worker,
            ready_again_seconds=blow.ready_after,
            worst_latency_ms=measure.worst_after(flight, blow.at, AFTER_KILL_SECONDS),
        )
        for blow in run.blows
    ]


def _result(
    run: Run,
    flight: Flight,
    started: datetime,
    cpu: dict[str, float],
    memory: dict[str, dict[str, int]],
    owners: Owners | None,
    around: dict[str, Any],
) -> LoadResult:
    wish = run.wish
    made = {name: measure.histogram(values) for name, values in measure.delays(flight).items()}
    found = measure.steps(flight, run.began, step_bounds(wish.seconds)) if wish.name == "ramp" else []
    correctness = _correctness(run, flight, owners)
    return LoadResult(
        ok=correctness.ok,
        profile=wish.name,
        shape=wish.own_text,
        rate=wish.rate,
        seconds=wish.seconds,
        participants=wish.participants,
        seed=wish.seed,
        tag=run.crowd.tag,
        started_at=started.isoformat(timespec="seconds"),
        target=run.target.kind,
        latency_from=wish.latency_from,
        offered=measure.offered(flight, open_loop=wish.latency_from == "intended"),
        achieved=measure.achieved(flight),
        latency_ms={name: measure.quantiles(one) for name, one in made.items()},
        histograms={name: _text(one) for name, one in made.items()},
        windows=measure.windows(flight, run.began),
        steps=found,
        knee_per_s=measure.knee(found),
        kills=_kills(run, flight),
        cpu_seconds=cpu,
        cpu_microseconds_per_contribution=costs.microseconds_each(cpu, max(1, flight.answered_lines)),
        memory_mb=memory,
        correctness=correctness,
        environment=around,
    )


def _text(made: Any) -> str:
    encoded = made.encode()
    return encoded.decode() if isinstance(encoded, bytes) else base64.b64encode(encoded).decode()

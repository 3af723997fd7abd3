"""The engine on the same lines: contribution, recorded, allocated; two workers for each step, as Java has threads.

Its input is its own contract, so the lines are said again in it, with the same people, cents, repeats and faults; the
people, their plans, elections and limits are facts that the engine is told first. Money is released at a cut, so the
cut of the date stands in the log behind the lines before the workers start; trading and valuation are held, because
what they do is not part of this job. The engine does more than the peers: receipts, 415(c), compensation limits.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import orjson
import psutil

from deploy.bench import costs
from deploy.bench.store import Progress, open_progress
from deploy.cluster import Cluster
from deploy.cluster.state import ProcessRecord
from deploy.operate import store_day
from deploy.operate.day import Closer
from deploy.operate.target import of_folder
from deploy.wire.outgoing import Outgoing, event
from deploy.wire.publish import open_bulk_publisher
from shared.events import topics
from shared.events.census import Census
from shared.events.fund import FundFact
from shared.events.market import CloseRequested
from shared.events.packed import InstructedBatch
from shared.events.payroll import Contribution
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged
from shared.runtime.clients import open_pool
from shared.values.identity import identity_of
from tests.load.peers import job, people, wire

NAME, TITLE = "engine", "Nestwork: contribution and allocation"
GUARANTEE = "effectively once: position, books and outbox in one database transaction, repeats dropped by sequence"
SOURCE = "/payroll/acme"
EVE, DAY = date(2026, 11, 19), date(2026, 11, 20)
SERVICES, BYSTANDERS = ("contribution", "allocation"), ("trading", "valuation")
WORKERS_EACH = 2
"""The steps follow each other (the cut stands behind the lines), so two processes work at a time, as two threads do."""
SOURCES = ["pre_tax", "roth", "after_tax", "match"]
FUND_OF = {fund: f"{place}_{fund}" for place, fund in enumerate(job.FUNDS)}
"""Ties of a split go to the fund that stands first: by its id here, by its place in the list at the peers."""
WAIT_SECONDS = 180.0
QUIET_SECONDS = 3.0
GOING_ON_SECONDS_MAX = 45.0
LOOK_SECONDS = 0.02
LINES = """
SELECT count(*) AS lines, coalesce(sum(requested - rejected), 0)::bigint AS accepted
FROM journal WHERE trade_date = $1 AND kind = 'line' AND requested > 0"""


@dataclass(frozen=True)
class Wanted:
    """What the lines demand of the engine: by request identity, accepted and rejected cents and the legs."""

    accepted: dict[str, int]
    rejected: dict[str, int]
    legs: dict[str, Counter[tuple[str, str]]]

    @property
    def cents(self) -> int:
        """All accepted cents."""
        return sum(self.accepted.values())


def restated(count: int, seed: int) -> list[tuple[bytes, bytes]]:
    """The peers' lines; a line's id moves from the body to the headers, which is where the engine looks for it."""
    return list(people.messages(count, seed))


def line_id(key: bytes, value: bytes) -> str:
    """The ce_id of a line: its contribution id, or what it begins with when it is cut off."""
    head = value[:200].partition(b'"contribution_id":"')[2].partition(b'"')[0].decode()
    # A spoilt line has the id of no other line: the generator gives each contribution out once.
    return head or f"nameless-{key.decode()}"


def plans_of(messages: list[tuple[bytes, bytes]]) -> dict[str, set[str]]:
    """The plans of everybody who has a line."""
    belongs: dict[str, set[str]] = defaultdict(set)
    for key, value in messages:
        plan = value.partition(b'"plan_id":"')[2].partition(b'"')[0].decode()
        if plan:
            belongs[key.decode()].add(plan)
    return belongs


def head(belongs: dict[str, set[str]]) -> Iterator[tuple[str, Outgoing]]:
    """Funds and plans."""
    for fund in FUND_OF.values():
        yield topics.FUNDS.name, event(fund, FundFact.ce_type, fund, SOURCE, fund_id=fund, share_decimals=3)
    for plan in sorted({plan for plans in belongs.values() for plan in plans}):
        yield topics.PLANS.name, event(
            plan, PlanFact.ce_type, plan, SOURCE, plan_id=plan, sources=SOURCES, default_fund=FUND_OF[job.FUNDS[0]],
            trade_on="file", deferral_overflow="pre_tax_first",
        )  # fmt: skip


def census_and_elections(belongs: dict[str, set[str]]) -> Iterator[tuple[str, Outgoing]]:
    """What the engine must know about everybody."""
    for who, plans in belongs.items():
        elections = [{"fund_id": FUND_OF[fund], "percent": str(weight)} for fund, weight in job.election_of(who)]
        for plan in plans:
            yield topics.PARTICIPANT_CENSUS.name, event(
                who, Census.ce_type, f"{who}:{plan}:census", SOURCE, participant_id=who, plan_id=plan,
                birth_date="1990-03-02", hire_date="2020-01-06",
            )  # fmt: skip
            yield topics.PARTICIPANT_REQUESTS.name, event(
                who, ElectionChanged.ce_type, f"{who}:{plan}:election", SOURCE, participant_id=who, plan_id=plan,
                elections=elections,
            )  # fmt: skip


def wanted(messages: list[tuple[bytes, bytes]]) -> Wanted:
    """Decide the lines again, in their order. Unknown sources are cut alone here, by the house rules of the engine."""
    accepted: dict[str, int] = {}
    rejected: dict[str, int] = {}
    legs: dict[str, Counter[tuple[str, str]]] = {}
    totals: Counter[tuple[str, int]] = Counter()
    for key, value in messages:
        name = identity_of(key.decode(), SOURCE, line_id(key, value)).hex()
        if name in accepted:
            continue
        line, unknown = _readable(value)
        if line is None:
            continue
        decision = job.decide(line, totals[line.participant_id, line.year])
        totals[line.participant_id, line.year] += decision.elective_cents
        accepted[name], rejected[name] = decision.accepted_cents, decision.excess_cents + unknown
        legs[name] = Counter()
        for leg in job.allocated(line, decision):
            legs[name][leg["source"], FUND_OF[leg["fund"]]] += leg["cents"]
    return Wanted(accepted, rejected, legs)


def _readable(value: bytes) -> tuple[job.Contribution | None, int]:
    """A line and the cents of its unknown sources; None for one that the engine refuses as a whole."""
    try:
        return job.parse(value), 0
    except job.Invalid as problem:
        if problem.args[0] != "unknown_source":
            return None, 0
    body = orjson.loads(value)
    unknown = sum(one["cents"] for one in body["amounts"] if one["source"] not in job.SOURCES)
    body["amounts"] = [one for one in body["amounts"] if one["source"] in job.SOURCES]
    if body["amounts"]:
        return job.parse(orjson.dumps(body)), unknown
    empty = {**body, "amounts": [{"source": "match", "cents": 0}]}
    return job.parse(orjson.dumps(empty)), unknown


class EngineBench:
    """One cluster for one test."""

    def __init__(self, cluster: Cluster, progress: Progress) -> None:
        self.cluster, self.progress = cluster, progress
        self.config = of_folder(cluster.folder)

    async def prepare(self, messages: list[tuple[bytes, bytes]]) -> None:
        """Facts, a closed day before, the lines and the cut behind them: then only the workers must start."""
        async with open_bulk_publisher(self.config) as publisher:
            belongs = plans_of(messages)
            await publisher.publish_mixed(head(belongs))
            await publisher.publish_mixed(census_and_elections(belongs))
            await self._close(EVE, built=True)
            for service in SERVICES:
                self._hold(service)
            lines = (Outgoing(key.decode(), value, Contribution.ce_type, line_id(key, value), SOURCE)
                     for key, value in messages)  # fmt: skip
            await publisher.publish(topics.PAYROLL_CONTRIBUTIONS.name, lines)
        await self._close(DAY, built=False)
        for service in BYSTANDERS:
            self._hold(service)

    def _hold(self, service: str) -> None:
        for record in self._workers(service):
            self.cluster.hold(record.name)
            record.identity.send(signal.SIGKILL)

    def _workers(self, *services: str) -> list[ProcessRecord]:
        """The workers of these services as last started."""
        return [record for record in self.cluster.workers() if record.name.rpartition("-")[0] in services]

    def kill(self, service: str) -> None:
        """kill -9 of all workers of a service; the supervisor starts them again."""
        for record in self._workers(service):
            record.identity.send(signal.SIGKILL)

    def release(self) -> None:
        """Start the workers of both services."""
        for record in self._workers(*SERVICES):
            self.cluster.release(record.name)

    async def _close(self, day: date, *, built: bool) -> None:
        async with await open_pool("nestwork_trading", self.config, size=1) as pool:
            closer = Closer(self.config, day, pool, pool, deadline=time.monotonic() + WAIT_SECONDS, tell=lambda _: None)
            await closer.command(CloseRequested, "close")
            await closer.until(lambda: pool.fetchval(store_day.MARKED, "cut", day), "the cut to stand in the logs")
            if built:
                await closer.until(closer.is_decided, "the day before to be closed", "day")

    async def until(self, service: str, entries: int) -> tuple[int, float]:
        """Wait until a service's journal holds this many entries; returns how many, and when it was seen."""
        async with asyncio.timeout(WAIT_SECONDS):
            while (found := await self.progress.entries(service)) < entries:  # noqa: ASYNC110 (a database has no event)
                await asyncio.sleep(LOOK_SECONDS)
        return found, time.time()

    async def grows(self, service: str, seen: int, since: float) -> float:
        """Seconds from ``since`` until a service goes on; 0 when there was nothing left for it to do."""
        ends = time.time() + GOING_ON_SECONDS_MAX
        while time.time() < ends:
            if await self.progress.entries(service) > seen:
                return round(time.time() - since, 1)
            await asyncio.sleep(LOOK_SECONDS)
        return 0.0

    async def drained(self) -> float:
        """Wait until both services are quiet with an empty outbox; when the last instruction became visible."""
        consumer = wire.reader(self.cluster.bootstrap)
        await consumer.start()
        try:
            ends = wire.Ends(consumer, [topics.TRADES_INSTRUCTED.name])
            last, changed = -1, time.time()
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    entries = sum([await self.progress.entries(service) for service in SERVICES])
                    total = await ends.total()
                    if total + entries != last:
                        last, changed = total + entries, time.time()
                    elif time.time() - changed > QUIET_SECONDS and not await self._unpublished():
                        return changed
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            await consumer.stop()

    async def _unpublished(self) -> int:
        return sum([await self.progress.unpublished(service) for service in SERVICES])

    def cpu(self) -> dict[str, float]:
        """CPU seconds of both workers together, of the broker and of PostgreSQL."""
        seconds = costs.cpu_seconds(self.cluster.state)
        workers = sum(self._own(record.pid) for record in self._workers(*SERVICES))
        return {"worker": workers, "broker": seconds["broker"], "postgres": seconds["postgres"]}

    @staticmethod
    def _own(pid: int) -> float:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)


async def open_bench(stack: AsyncExitStack, home: Path, options: dict[str, Any]) -> EngineBench:
    """A fresh cluster."""
    folder = home / f"engine-{int(time.time())}"
    workers = dict.fromkeys(SERVICES, WORKERS_EACH)
    started = await Cluster.start(folder, partitions=wire.PARTITIONS, workers=workers, **options)
    cluster = await stack.enter_async_context(started)
    progress = await open_progress(of_folder(folder))
    stack.push_async_callback(progress.close)
    return EngineBench(cluster, progress)


async def run(home: Path, options: dict[str, Any], count: int, seed: int) -> dict[str, Any]:
    """Drain the backlog once. The lines of the first commit are not counted, as the work on them is not timed."""
    messages = restated(count, seed)
    async with AsyncExitStack() as stack:
        bench = await open_bench(stack, home, options)
        await bench.prepare(messages)
        load, before = os.getloadavg()[0], await bench.progress.entries("contribution")
        servers, released = bench.cpu(), time.time()
        bench.release()
        found, first = await bench.until("contribution", before + 1)
        start = bench.cpu()
        ended = await bench.drained()
        end = bench.cpu()
        finding = await check(bench, wanted(messages))
    done = count - (found - before)
    return {
        "peer": NAME, "test": "drain", "n": count, "seconds": round(ended - first, 3),
        "contributions_per_s": round(done / (ended - first), 1),
        "worker_us": round((end["worker"] - start["worker"]) / done * 1e6, 1),
        "broker_us": round((end["broker"] - servers["broker"]) / count * 1e6, 1),
        "postgres_us": round((end["postgres"] - servers["postgres"]) / count * 1e6, 1),
        "startup_s": round(first - released, 2), "load_before": round(load, 2), **finding,
    }  # fmt: skip


async def kill(home: Path, options: dict[str, Any], count: int, seed: int) -> dict[str, Any]:
    """kill -9 of both workers of each service when it is about 40 % through; the supervisor starts them again."""
    messages, dice = restated(count, seed), random.Random(seed)
    async with AsyncExitStack() as stack:
        bench = await open_bench(stack, home, options)
        await bench.prepare(messages)
        begins = {service: await bench.progress.entries(service) for service in SERVICES}
        bench.release()
        resumed = []
        for service in SERVICES:
            await bench.until(service, begins[service] + int(count * 0.4))
            await asyncio.sleep(dice.uniform(0, 0.12))
            seen, killed = await bench.progress.entries(service), time.time()
            bench.kill(service)
            resumed.append(await bench.grows(service, seen, killed))
        await bench.drained()
        finding = await check(bench, wanted(messages))
    return {"peer": NAME, "test": "kill", "n": count, "resumed_after_s": max(resumed), **finding}


async def check(bench: EngineBench, want: Wanted) -> dict[str, Any]:
    """Receipts, instructions and books against the lines: each once, to the cent."""
    found: Counter[str] = Counter()
    await _receipts(bench.cluster.bootstrap, want, found)
    allocated = await _instructions(bench.cluster.bootstrap, want, found)
    connection = await asyncpg.connect(bench.cluster.database_url("contribution"))
    try:
        books = dict(await connection.fetchrow(LINES, DAY))
    finally:
        await connection.close()
    asked = sum(1 for name, cents in want.accepted.items() if cents + want.rejected[name])
    faults = [name for name in ("lost", "duplicated", "unexpected", "wrong_lines", "receipts_lost",
                                "receipts_duplicated", "receipts_wrong") if found[name]]  # fmt: skip
    if allocated != want.cents:
        faults.append("cents")
    if books["accepted"] != want.cents or books["lines"] < asked:
        faults.append("books")
    return {**found, "expected": len(want.accepted), "cents_lost": want.cents - allocated, "order_deviations": 0,
            "faults": faults, "ok": not faults}  # fmt: skip


class _Request(msgspec.Struct):
    source: str
    id: str


class _Receipt(msgspec.Struct):
    request: _Request
    status: str
    accepted_cents: int
    rejected_cents: int


async def _receipts(bootstrap: str, want: Wanted, found: Counter[str]) -> None:
    decode, answered = msgspec.json.Decoder(_Receipt).decode, {}
    async for record in wire.records(bootstrap, topics.PAYROLL_RECEIPTS.name):
        receipt = decode(record.value)
        if receipt.status in ("duplicate", "held"):
            continue
        name = identity_of(record.key.decode(), receipt.request.source, receipt.request.id).hex()
        receipt_id = dict(record.headers)["ce_id"]
        if name in answered:
            found["receipts_duplicated"] += answered[name] != receipt_id
            continue
        answered[name] = receipt_id
        expected = want.accepted.get(name, 0), want.rejected.get(name)
        found["receipts_wrong"] += receipt.accepted_cents != expected[0]
        found["receipts_wrong"] += expected[1] is not None and receipt.rejected_cents != expected[1]
    found["receipts_lost"] = len(want.accepted.keys() - answered.keys())


async def _instructions(bootstrap: str, want: Wanted, found: Counter[str]) -> int:
    """Compare the legs of every line; returns all cents that were allocated. Repeats on the wire are dropped by seq."""
    newest: dict[tuple[bytes, bytes], int] = defaultdict(int)
    seen: dict[str, Counter[tuple[str, str]]] = {}
    decode = msgspec.json.Decoder(InstructedBatch).decode
    async for record in wire.records(bootstrap, topics.TRADES_INSTRUCTED.name):
        headers = dict(record.headers)
        if "stream" not in headers or not headers["ce_type"].startswith(b"nestwork.trades.instructed"):
            continue
        place, number = (headers["stream"], headers["epoch"]), int(headers["seq"])
        if number <= newest[place]:
            continue
        newest[place] = number
        batch = decode(record.value)
        for cause, sources, funds, cents in zip(batch.causes, batch.sources, batch.funds, batch.cents, strict=True):
            if cause in seen:
                found["duplicated"] += 1
            pairs = [(source, fund) for source in sources for fund in funds]
            legs = seen.setdefault(cause, Counter())
            for pair, part in zip(pairs, cents, strict=True):
                legs[pair] += part
    for name, legs in seen.items():
        if name not in want.legs:
            found["unexpected"] += bool(+legs)
        else:
            found["wrong_lines"] += +legs != +want.legs[name]
    found["lost"] = len({name for name, cents in want.accepted.items() if cents} - seen.keys())
    return sum(legs.total() for legs in seen.values())

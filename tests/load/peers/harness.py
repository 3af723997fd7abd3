"""Runs one peer: fill, start, drain or kill, check. The clock is outside the peer and the same for all.

It starts when the worker reports its first record and stops when the last output became visible to a committed reader.
CPU is that of the worker's process after its first record; broker and database apart.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from deploy.bench import costs
from deploy.cluster import Infrastructure, broker
from tests.load.peers import check, java, job, people, wire

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
OUTPUTS = [job.OUTPUT, job.REJECTS]
LOOK_SECONDS = 0.05
QUIET_SECONDS = 4.0
QUIET_AFTER_KILL_SECONDS = 15.0
"""The dead member's session (10 s) may have to run out before its partitions are given away."""
DRAIN_SECONDS_MAX = 150.0
KILL_AT = 0.4
EXACTLY_ONCE = "effectively once: Kafka transactions end to end"


@dataclass(frozen=True)
class Peer:
    """How a peer is run and what it leaves behind."""

    name: str
    title: str
    guarantee: str
    command: Callable[[Path], list[str]]
    """From the scratch folder to the command line. Raises when it cannot be built here."""
    topics: tuple[str, ...] = ()
    """Beginnings of the names of its own topics."""
    schema: str = ""
    changelog: str = ""
    """With ``{run}`` for what tells one test's groups and stores from the next one's."""
    share: float = 1.0
    """Part of the lines it gets: a slow peer would only make the run long."""


def _java(main: str) -> Callable[[Path], list[str]]:
    return lambda home: [str(broker.java()), "-Xmx1g", "-cp", java.class_path(home), main]


def _faust(_home: Path) -> list[str]:
    return [sys.executable, "-m", "tests.load.peers.faust_each", "worker", "-l", "warn"]


def _quix(home: Path) -> list[str]:
    python = home / "quix" / "bin" / "python"
    if not python.exists():
        raise FileNotFoundError("the environment of Quix Streams is not there")
    return [str(python), "-m", "tests.load.peers.quix_peer"]


PEERS = (
    Peer("kstreams", "Kafka Streams 4.3, exactly_once_v2", EXACTLY_ONCE, _java("peers.KStreamsPeer"),
         ("peer-kstreams",), changelog="peer-kstreams{run}-book-changelog"),
    Peer("jdbc", "Java consumer, JDBC batches of 1,000",
         "effectively once: offsets and outbox in the database transaction, publish position in the Kafka one",
         _java("peers.JdbcPeer"), schema="peer_jdbc"),
    Peer("quix", "Quix Streams 3.28, exactly-once", EXACTLY_ONCE, _quix, ("changelog__peer-quix",),
         changelog="changelog__peer-quix{run}--payroll.contributions--default"),
    Peer("faust_each", "Faust 0.15, a transaction per event",
         "books exactly once; output lost when it dies between commit and send, rejects may repeat",
         _faust, ("peer-faust-each",), schema="peer_faust_each", share=0.15),
)  # fmt: skip


@dataclass
class Worker:
    """A peer's process with what it says."""

    process: asyncio.subprocess.Process
    started: float
    first: float | None = None
    cpu_at_first: float = 0.0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """CPU seconds so far, 0 once it is gone."""
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)

    async def listen(self) -> None:
        """Wait for the line that says when the first record came; everything else is passed on to the log."""
        assert self.process.stdout is not None
        async for text in self.process.stdout:
            if text.startswith(b"FIRST "):
                self.cpu_at_first, self.first = self.cpu, int(text.split()[1]) / 1000

    async def end(self, *, hard: bool = False) -> None:
        """End the process; ``hard`` is kill -9."""
        if self.process.returncode is None:
            self.process.kill() if hard else self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 15)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        for task in self.tasks:
            task.cancel()


class Bench:
    """Kafka and PostgreSQL for the peers, one after the other."""

    def __init__(self, infrastructure: Infrastructure, home: Path) -> None:
        self.infrastructure, self.home = infrastructure, home
        self.bootstrap, self.dsn = infrastructure.bootstrap, infrastructure.url_of("peers")
        self._run = ""
        self._filled: tuple[int, int] | None = None
        self._wanted: check.Expected | None = None

    async def open(self) -> None:
        """Make the database."""
        connection = await asyncpg.connect(self.infrastructure.server_url)
        try:
            await connection.execute("CREATE DATABASE peers")
        finally:
            await connection.close()

    async def fill(self, count: int, seed: int) -> check.Expected:
        """The input, made anew only when it differs from the last one."""
        if self._filled != (count, seed) or self._wanted is None:
            async with wire.Topics(self.bootstrap) as topics:
                await topics.recreate([job.INPUT])
            await wire.fill(self.bootstrap, job.INPUT, list(people.messages(count, seed)))
            self._filled, self._wanted = (count, seed), await check.expected(self.bootstrap)
        return self._wanted

    async def reset(self, peer: Peer) -> None:
        """No outputs, no state, an empty schema, and group names that nobody has used."""
        self._run = f"-{time.time_ns() // 1_000_000}"
        async with wire.Topics(self.bootstrap) as topics:
            await topics.delete(await topics.named(peer.topics))
            await topics.recreate(OUTPUTS)
        state = self.home / "state" / peer.name
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        if not peer.schema:
            return
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(f"DROP SCHEMA IF EXISTS {peer.schema} CASCADE; CREATE SCHEMA {peer.schema};")
            await connection.execute(f"SET search_path = {peer.schema};" + (HERE / "data/schema.sql").read_text())
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    async def start(self, peer: Peer) -> Worker:
        """Start the peer's process in a session of its own."""
        environment = os.environ | {
            "BOOTSTRAP": self.bootstrap, "PG_DSN": self.dsn, "PG_SCHEMA": peer.schema, "PYTHONPATH": str(ROOT),
            "PEER_RUN": self._run, "STATE_DIR": str(self.home / "state" / peer.name),
            "JOB_DATA": str(HERE / "data" / "job.json"),
        }  # fmt: skip
        command = await asyncio.to_thread(peer.command, self.home)
        with (self.home / f"{peer.name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True
            )
        worker = Worker(process, time.time())
        worker.tasks.append(asyncio.create_task(worker.listen()))
        return worker

    async def books(self, peer: Peer) -> dict[str, int]:
        """What the peer wrote down."""
        if peer.schema:
            return await check.books_in_database(self.dsn, peer.schema)
        return await check.books_in_changelog(self.bootstrap, peer.changelog.format(run=self._run))

    async def finding(self, peer: Peer, wanted: check.Expected) -> dict[str, Any]:
        """Outputs and books against the input."""
        found = await check.check_outputs(self.bootstrap, wanted)
        return check.verdict(found, await self.books(peer), wanted)


async def drain(
    bench: Bench, worker: Worker, *, quiet: float, until: int | None = None, flowing: bool = False
) -> tuple[float, float, dict[str, float]]:
    """Wait until nothing new became visible for ``quiet`` seconds (or ``until`` records are there).

    Returns when the last change was seen, the worker's CPU then, and that of the servers. ``flowing``: outputs began
    before, so silence from the start counts too.
    """
    consumer = wire.reader(bench.bootstrap)
    await consumer.start()
    try:
        ends = wire.Ends(consumer, OUTPUTS)
        begin = last = await ends.total()
        changed, cpu, servers = (time.time() if flowing else None), worker.cpu, _servers(bench)
        deadline = time.time() + DRAIN_SECONDS_MAX
        while time.time() < deadline:
            if worker.process.returncode is not None:
                raise RuntimeError(f"the worker ended by itself with {worker.process.returncode}; see its log")
            total, now = await ends.total(), time.time()
            if total != last:
                last, changed, cpu, servers = total, now, worker.cpu, _servers(bench)
                if until is not None and total - begin >= until:
                    break
            elif changed is not None and now - changed > quiet:
                break
            await asyncio.sleep(LOOK_SECONDS if until is None else 0.005)
        else:
            raise RuntimeError(f"not drained within {DRAIN_SECONDS_MAX:.0f} s")
        return changed or time.time(), cpu, servers
    finally:
        await consumer.stop()


def _servers(bench: Bench) -> dict[str, float]:
    seconds = costs.cpu_seconds(bench.infrastructure.state)
    return {"broker": seconds["broker"], "postgres": seconds["postgres"]}


async def run(bench: Bench, peer: Peer, count: int, seed: int) -> dict[str, Any]:
    """Drain the backlog once."""
    wanted = await bench.fill(count, seed)
    await bench.reset(peer)
    load, before = os.getloadavg()[0], _servers(bench)
    worker = await bench.start(peer)
    try:
        ended, cpu, servers = await drain(bench, worker, quiet=QUIET_SECONDS)
        first = worker.first
        if first is None:
            raise RuntimeError("the worker did not say when its first record came")
    finally:
        await worker.end()
    found = await bench.finding(peer, wanted)
    return {
        "peer": peer.name, "test": "drain", "n": count, "seconds": round(ended - first, 3),
        "contributions_per_s": round(count / (ended - first), 1),
        "worker_us": round((cpu - worker.cpu_at_first) / count * 1e6, 1),
        "broker_us": round((servers["broker"] - before["broker"]) / count * 1e6, 1),
        "postgres_us": round((servers["postgres"] - before["postgres"]) / count * 1e6, 1),
        "startup_s": round(first - worker.started, 2), "load_before": round(load, 2), **found,
    }  # fmt: skip


async def kill(bench: Bench, peer: Peer, count: int, seed: int) -> dict[str, Any]:
    """kill -9 when about 40 % of the outputs are out, one restart on the same state, then the checker."""
    wanted = await bench.fill(count, seed)
    await bench.reset(peer)
    worker = await bench.start(peer)
    try:
        await drain(bench, worker, quiet=QUIET_SECONDS, until=int(count * KILL_AT))
        await asyncio.sleep(random.Random(seed).uniform(0, 0.12))  # Not always right after a commit.
        await worker.end(hard=True)
        killed = time.time()
        worker = await bench.start(peer)
        async with asyncio.timeout(90):
            while worker.first is None and worker.process.returncode is None:  # noqa: ASYNC110 (nor has a process)
                await asyncio.sleep(LOOK_SECONDS)
        resumed = (worker.first or time.time()) - killed
        await drain(bench, worker, quiet=QUIET_AFTER_KILL_SECONDS, flowing=True)
    finally:
        await worker.end()
    found = await bench.finding(peer, wanted)
    return {"peer": peer.name, "test": "kill", "n": count, "resumed_after_s": round(resumed, 1), **found}

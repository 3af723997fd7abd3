"""One payday on a real cluster, undisturbed or with faults, and everything that can be compared afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from deploy.cluster import Cluster
from deploy.cluster.launch import require_state
from deploy.operate.proof import prove
from deploy.operate.state_hash import StateHash, state_hash
from deploy.scenarios.filerun import FileRun
from deploy.scenarios.runner import run_files
from shared.runtime.settings import Settings
from tests.support.chaos_guards import FOLDER_VARIABLE
from tests.support.chaos_payday import DATES
from tests.support.chaos_proxy import LossyProxy
from tests.support.chaos_public import complaints, resend_to_wrong_partitions
from tests.support.chaos_wishes import Wishes

SERVICES = ("contribution", "allocation", "trading", "valuation")
SMALL = {"shared_buffers": "'64MB'"}
STRAYS = 12


@dataclass
class Run:
    """A run as a fault sees it, and what it came to."""

    wishes: Wishes
    cluster: Cluster | None = None
    days: list[dict[str, Any]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    books: StateHash | None = None
    unproven: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a fault saw."""
    obeyed: list[str] = field(default_factory=list)
    """Points at which workers were killed or frozen."""
    published: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first day's lines were published and answered."""
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by a fault that has seen all it needs: the rest of the payday is not waited for."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a fault go on while the day does; it ends with the run."""
        self.tasks.append(asyncio.create_task(_beside(work, self)))

    @property
    def running(self) -> Cluster:
        """The cluster, once it runs."""
        assert self.cluster is not None
        return self.cluster

    @property
    def settings(self) -> Settings:
        """What points a client at this run's servers."""
        return Settings(**self.running.environment())  # type: ignore[arg-type]

    def departures(self, undisturbed: Run) -> list[str]:
        """Everything in which this run differs from one without faults; empty when the faults left no trace."""
        found = [*self.differences, *self.unproven, *self.complaints]
        if self.books is None or undisturbed.books is None:
            return [*found, "the last day was not reached"]
        found += [f"books differ: {table}" for table in self.books.differing_tables(undisturbed.books)]
        if self.days != undisturbed.days:
            found.append("the published final state differs")
        return found


Disturb = Callable[[Run, date, str], Awaitable[None]]
"""Called as each day passes ``published``, ``closed``, ``valued`` and ``compared``."""
Background = Callable[[Run], Coroutine[Any, Any, None]]
"""Runs beside the whole payday, and is ended with it."""


async def run_payday(
    file: Path,
    *,
    workers: int = 1,
    partitions: int = 4,
    environment: Mapping[str, str] | None = None,
    disturb: Disturb | None = None,
    background: Background | None = None,
    through: LossyProxy | None = None,
    wait_seconds: float = 90.0,
) -> Run:
    """Run a payday file and collect its outcome; a run that does not end well has ``differences``.

    ``environment`` reaches every worker; with ``through`` they reach the database by that proxy.
    """
    with tempfile.TemporaryDirectory(prefix="nestwork-chaos-", ignore_cleanup_errors=True) as folder:
        run = Run(Wishes(Path(folder)))

        async def start(place: Path, partitions: int, workers: int, actions: Path) -> Cluster:
            given = {FOLDER_VARIABLE: folder, **(environment or {})}
            if through is not None:
                through.target = lambda: ("127.0.0.1", require_state(place).ports["postgres"])
                given |= {"DATABASE_URL": through.url, "DATABASE_PASSWORD_FILE": str(place / "postgres" / "password")}
            run.cluster = await Cluster.start(
                place, partitions=partitions, workers=dict.fromkeys(SERVICES, workers), custodian_actions=actions,
                postgres_settings=SMALL, worker_module="tests.chaos.entry.{service}",
                extra_env=given,
            )  # fmt: skip
            if through is not None:
                through.is_losing = True
            if background is not None:
                run.beside(background(run))
            return run.cluster

        async def on_day(day: date, phase: str) -> None:
            await _on_day(run, disturb, day, phase)

        try:
            found = await _unless_enough(
                run,
                run_files(
                    [file], workers=workers, partitions=partitions, cluster_factory=start, on_day=on_day,
                    wait_seconds=wait_seconds,
                ),
            )  # fmt: skip
        finally:
            await _end(run)
        run.obeyed = sorted({".".join(file.name.split(".")[:2]) for file in Path(folder).glob("*.done")})
    for one in found:
        run.days = one.days
        run.differences += [str(difference) for difference in one.differences]
    return run


async def _unless_enough(run: Run, files: Coroutine[Any, Any, list[FileRun]]) -> list[FileRun]:
    """The files' results, or none when a fault has seen enough before."""
    running, enough = asyncio.create_task(files), asyncio.create_task(run.enough.wait())
    await asyncio.wait({running, enough}, return_when=asyncio.FIRST_COMPLETED)
    enough.cancel()
    if running.done():
        return running.result()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return []


async def _on_day(run: Run, disturb: Disturb | None, day: date, phase: str) -> None:
    if day.isoformat() not in DATES:
        return
    if phase == "published":
        if day.isoformat() == DATES[0]:
            await resend_to_wrong_partitions(run.settings, STRAYS)
        run.published.set()
    if disturb is not None:
        await disturb(run, day, phase)
    if (day.isoformat(), phase) == (DATES[-1], "compared"):
        await _end(run)
        run.wishes.withdraw()
        await run.running.wait_ready(timeout=120)
        await _collect(run)


async def _end(run: Run) -> None:
    """End the faults that still go on."""
    while run.tasks:
        task = run.tasks.pop()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _beside(work: Coroutine[Any, Any, None], run: Run) -> None:
    try:
        await work
    except Exception as failure:
        run.differences.append(f"the fault itself failed: {failure!r}")


async def _collect(run: Run) -> None:
    """Read the books, prove each day independently, judge the public topics."""
    for text in DATES:
        proof, *_ = await prove(run.settings, date.fromisoformat(text))
        run.unproven += [f"{text}: {equation}" for equation in proof.equations if not equation.ok]
        run.unproven += [f"{text}: {name}" for name in proof.engine_broken]
    run.complaints = await complaints(run.settings)
    run.books = await state_hash(run.settings)

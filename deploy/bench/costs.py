"""What a run costs: CPU seconds and peak memory of every process of the cluster, and of the bench itself."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.cluster import Infrastructure
from deploy.cluster.processes import ProcessIdentity
from deploy.cluster.state import ProcessRecord, State

BENCH, BROKER, POSTGRES, SUPERVISOR = "bench", "broker", "postgres", "supervisor"
CLIENT = "client"
_BACKEND = re.compile(r"^postgres: \S+ nestwork_(\w+) ")


def group_of(record: ProcessRecord) -> str:
    """The process group a process is counted in: its service, or what it is."""
    return record.name.rpartition("-")[0] if record.kind == "worker" else record.kind


def cpu_seconds(state: State) -> dict[str, float]:
    """CPU seconds used so far, by process group; PostgreSQL with all its backends, also those that ended."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for (group, _), spent in _by_process(state).items():
        seconds[group] += spent
    return seconds


def _by_process(state: State) -> dict[tuple[str, ProcessIdentity], float]:
    """CPU seconds of each process that lives, with its group."""
    seconds = {}
    for record in [*state.processes.values(), state.supervisor]:
        try:
            process = psutil.Process(record.pid)
            spent = _with_children(process) if record.kind == POSTGRES else _own(process)
        except psutil.NoSuchProcess:
            continue
        seconds[group_of(record), record.identity] = spent
    seconds[BENCH, ProcessIdentity(os.getpid(), "")] = _own(psutil.Process(os.getpid()))
    return seconds


class Spending:
    """CPU seconds from now on, also of processes that are killed meanwhile and of those started in their place.

    A process counts from its own zero. One that died counts as far as it was last looked at: who kills looks first.
    """

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state
        self._before = _by_process(state())
        self._latest = dict(self._before)

    def look(self) -> None:
        """Note what every living process has used."""
        self._latest |= _by_process(self._state())

    def by_group(self) -> dict[str, float]:
        """CPU seconds since the start, by process group."""
        self.look()
        seconds: defaultdict[str, float] = defaultdict(float)
        for process, spent in self._latest.items():
            seconds[process[0]] += spent - self._before.get(process, 0.0)
        return {group: round(seconds[group], 3) for group in sorted(seconds)}


def backend_seconds(state: State) -> dict[str, float]:
    """CPU seconds of PostgreSQL's living processes, by the service they work for (``server`` for its own)."""
    seconds: defaultdict[str, float] = defaultdict(float)
    postmaster = state.processes.get(POSTGRES)
    if postmaster is None:
        return seconds
    for process in psutil.Process(postmaster.pid).children(recursive=True):
        try:
            found = _BACKEND.match(" ".join(process.cmdline()) + " ")
            seconds[found[1] if found else "server"] += _own(process)
        except psutil.NoSuchProcess:
            continue
    return seconds


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _with_children(process: psutil.Process) -> float:
    times = process.cpu_times()
    ended = float(times.children_user + times.children_system)
    return _own(process) + ended + sum(_own(child) for child in process.children(recursive=True))


def peak_memory_mb(records: Iterable[ProcessRecord]) -> dict[str, int]:
    """Peak resident memory of each living process in MB; the present one where the system keeps no peak."""
    found = {}
    for record in records:
        try:
            found[record.name] = _peak_bytes(record.pid) // 2**20
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
    return found


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return int(psutil.Process(pid).memory_info().rss)
    kilobytes = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) * 1024


def used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds between two readings."""
    return {group: round(after[group] - before.get(group, 0.0), 3) for group in sorted(after)}


def microseconds_each(seconds: Mapping[str, float], count: int) -> dict[str, float]:
    """CPU microseconds per contribution, by process group."""
    return {group: round(spent / count * 1e6, 1) for group, spent in seconds.items()}


class Meter:
    """Time and CPU of a measurement's client, this process, while it runs, and the CPU of the server it speaks to."""

    def __init__(self, cluster: Infrastructure, server: str) -> None:
        self._cluster, self._server = cluster, server
        self._before = cpu_seconds(cluster.state)[server]
        self.seconds = 0.0
        self._client = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """What happens inside counts; more than one block adds up."""
        began, used_before = time.monotonic(), time.process_time()
        try:
            yield
        finally:
            self._client += time.process_time() - used_before
            self.seconds += time.monotonic() - began

    def cpu_seconds(self) -> dict[str, float]:
        """CPU of the client inside the blocks, and of the server since the meter was made: it does nothing else."""
        server = cpu_seconds(self._cluster.state)[self._server] - self._before
        return {CLIENT: round(self._client, 3), self._server: round(server, 3)}

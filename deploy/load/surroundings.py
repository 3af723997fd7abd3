"""What a figure means nothing without: the machine, its load, the versions and settings it was measured with."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from deploy.cluster.jars import KAFKA_VERSION
from deploy.load.target import Target
from shared.runtime.clients import connect

SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
PACKAGES = ("nestwork", "aiokafka", "asyncpg", "faust-streaming", "msgspec", "orjson")


async def surroundings(target: Target) -> dict[str, Any]:
    """The environment block of a result. Names no host and no path."""
    connection = await connect("postgres", target.config)
    try:
        database = {name: await connection.fetchval("SELECT current_setting($1)", name) for name in SETTINGS}
    finally:
        await connection.close()
    workers = [record.name for record in target.cluster.workers()] if target.cluster else []
    return {
        "cpus": os.cpu_count(),
        "cpu_model": cpu_model(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "kafka": KAFKA_VERSION if target.kind == "own" else "as given",
        "postgres": database,
        "partitions": target.partitions,
        "workers": workers,
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def cpu_model() -> str:
    cpus = Path("/proc/cpuinfo")
    if not cpus.exists():
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in cpus.read_text().splitlines() if "model name" in line), "")


def memory_mb(target: Target) -> dict[str, int]:
    """Resident memory by process in MB now; empty when the processes are not on this machine."""
    found = {}
    for record in target.cluster.state.living() if target.cluster else []:
        try:
            found[record.name] = int(psutil.Process(record.pid).memory_info().rss) // 2**20
        except psutil.NoSuchProcess:
            continue
    return found


class OtherWork:
    """CPU time of the machine that does not go to the run: what is not within its process groups' seconds."""

    def __init__(self) -> None:
        self._before, self._began = _busy_seconds(), time.monotonic()

    def share(self, ours: float) -> float:
        """The part of all processors' time since the start that went to others, with ``ours`` the run's CPU seconds."""
        whole = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        return float(round(max(0.0, _busy_seconds() - self._before - ours) / whole, 3))


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    left_out = ("idle", "iowait", "guest", "guest_nice")  # A guest's time is counted as a user's already.
    return float(sum(times) - sum(getattr(times, name, 0.0) for name in left_out))

"""Let the workers of an embedded cluster rest while its databases are changed; Kafka, PostgreSQL and the rest go on."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from deploy.cluster import processes
from deploy.cluster.errors import ClusterError
from deploy.cluster.launch import answers, require_state
from deploy.cluster.state import ProcessRecord
from deploy.operate.target import NoCluster, OperatorError

PAUSED_KINDS = ("worker", "intake")
"""Whoever holds sessions in the services' databases."""
STOP_SECONDS, READY_SECONDS = 60.0, 120.0
WATCH_SECONDS = 0.2


def pause(folder: Path) -> list[str]:
    """End all workers and the intake and let none come back; returns their names."""
    records = _paused(folder)
    for record in records:
        (folder / "hold" / record.name).touch()
        if record.identity.alive():
            record.identity.send(signal.SIGTERM)
    processes.wait_gone([record.identity for record in records], STOP_SECONDS)
    left = [record.name for record in records if record.identity.alive()]
    if left:
        raise OperatorError(f"still there after {STOP_SECONDS:.0f} s: {', '.join(left)}")
    return [record.name for record in records]


def resume(folder: Path) -> list[str]:
    """Let the supervisor start them again and wait until they are ready; returns their names."""
    names = [record.name for record in _paused(folder)]
    for name in names:
        (folder / "hold" / name).unlink(missing_ok=True)
    deadline = time.monotonic() + READY_SECONDS
    while waiting := [record.name for record in _paused(folder) if not _is_back(record)]:
        if time.monotonic() > deadline:
            raise OperatorError(f"not ready after {READY_SECONDS:.0f} s: {', '.join(waiting)}; see their logs")
        time.sleep(WATCH_SECONDS)
    return names


def _is_back(record: ProcessRecord) -> bool:
    return record.identity.alive() and answers(record, brokers=1)


def _paused(folder: Path) -> list[ProcessRecord]:
    try:
        state = require_state(folder)
    except ClusterError as problem:
        raise NoCluster(str(problem)) from None
    return [record for record in state.processes.values() if record.kind in PAUSED_KINDS]

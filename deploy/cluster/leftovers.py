"""Ending what a cluster left running, from its recorded state: after a crash, or to make sure after a stop."""

from __future__ import annotations

import signal

from deploy.cluster import processes
from deploy.cluster.state import State

BUSY_EXIT = 3  # How a supervisor ends when another one owns the folder.
WORKER_STOP_SECONDS = 12.0


def end_leftovers(state: State) -> None:
    """End what a crashed supervisor left running: recorded processes, and those that carry the cluster's id."""
    by_kind: dict[str, list[processes.ProcessIdentity]] = {}
    for record in state.living():
        by_kind.setdefault(record.kind, []).append(record.identity)
    workers = [one for kind in ("intake", "worker", "custodian") for one in by_kind.get(kind, [])]
    processes.stop(workers, signal.SIGTERM, timeout=WORKER_STOP_SECONDS)
    processes.stop(by_kind.get("broker", []), signal.SIGTERM, timeout=15.0)
    processes.stop(by_kind.get("postgres", []), signal.SIGINT, timeout=15.0)
    processes.stop(processes.members(state.cluster_id), signal.SIGTERM, timeout=5.0)

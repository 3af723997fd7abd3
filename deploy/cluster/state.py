"""What is known about a cluster from outside: one JSON file, written by the supervisor only, always whole."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from deploy.cluster.errors import StateUnreadable
from deploy.cluster.processes import ProcessIdentity

STATE_FILE = "cluster.json"
Phase = Literal["starting", "running", "failed", "stopping", "stopped"]


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process of the cluster as last started."""

    name: str
    kind: str
    pid: int
    birth: str
    log: str
    port: int | None = None
    restarts: int = 0

    @property
    def identity(self) -> ProcessIdentity:
        """The process itself, safe against a recycled pid."""
        return ProcessIdentity(self.pid, self.birth)

    @property
    def url(self) -> str | None:
        """Base URL of its web pages, for what has pages."""
        return f"http://127.0.0.1:{self.port}" if self.kind in ("worker", "intake") else None


@dataclass(frozen=True, slots=True)
class State:
    """A cluster: who supervises it, how to reach it, which processes it has."""

    cluster_id: str
    supervisor: ProcessRecord
    phase: Phase = "starting"
    message: str = ""
    bootstrap: str = ""
    database_url: str = ""
    marker_key_file: str = ""
    partitions: int = 8
    market_mode: str = "off"
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, ProcessRecord] = field(default_factory=dict)

    def living(self) -> list[ProcessRecord]:
        """The recorded processes that still run (the supervisor not among them)."""
        return [record for record in self.processes.values() if record.identity.alive()]

    def with_process(self, record: ProcessRecord) -> State:
        """The same cluster with one process added or replaced."""
        return replace(self, processes={**self.processes, record.name: record})


def read_state(folder: Path) -> State | None:
    """The state of the cluster in a folder, or None when there never was one. Raises ``StateUnreadable``."""
    file = folder / STATE_FILE
    try:
        return _state(json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise StateUnreadable(f"{file} can't be read: {problem.strerror or problem}") from problem
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise StateUnreadable(
            f"{file} does not describe a cluster; if none of it runs any more, remove that file"
        ) from problem


def _state(document: dict[str, Any]) -> State:
    document["supervisor"] = ProcessRecord(**document["supervisor"])
    document["processes"] = {name: ProcessRecord(**record) for name, record in document["processes"].items()}
    return State(**document)


def write_state(folder: Path, state: State) -> None:
    """Replace the state file in one step; it holds a password in its URL, so only the owner may read it."""
    arriving = folder / f".{STATE_FILE}.{os.getpid()}"
    descriptor = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(state), file, indent=1)
    arriving.replace(folder / STATE_FILE)

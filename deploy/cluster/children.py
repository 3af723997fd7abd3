"""One supervised process: how it is started, whether it is ready, when it may be started again."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.cluster import processes
from deploy.cluster.state import ProcessRecord

QUICK_DEATH_SECONDS = 5.0
BACK_OFF_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(slots=True)
class Child:
    """A process the supervisor owns, through all its restarts."""

    name: str
    kind: str  # broker, postgres, worker or custodian
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    folder: Path
    port: int | None
    is_ready: Callable[[int], bool]
    user: int | None = None
    group: int | None = None
    restarts: int = 0
    quick_deaths: int = 0
    started_at: float = 0.0
    not_before: float = 0.0
    last_status: int | None = None  # Exit status of the latest death; below 0 the signal that caused it.
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    birth: str = ""

    def start(self) -> ProcessRecord:
        """Start the process and say what to record about it."""
        self.process = processes.start(
            self.command,
            log=self.log,
            environment=self.environment,
            folder=self.folder,
            user=self.user,
            group=self.group,
        )
        self.started_at = time.monotonic()
        identity = processes.ProcessIdentity.of(self.process.pid)
        self.birth = identity.birth if identity else ""
        return self.record()

    def record(self) -> ProcessRecord:
        """What the state file says about the process as last started."""
        pid = self.process.pid if self.process else 0
        return ProcessRecord(self.name, self.kind, pid, self.birth, str(self.log), self.port, self.restarts)

    def has_ended(self) -> bool:
        """Whether the process ended (and reap it)."""
        return self.process is None or self.process.poll() is not None

    def ready(self) -> bool:
        """Whether the running process can serve."""
        return not self.has_ended() and self.process is not None and self.is_ready(self.process.pid)

    def note_death(self) -> None:
        """Decide when it may start again: at once, but ever later while it dies soon after each start."""
        lived = time.monotonic() - self.started_at
        self.last_status = self.process.returncode if self.process else None
        self.quick_deaths = self.quick_deaths + 1 if lived < QUICK_DEATH_SECONDS else 0
        step = min(max(self.quick_deaths - 1, 0), len(BACK_OFF_SECONDS) - 1)
        self.not_before = time.monotonic() + BACK_OFF_SECONDS[step]
        self.process = None
        self.restarts += 1


def answers_readyz(port: int) -> bool:
    """Whether the web pages on this loopback port answer /readyz with 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False

"""Starting, recognising and ending operating-system processes: never by name, never a recycled pid."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PORT_RANGE = range(20_000, 32_000)  # Below the usual ephemeral range: no outgoing connection can take a port we gave.
CLUSTER_VARIABLE = "NESTWORK_CLUSTER_ID"
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    birth: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The identity of a running process, or None when there is none (a zombie counts as none)."""
        birth = _birth(pid)
        return cls(pid, birth) if birth else None

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return _birth(self.pid) == self.birth

    def send(self, number: int) -> bool:
        """Send a signal to this very process; False when it is gone."""
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def _birth(pid: int) -> str:
    """When the process was born, exact to the clock tick; empty when it is gone or a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            return "" if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
        except (OSError, IndexError):
            return ""
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return ""


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return "boot"


def start(  # One call describes one process completely; splitting it would only spread the description.
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
    user: int | None = None,
    group: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own (a terminal's Ctrl-C does not reach it), output appended to ``log``."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=[] if user is not None else None,
        )


def stop(identities: Sequence[ProcessIdentity], number: int = signal.SIGTERM, *, timeout: float = 10.0) -> None:
    """Signal these processes, wait for their end, and kill what is left after ``timeout`` seconds."""
    for identity in identities:
        identity.send(number)
    if not wait_gone(identities, timeout):
        for identity in identities:
            identity.send(signal.SIGKILL)
        wait_gone(identities, 5.0)


def wait_gone(identities: Sequence[ProcessIdentity], timeout: float) -> bool:
    """Wait until none of these processes runs; False when some still do after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while any(identity.alive() for identity in identities):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def members(cluster_id: str) -> list[ProcessIdentity]:
    """Our own user's processes that carry the random id of a cluster in their environment (crash clean-up)."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(CLUSTER_VARIABLE) == cluster_id
        except (psutil.Error, OSError):
            continue
        identity = ProcessIdentity.of(process.pid) if marked and process.pid != os.getpid() else None
        if identity is not None:
            found.append(identity)
    return found


def free_ports(count: int, preferred: Sequence[int] = ()) -> list[int]:
    """``count`` different loopback ports nobody listens on now; the preferred ones when they are all free."""
    if len(preferred) == count and all(_is_free(port) for port in preferred):
        return list(preferred)
    chosen: list[int] = []
    while len(chosen) < count:
        port = random.choice(PORT_RANGE)
        if port not in chosen and _is_free(port):
            chosen.append(port)
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"

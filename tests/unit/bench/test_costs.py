"""CPU of processes that come and go."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from deploy.bench.costs import Spending, cpu_seconds, used
from deploy.cluster.processes import ProcessIdentity
from deploy.cluster.state import ProcessRecord, State

BUSY = "import sys, time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\nsys.stdin.read()"


@contextmanager
def a_worker_that_has_worked() -> Iterator[State]:
    """A cluster of one worker, which used a third of a second of CPU; it is killed when the block ends."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        record = ProcessRecord("contribution-0", "worker", identity.pid, identity.birth, "")
        yield State("test", ProcessRecord("supervisor", "supervisor", 0, "", "")).with_process(record)
        process.kill()


def test_a_worker_that_is_killed_and_started_again_adds_up() -> None:
    with a_worker_that_has_worked() as state:
        states = [state]
        spending = Spending(lambda: states[-1])
        before = cpu_seconds(state)["contribution"]
        spending.look()
    with a_worker_that_has_worked() as state:
        states.append(state)
        spent = spending.by_group()
        assert spent["contribution"] >= 0.2  # The system counts in hundredths.
        assert spent["contribution"] < before + 0.3  # What the first had used before is not counted.


def test_what_a_worker_used_before_its_death_is_kept() -> None:
    idle = State("test", ProcessRecord("supervisor", "supervisor", 0, "", ""))
    states = [idle]
    spending = Spending(lambda: states[-1])
    with a_worker_that_has_worked() as state:
        states.append(state)
        spending.look()
    assert not psutil.pid_exists(state.processes["contribution-0"].pid)
    assert spending.by_group()["contribution"] >= 0.2  # The system counts in hundredths.
    assert "contribution" not in used({}, cpu_seconds(state))

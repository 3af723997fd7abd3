"""The one parent of a cluster's processes: ``python -m deploy.cluster.supervisor`` with a spec line on standard input.

It starts everything in order, starts again what dies, and ends everything when told to (SIGTERM) or, for a tied
cluster, when its standard input closes because the process that asked for the cluster is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from deploy.cluster import broker, jars, layout, postgres, processes, standby
from deploy.cluster.children import Child
from deploy.cluster.errors import ClusterError, StartFailed
from deploy.cluster.leftovers import BUSY_EXIT, WORKER_STOP_SECONDS, end_leftovers
from deploy.cluster.spec import SERVICES, ClusterSpec
from deploy.cluster.state import Phase, ProcessRecord, State, read_state, write_state

TICK_SECONDS = 0.02
INFRASTRUCTURE_TIMEOUT_SECONDS = 180.0
QUICK_DEATHS_MAX = 3  # While starting; later a process is tried again for ever, ever more slowly.


class Stopping(Exception):
    """Somebody asked the supervisor to end; not an error."""


class Supervisor:
    """A cluster from start to stop; the only writer of its state file."""

    def __init__(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.children: list[Child] = []
        self.stop_requested = False
        self.input_open = spec.tied
        self.hold_folder = spec.path / "hold"
        earlier = read_state(spec.path)
        if earlier is not None:
            end_leftovers(earlier)
        identity = processes.ProcessIdentity.of(os.getpid())
        log = str(spec.path / "log" / "supervisor.log")
        me = ProcessRecord("supervisor", "supervisor", os.getpid(), identity.birth if identity else "", log)
        self.state = State(
            cluster_id=spec.cluster_id,
            supervisor=me,
            partitions=spec.partitions,
            market_mode=spec.market_mode,
            ports=layout.choose_ports(spec, earlier.ports if earlier else {}),
        )
        self.clear_holds()
        self.save()

    def save(self) -> None:
        """Publish the state."""
        write_state(self.spec.path, self.state)

    def set_phase(self, phase: Phase, message: str = "") -> None:
        """Move to another phase and publish it."""
        self.state = replace(self.state, phase=phase, message=message)
        self.save()

    def clear_holds(self) -> None:
        """Forget which processes an earlier run was told to leave dead."""
        self.hold_folder.mkdir(exist_ok=True)
        for file in self.hold_folder.iterdir():
            file.unlink()

    def run(self) -> int:
        """Start, watch, stop. Returns the exit status of the supervisor."""
        try:
            self.start_infrastructure()
            self.start_services()
            self.set_phase("running")
            while True:
                self.tick()
        except Stopping:
            self.stop_all()
            self.set_phase("stopped")
            return 0
        except ClusterError as problem:
            self.stop_all()
            self.set_phase("failed", str(problem))
            return 1
        except BaseException:
            self.stop_all()
            self.set_phase("failed", "the supervisor broke; see its log")
            raise

    # -- starting ---------------------------------------------------------------------------------------------------

    def start_infrastructure(self) -> None:
        """Start Kafka and PostgreSQL, side by side, unless real ones are given."""
        spec = self.spec
        bootstrap, database_url = spec.external_bootstrap, spec.external_database_url
        started: list[Child] = []
        if not bootstrap:
            uuid = kafka_cluster_uuid(spec.path)
            nodes = layout.broker_children(spec, self.state.ports, jars.class_path(offline=True), uuid)
            bootstrap = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
            started += nodes
            for node in nodes:
                self.start(node)
        if not database_url:
            server = postgres.Postgres(spec.path / standby.FIRST, self.state.ports[standby.FIRST])
            server.prepare(**spec.postgres_settings)
            child = layout.postgres_child(spec, server)
            database_url = server.url()
            started.append(child)
            self.start(child)
        self.state = replace(self.state, bootstrap=bootstrap, database_url=database_url)
        self.wait_ready(started, max(INFRASTRUCTURE_TIMEOUT_SECONDS, spec.ready_timeout_seconds))
        if spec.standby and not spec.external_database_url:
            self.start_standby()

    def start_standby(self) -> None:
        """Copy the first PostgreSQL, let the copy follow it, and lose no commit from now on when the first dies."""
        pair = standby.Pair.in_folder(self.spec.path, self.state.ports)
        standby.follow(pair.first, pair.second, self.spec.postgres_settings)
        child = layout.postgres_child(self.spec, pair.second, standby.SECOND)
        self.start(child)
        self.wait_ready([child], INFRASTRUCTURE_TIMEOUT_SECONDS)
        standby.wait_streaming(pair.first)
        self.state = replace(self.state, database_url=pair.url())

    def start_services(self) -> None:
        """Prepare databases and topics, then start the custodian and the workers and wait for all of them."""
        spec = self.spec
        environment = layout.shared_environment(spec, self.state.bootstrap, self.state.database_url)
        key_file = environment.get("NESTWORK_MARKER_KEY_FILE", "")
        self.state = replace(self.state, marker_key_file=key_file)
        if not spec.workers and not spec.custodian:
            return
        self.prepare(environment)
        workers = layout.worker_children(spec, self.state.ports, environment)
        if spec.custodian:
            workers.append(layout.custodian_child(spec, environment))
        if spec.intake:
            workers.append(layout.intake_child(spec, self.state.ports, environment))
        for child in workers:
            self.start(child)
        self.wait_ready(workers, spec.ready_timeout_seconds)

    def prepare(self, environment: dict[str, str]) -> None:
        """Create databases, tables and topics in a process of its own (this one stays small)."""
        log = self.spec.path / "log" / "prepare.log"
        command = [sys.executable, "-m", "deploy.cluster.prepare", *SERVICES]
        process = processes.start(command, log=log, environment=environment, folder=Path.cwd())
        try:
            self.wait_for(lambda: process.poll() is not None, 180.0, f"databases and topics not ready, see {log}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            raise StartFailed(f"databases or topics could not be made ready:\n{processes.tail(log)}")

    def start(self, child: Child) -> None:
        """Start a process and record it at once, so that it can be ended after a crash of ours."""
        if child not in self.children:
            self.children.append(child)
        self.state = self.state.with_process(child.start())
        self.save()
        log_event("process_started", name=child.name, pid=self.state.processes[child.name].pid)

    def wait_ready(self, children: list[Child], timeout: float) -> None:
        """Wait until all are ready; a worker that dies meanwhile is started again, Kafka and PostgreSQL are not."""
        waiting = list(children)

        def all_ready() -> bool:
            for child in waiting:
                if child.kind in ("broker", "postgres") and child.has_ended():
                    raise StartFailed(f"{child.name} ended while starting:\n{processes.tail(child.log)}")
                if child.quick_deaths >= QUICK_DEATHS_MAX:
                    raise StartFailed(
                        f"{child.name} ends again and again (status {child.last_status}):\n{processes.tail(child.log)}"
                    )
            waiting[:] = [child for child in waiting if not child.ready()]
            return not waiting

        try:
            self.wait_for(all_ready, timeout, "")
        except StartFailed as problem:
            if str(problem):
                raise
            slow = "\n".join(f"{child.name} is not ready:\n{processes.tail(child.log)}" for child in waiting)
            raise StartFailed(f"after {timeout:.0f} s {slow}") from None

    def wait_for(self, condition: Callable[[], bool], timeout: float, message: str) -> None:
        """Tick until ``condition`` holds. Raises ``StartFailed`` with ``message`` after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise StartFailed(message)
            self.tick()

    # -- watching ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Notice a request to end and every death, start again what may start, sleep a moment."""
        if self.stop_requested or self.owner_is_gone():
            raise Stopping
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and child.has_ended():
                child.note_death()
                log_event("process_ended", name=child.name, status=child.last_status, restarts=child.restarts)
                self.state = self.state.with_process(child.record())
                self.save()
            if child.process is None and now >= child.not_before and not self.is_held(child):
                self.start(child)
        time.sleep(TICK_SECONDS)

    def is_held(self, child: Child) -> bool:
        """Whether somebody wants this dead process to stay dead for now."""
        return (self.hold_folder / child.name).exists() or (child.kind == "worker" and not self.spec.supervise)

    def owner_is_gone(self) -> bool:
        """For a tied cluster: whether the other end of our standard input has closed."""
        if not self.input_open:
            return False
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], 0)
        return bool(readable) and not os.read(sys.stdin.fileno(), 1)

    # -- stopping ---------------------------------------------------------------------------------------------------

    def stop_all(self) -> None:
        """End workers first (they finish their transaction), then Kafka and PostgreSQL."""
        self.set_phase("stopping", self.state.message)
        self.stop_kinds(("intake", "worker", "custodian"), signal.SIGTERM, WORKER_STOP_SECONDS)
        self.stop_kinds(("broker",), signal.SIGTERM, 15.0)
        self.stop_kinds(("postgres",), signal.SIGINT, 15.0)
        self.state = replace(self.state, processes={})

    def stop_kinds(self, kinds: tuple[str, ...], number: int, timeout: float) -> None:
        """Signal the processes of these kinds, wait for them, kill what does not end in ``timeout`` seconds."""
        chosen = [child.process for child in self.children if child.kind in kinds and child.process is not None]
        for process in chosen:
            process.send_signal(number)
        deadline = time.monotonic() + timeout
        for process in chosen:
            try:
                process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def log_event(event: str, **fields: object) -> None:
    """One JSON line on standard error, which is the supervisor's log."""
    sys.stderr.write(json.dumps({"ts": datetime.now(UTC).isoformat(), "event": event, **fields}) + "\n")
    sys.stderr.flush()


def kafka_cluster_uuid(folder: Path) -> str:
    """Kafka's id of this cluster, kept for the life of the folder."""
    file = folder / "kafka.uuid"
    if not file.exists():
        file.write_text(broker.random_uuid())
    return file.read_text()


def main() -> int:
    """Read the spec, take the folder's lock, run."""
    spec = ClusterSpec.from_json(sys.stdin.readline())
    with (spec.path / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return BUSY_EXIT
        supervisor = Supervisor(spec)

        def request_stop(_number: int, _frame: FrameType | None) -> None:
            supervisor.stop_requested = True

        signal.signal(signal.SIGTERM, request_stop)
        signal.signal(signal.SIGINT, request_stop)
        return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())

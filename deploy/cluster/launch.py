"""Asking for a cluster and taking leave of it: the side of the caller, without Kafka or PostgreSQL clients."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from deploy.cluster import broker, jars, postgres, processes
from deploy.cluster.children import answers_readyz
from deploy.cluster.errors import ClusterMissing, ClusterRunning, StartFailed
from deploy.cluster.leftovers import BUSY_EXIT, end_leftovers
from deploy.cluster.spec import ClusterSpec
from deploy.cluster.state import ProcessRecord, State, read_state, write_state

WATCH_SECONDS = 0.02
START_TIMEOUT_SECONDS = 300.0
STOP_TIMEOUT_SECONDS = 60.0


def new_cluster_id() -> str:
    """A random id that all processes of one start carry."""
    return secrets.token_hex(16)


async def launch(
    spec: ClusterSpec, *, offline: bool = False, jar_folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a supervisor for ``spec`` and wait until the cluster runs.

    Raises ``ClusterRunning`` when the folder is in use, ``StartFailed`` with the log's end when something does not
    come up. When the caller is cancelled meanwhile, the cluster is ended first.
    """
    refuse_if_running(spec.path)
    if not spec.external_bootstrap:
        await asyncio.to_thread(jars.class_path, offline=offline, source=jar_folder)
    (spec.path / "log").mkdir(parents=True, exist_ok=True)
    supervisor = _spawn(spec)
    try:
        await _wait_running(spec, supervisor)
    except BaseException:
        await asyncio.to_thread(_end, supervisor)
        raise
    return supervisor


def _spawn(spec: ClusterSpec) -> subprocess.Popen[bytes]:
    with (spec.path / "log" / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "deploy.cluster.supervisor"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    assert supervisor.stdin is not None
    supervisor.stdin.write(spec.to_json().encode() + b"\n")
    supervisor.stdin.flush()
    if not spec.tied:
        supervisor.stdin.close()
    return supervisor


async def _wait_running(spec: ClusterSpec, supervisor: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        ended = supervisor.poll()  # Before the state is read: what an ended supervisor wrote last is then there.
        state = read_state(spec.path)
        ours = state if state is not None and state.cluster_id == spec.cluster_id else None
        if ours is not None and ours.phase == "running":
            return
        if ended == BUSY_EXIT:
            raise ClusterRunning(f"a cluster runs in {spec.path} already; `nestwork down` ends it")
        if ended is not None:
            message = ours.message if ours is not None and ours.message else "the supervisor ended"
            raise StartFailed(f"{message} (log: {spec.path / 'log' / 'supervisor.log'})")
        await asyncio.sleep(WATCH_SECONDS)
    raise StartFailed(f"the cluster in {spec.path} did not come up in {START_TIMEOUT_SECONDS:.0f} s")


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    if supervisor.poll() is None:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(STOP_TIMEOUT_SECONDS)


def refuse_if_running(folder: Path) -> None:
    """Raise ``ClusterRunning`` when a live supervisor owns the folder."""
    state = read_state(folder)
    if state is not None and state.supervisor.identity.alive():
        raise ClusterRunning(
            f"a cluster runs in {folder} already (supervisor {state.supervisor.pid}); `nestwork down` ends it, "
            f"`--folder` chooses another place"
        )


def require_state(folder: Path) -> State:
    """The state of a cluster that was started here. Raises ``ClusterMissing``."""
    state = read_state(folder)
    if state is None:
        raise ClusterMissing(f"no cluster was started in {folder}; `nestwork up` starts one")
    return state


def end_cluster(folder: Path) -> list[str]:
    """End the cluster of a folder, also one whose supervisor was killed; returns the names of what was ended."""
    state = require_state(folder)
    names = [record.name for record in state.living()]
    supervisor = state.supervisor.identity
    if supervisor.alive():
        processes.stop([supervisor], signal.SIGTERM, timeout=STOP_TIMEOUT_SECONDS)
    end_leftovers(state)
    if require_state(folder).phase != "stopped":  # The supervisor was killed, so nobody else writes this any more.
        write_state(folder, replace(state, phase="stopped", message="", processes={}))
    return names


def answers(record: ProcessRecord, *, brokers: int) -> bool:
    """Whether a recorded process serves on its port: Kafka knows all brokers, PostgreSQL accepts, /readyz is 200."""
    port = record.port or 0
    if record.kind == "broker":
        return broker.live_brokers(port) >= brokers
    if record.kind in ("worker", "intake"):
        return answers_readyz(port)
    return record.kind != "postgres" or postgres.accepts(port)


def kafka_given() -> str:
    """Kafka servers the environment names, or empty."""
    return os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")


def database_given() -> str:
    """The PostgreSQL server the environment names, or empty."""
    return os.environ.get("DATABASE_URL", "")

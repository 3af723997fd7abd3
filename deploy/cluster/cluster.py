"""Kafka, PostgreSQL, the four services and the simulated custodian, as one thing to start, hurt and stop."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from deploy.cluster import launch
from deploy.cluster.errors import ClusterError, StartFailed
from deploy.cluster.infrastructure import Infrastructure
from deploy.cluster.spec import SERVICES, ClusterSpec
from deploy.cluster.state import ProcessRecord

READY_TIMEOUT_SECONDS = 60.0


class Cluster(Infrastructure):
    """A running cluster; everything of ``Infrastructure``, and the workers."""

    @classmethod
    async def start(
        cls,
        folder: Path,
        *,
        partitions: int = 8,
        workers: Mapping[str, int] | None = None,
        market_mode: str = "off",
        custodian: bool = True,
        custodian_actions: Path | None = None,
        worker_module: str = "services.{service}",
        extra_env: Mapping[str, str] | None = None,
        supervise: bool = True,
        tied: bool = True,
        use_given_servers: bool = False,
        offline: bool = False,
        jar_folder: Path | None = None,
        **options: Any,
    ) -> Self:
        """Start in ``folder`` and return when every worker's /readyz answers 200.

        ``workers`` counts processes by service (one each when not given). ``supervise=False`` leaves dead workers
        dead. A ``tied`` cluster ends with this process; otherwise it stays until ``nestwork down``.
        ``use_given_servers`` takes Kafka and PostgreSQL from the environment when it names them. ``options`` are
        further fields of ``ClusterSpec``.
        """
        folder = folder.resolve()
        spec = ClusterSpec(
            cluster_id=launch.new_cluster_id(),
            folder=str(folder),
            tied=tied,
            partitions=partitions,
            market_mode=market_mode,
            workers=worker_counts(workers),
            custodian=custodian,
            custodian_actions=str(custodian_actions.resolve()) if custodian_actions else "",
            worker_module=worker_module,
            extra_env=dict(extra_env or {}),
            supervise=supervise,
            **options,
        )
        if use_given_servers:
            given_kafka, given_database = launch.kafka_given(), launch.database_given()
            spec = replace(spec, external_bootstrap=given_kafka, external_database_url=given_database)
        return cls(folder, await launch.launch(spec, offline=offline, jar_folder=jar_folder))

    def worker(self, service: str, index: int = 0) -> ProcessRecord:
        """One worker as last started."""
        return self.process(f"{service}-{index}")

    def workers(self) -> list[ProcessRecord]:
        """All workers as last started."""
        return [record for record in self.state.processes.values() if record.kind == "worker"]

    def worker_pids(self) -> dict[str, int]:
        """The pid of every worker that runs now, by process name."""
        return {record.name: record.pid for record in self.workers() if record.identity.alive()}

    def web_url(self, service: str, index: int = 0) -> str:
        """Base URL of a worker's pages; it survives restarts."""
        url = self.worker(service, index).url
        assert url is not None
        return url

    def kill_worker(self, service: str, index: int = 0, number: int = signal.SIGKILL) -> int:
        """Send a worker a signal and return its pid; the supervisor starts a dead one again."""
        record = self.worker(service, index)
        record.identity.send(number)
        return record.pid

    async def wait_ready(self, service: str | None = None, *, timeout: float = READY_TIMEOUT_SECONDS) -> None:
        """Wait until every worker (of one service) answers /readyz with 200."""
        deadline = time.monotonic() + timeout
        while True:
            chosen = [record for record in self.workers() if service in (None, record.name.rpartition("-")[0])]
            ready = await asyncio.gather(*(asyncio.to_thread(self.serves, record) for record in chosen))
            if all(ready):
                return
            if time.monotonic() > deadline:
                slow = [record.name for record, is_ready in zip(chosen, ready, strict=True) if not is_ready]
                raise StartFailed(f"not ready after {timeout:.0f} s: {', '.join(slow)}")
            await asyncio.sleep(0.05)


def worker_counts(given: Mapping[str, int] | None) -> dict[str, int]:
    """Processes by service, one for each service that is not named. Raises ``ClusterError`` for an unknown name."""
    counts = dict.fromkeys(SERVICES, 1) | dict(given or {})
    unknown = sorted(set(counts) - set(SERVICES))
    if unknown:
        raise ClusterError(f"there is no service {', '.join(unknown)}; the services are {', '.join(SERVICES)}")
    return counts

"""Where the load goes: a cluster of its own, the one of a folder, or the servers the environment names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.cluster import Cluster
from deploy.operate.target import OperatorError, of_folder
from shared.events.topics import PAYROLL_CONTRIBUTIONS
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings

READY_SECONDS = 180.0
"""A machine that is busy may take its time to start a cluster."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NotLoopback(OperatorError):
    """The servers are not on this machine, and nobody said that this is meant."""


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster under load. ``cluster`` is known when its processes are on this machine and were started by us."""

    config: Settings
    cluster: Cluster | None
    partitions: int
    kind: str

    @property
    def processes(self) -> Cluster:
        """The cluster whose processes may be hurt. Raises ``OperatorError`` for servers that are not ours."""
        if self.cluster is None:
            raise OperatorError("this profile holds or kills workers: it needs the embedded cluster (or --folder)")
        return self.cluster


def refuse_strangers(config: Settings) -> None:
    """Raise ``NotLoopback`` when Kafka or PostgreSQL is not on this machine."""
    hosts = [place.rpartition(":")[0].strip("[]") for place in config.kafka_bootstrap_servers.split(",")]
    hosts.append(urlsplit(config.database_url).hostname or "")
    strangers = sorted({host for host in hosts if host not in LOOPBACK})
    if strangers:
        raise NotLoopback(
            f"{', '.join(strangers)} is not this machine; load writes payroll lines and closes business days there for "
            f"good. Say --i-know if that is meant."
        )


@asynccontextmanager
async def open_target(
    folder: Path | None, *, partitions: int, workers: int, i_know: bool, keep: bool = False
) -> AsyncIterator[Target]:
    """Find or make the cluster; one that was made is ended and removed when the block ends."""
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") and os.environ.get("DATABASE_URL")
    if folder is None and not named:
        async with _own(partitions, workers, keep) as own:
            yield Target(of_folder(own.folder), own, partitions, "own")
        return
    config = of_folder(folder) if folder is not None else Settings()
    if not i_know:
        refuse_strangers(config)
    cluster = Cluster(folder.resolve(), None) if folder is not None else None
    yield Target(config, cluster, await _partitions(config), "folder" if folder is not None else "environment")


@asynccontextmanager
async def _own(partitions: int, workers: int, keep: bool) -> AsyncIterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="nestwork-load-"))
    counts = dict.fromkeys(("contribution", "allocation", "trading", "valuation"), workers)
    try:
        async with await Cluster.start(
            folder, partitions=partitions, workers=counts, ready_timeout_seconds=READY_SECONDS
        ) as cluster:
            yield cluster
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


async def _partitions(config: Settings) -> int:
    producer = kafka_producer(config)
    await producer.start()
    try:
        return len(await producer.partitions_for(PAYROLL_CONTRIBUTIONS.name))
    finally:
        await producer.stop()

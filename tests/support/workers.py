"""One service's worker as a process, on Kafka and PostgreSQL that a test prepared and can look into."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.cluster import Infrastructure
from deploy.cluster.processes import free_ports
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from shared.runtime.topics import create_topics
from tests.support.wire import page

SECRET = "a key only the engine knows"


def free_port() -> int:
    """A loopback port that nobody uses now, and that no outgoing connection will be given meanwhile."""
    return free_ports(1)[0]


@dataclass
class Ground:
    """Kafka and PostgreSQL with all topics and one service's tables."""

    infrastructure: Infrastructure
    service: str
    environment: dict[str, str]
    folder: Path

    @property
    def config(self) -> Settings:
        """The settings its workers have."""
        return Settings.model_validate(self.environment)

    @asynccontextmanager
    async def worker(self, *command: str) -> AsyncIterator[Worker]:
        """A worker that is ready; ended with SIGTERM when the block ends. ``command`` is what Python runs."""
        port = free_port()
        environment = os.environ | self.environment | {
            "NESTWORK_WEB_PORT": str(port),
            "NESTWORK_DATA_DIR": str(self.folder / str(port)),
        }  # fmt: skip
        with (self.folder / f"{port}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *(command or ("-m", f"services.{self.service}")),
                env=environment,
                stdout=log,
                stderr=log,
            )
        worker = Worker(process, f"http://127.0.0.1:{port}", self.folder / f"{port}.log")
        try:
            yield worker
        finally:
            await worker.end()


@dataclass
class Worker:
    """A worker process and its pages."""

    process: asyncio.subprocess.Process
    url: str
    log: Path

    async def readiness(self) -> tuple[int, Any]:
        """Status and body of /readyz; status 0 while nobody answers."""
        try:
            return await page(f"{self.url}/readyz")
        except OSError:
            return 0, {}

    async def is_ready(self) -> bool:
        """True when the worker owns its lanes. A worker that ended is a failed test."""
        assert self.process.returncode is None, self.log.read_text()[-3_000:]
        return (await self.readiness())[0] == 200

    @property
    def resident_mb(self) -> float:
        """Memory the process holds now."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    async def end(self, number: int = signal.SIGTERM) -> int:
        """End it and wait; returns the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        try:
            return await asyncio.wait_for(self.process.wait(), 30)
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


@asynccontextmanager
async def open_ground(folder: Path, service: str, partitions: int = 4) -> AsyncIterator[Ground]:
    """Kafka and PostgreSQL for one service alone."""
    async with await Infrastructure.start(folder, postgres_settings={"shared_buffers": "'128MB'"}) as infrastructure:
        environment = infrastructure.environment() | {
            "NESTWORK_PARTITIONS": str(partitions),
            "NESTWORK_MARKER_KEY": SECRET,
        }  # fmt: skip
        environment.pop("NESTWORK_MARKER_KEY_FILE", None)
        ground = Ground(infrastructure, service, environment, folder)
        await asyncio.gather(create_topics(ground.config), migrate(service, ground.config))
        yield ground

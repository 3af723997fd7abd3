"""Kafka and PostgreSQL alone: enough for tests of the frame and of stores."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from deploy.cluster import launch, processes, standby
from deploy.cluster.errors import StartFailed
from deploy.cluster.spec import ClusterSpec
from deploy.cluster.state import ProcessRecord, State

RESTART_TIMEOUT_SECONDS = 300.0


class Infrastructure:
    """A running Kafka and PostgreSQL, ended by ``stop`` or with the process that started them, however that ends."""

    def __init__(self, folder: Path, supervisor: subprocess.Popen[bytes] | None) -> None:
        self.folder = folder
        self._supervisor = supervisor

    @classmethod
    async def start(
        cls, folder: Path, *, brokers: int = 1, postgres_settings: dict[str, str | int] | None = None, **options: Any
    ) -> Self:
        """Start in ``folder`` (made when missing). ``options`` are further fields of ``ClusterSpec``."""
        folder = folder.resolve()
        spec = ClusterSpec(
            cluster_id=launch.new_cluster_id(),
            folder=str(folder),
            tied=True,
            brokers=brokers,
            postgres_settings=postgres_settings or {},
            **options,
        )
        return cls(folder, await launch.launch(spec))

    @property
    def state(self) -> State:
        """The cluster as its supervisor last described it."""
        return launch.require_state(self.folder)

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap servers."""
        return self.state.bootstrap

    @property
    def server_url(self) -> str:
        """URL of the PostgreSQL server with its maintenance database, as DATABASE_URL."""
        return self.state.database_url

    def database_url(self, service: str) -> str:
        """URL of a service's database."""
        return self.url_of(f"nestwork_{service}")

    def url_of(self, database: str) -> str:
        """URL of any database of the server."""
        return urlunsplit(urlsplit(self.server_url)._replace(path=f"/{database}"))

    def environment(self) -> dict[str, str]:
        """Variables that point workers and tools at this cluster (add them to os.environ)."""
        state = self.state
        found = {
            "KAFKA_BOOTSTRAP_SERVERS": state.bootstrap,
            "DATABASE_URL": state.database_url,
            "NESTWORK_PARTITIONS": str(state.partitions),
            "NESTWORK_MARKET_MODE": state.market_mode,
        }
        return found | ({"NESTWORK_MARKER_KEY_FILE": state.marker_key_file} if state.marker_key_file else {})

    def process(self, name: str) -> ProcessRecord:
        """A process by its name: kafka-1, postgres, custodian, SERVICE-INDEX."""
        return self.state.processes[name]

    @property
    def broker_pid(self) -> int:
        """The pid of the (first) broker."""
        return self.process("kafka-1").pid

    @property
    def postgres_pid(self) -> int:
        """The pid of the PostgreSQL server."""
        return self.process("postgres").pid

    async def restart_broker(self, *, hard: bool = True, number: int = 1) -> None:
        """End a broker (``hard``: SIGKILL) and wait until its successor serves."""
        await self.restart(f"kafka-{number}", signal.SIGKILL if hard else signal.SIGTERM)

    async def restart_postgres(self, *, immediate: bool = True) -> None:
        """End PostgreSQL (``immediate``: as by a crash, without a checkpoint) and wait until its successor serves."""
        await self.restart("postgres", signal.SIGQUIT if immediate else signal.SIGINT)

    async def restart(self, name: str, number: int) -> None:
        """End one process by a signal and wait until the supervisor has a ready successor."""
        before = self.process(name)
        before.identity.send(number)
        deadline = time.monotonic() + RESTART_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            now = self.process(name)
            if now.restarts > before.restarts and now.identity.alive() and await asyncio.to_thread(self.serves, now):
                return
            await asyncio.sleep(0.05)
        raise StartFailed(f"{name} did not come back in {RESTART_TIMEOUT_SECONDS:.0f} s (log: {before.log})")

    def hold(self, name: str) -> None:
        """Let a process stay dead when it dies, until ``release``."""
        (self.folder / "hold" / name).touch()

    def release(self, name: str) -> None:
        """Let the supervisor start a held process again."""
        (self.folder / "hold" / name).unlink(missing_ok=True)

    async def fail_over(self, settings: dict[str, str | int] | None = None) -> float:
        """Kill the PostgreSQL that leads, let its standby lead, and make the dead one the standby.

        ``settings`` are those the cluster was started with. Returns the seconds without a leader.
        """
        pair = standby.Pair.in_folder(self.folder, self.state.ports)
        dead, leading = await asyncio.to_thread(pair.leader)
        before = self.process(dead)
        self.hold(dead)
        started = time.monotonic()
        before.identity.send(signal.SIGKILL)
        await asyncio.to_thread(processes.wait_gone, [before.identity], RESTART_TIMEOUT_SECONDS)
        await asyncio.to_thread(standby.promote, pair.named(leading))
        without = time.monotonic() - started
        await asyncio.to_thread(standby.follow, pair.named(leading), pair.named(dead), settings or {})
        self.release(dead)
        await asyncio.to_thread(standby.wait_streaming, pair.named(leading))
        return without

    def serves(self, record: ProcessRecord) -> bool:
        """Whether a process answers on its port as it should."""
        return launch.answers(record, brokers=sum(1 for name in self.state.ports if name.endswith("-controller")))

    async def stop(self) -> None:
        """End everything and wait for it."""
        await asyncio.to_thread(launch.end_cluster, self.folder)
        if self._supervisor is not None:
            if self._supervisor.stdin is not None:
                self._supervisor.stdin.close()
            await asyncio.to_thread(self._supervisor.wait)
            self._supervisor = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

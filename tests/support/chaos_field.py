"""What faults act upon: the cluster, what lies between its parts, the load, the dice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from deploy.cluster import Cluster
from deploy.cluster.spec import SERVICES
from deploy.cluster.standby import Pair
from shared.runtime.settings import Settings
from tests.support.chaos_bounds import PATIENCE
from tests.support.chaos_disks import SmallDisk
from tests.support.chaos_load import Load
from tests.support.chaos_pipe import Pipe
from tests.support.chaos_proxy import LossyProxy

SERVES_SECONDS = 120.0 * PATIENCE
"""How long a server may take to serve again."""


@dataclass
class Field:
    """What faults act upon."""

    cluster: Cluster
    postgres_settings: dict[str, str | int]
    proxies: list[LossyProxy]
    load: Load
    dice: random.Random
    workers: int
    brokers: list[Pipe] = field(default_factory=list)
    """Between workers and each broker."""
    disks: dict[str, SmallDisk] = field(default_factory=dict)
    """By the process whose data they hold."""
    doubles: dict[str, str] = field(default_factory=dict)
    """Workers beside the cluster's: the address of their pages, and their service."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Faults that can't be caused here, and why."""
    stops_all: bool = False
    """Set by a fault that finds, while it lasts, that it leaves nobody to go on."""
    say: Callable[[str], None] = print
    """Notes what a fault sees, beside what is measured of each."""

    @property
    def settings(self) -> Settings:
        """What points a client straight at the servers."""
        return Settings(**self.cluster.environment())  # type: ignore[arg-type]

    def any_worker(self) -> tuple[str, int]:
        """A worker by service and index."""
        return self.dice.choice(SERVICES), self.dice.randrange(self.workers)

    async def sql(self, database: str, statement: str, *arguments: Any) -> Any:
        """One statement on whichever server leads, past the proxies."""
        connection = await asyncpg.connect(self.cluster.url_of(database))
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    def leading(self) -> str:
        """The process of the PostgreSQL server that leads."""
        return Pair.in_folder(self.cluster.folder, self.cluster.state.ports).leader()[0]

    async def serves_again(self, name: str, restarts: int = -1) -> None:
        """Wait until a process serves that was started again more than ``restarts`` times."""
        async with asyncio.timeout(SERVES_SECONDS):
            while True:
                now = self.cluster.process(name)
                is_new = now.restarts > restarts and now.identity.alive()
                if is_new and await asyncio.to_thread(self.cluster.serves, now):
                    return
                await asyncio.sleep(0.05)

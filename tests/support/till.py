"""The smallest service there is, on real servers: the frame's own tables, a lane or two, and what a test has it do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.cluster import Infrastructure
from shared.events.topics import CONTRIBUTIONS_RELEASED, PAYROLL_CONTRIBUTIONS, Topic
from shared.runtime.clients import connect
from shared.runtime.definition import Input, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, claim_lanes, prepare_lanes
from shared.runtime.migrations import FRAME_FOLDER
from shared.runtime.poll import Poll
from shared.runtime.settings import Settings, settings
from shared.runtime.work import Work
from tests.support.cluster import fresh_database
from tests.support.workers import SECRET

NOON = datetime(2026, 11, 18, 17, tzinfo=UTC)
SAID = CONTRIBUTIONS_RELEASED.name


@contextmanager
def process_settings(infrastructure: Infrastructure, **changes: str) -> Iterator[Settings]:
    """Give this process the settings of a worker of that cluster: the frame connects by them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (infrastructure.environment() | {"NESTWORK_MARKER_KEY": SECRET} | changes).items():
            patch.setenv(name, value)
        settings.cache_clear()
        try:
            yield settings()
        finally:
            settings.cache_clear()


def answering(generation: int | None) -> Callable[[], Awaitable[int | None]]:
    """A group that knows this worker at one generation, or not at all."""

    async def answered_at() -> int | None:
        return generation

    return answered_at


@dataclass
class Till:
    """The service, and a connection as a worker has it."""

    service: Service
    connection: Any

    async def claim(self, generation: int, lanes: tuple[int, ...] = (0,)) -> dict[int, Lane]:
        """Take lanes as the member of ``generation`` would."""
        return await self.claim_asking(answering(generation), generation, lanes)

    async def claim_asking(
        self, answered_at: Callable[[], Awaitable[int | None]], generation: int, lanes: tuple[int, ...] = (0,)
    ) -> dict[int, Lane]:
        """The same, of a group that answers as it likes."""
        taken, _ = await claim_lanes(
            self.connection, self.service, Guards(), list(lanes), generation, f"owner {generation}", answered_at
        )
        return taken

    @asynccontextmanager
    async def poll(self, lanes: dict[int, Lane], guards: Guards | None = None) -> AsyncIterator[tuple[Poll, Work]]:
        """One poll transaction without records: lock, check, do what the block does, write; then memory follows."""
        guards = guards or Guards()
        poll = Poll(self.service, guards, SECRET.encode(), False, len(lanes))
        async with self.connection.transaction():
            work = Work(self.connection, self.service, lanes, FactCache(()), guards)
            await poll.lock(work, list(lanes.values()))
            yield poll, work
            await work.flush()
        work.committed()


def say(work: Work, text: str, topic: str = SAID) -> None:
    """Put one message of lane 0 into the outbox."""
    work.emit(0, topic, key=None, ce_type="t", ce_id=text, value=text.encode(), recorded_at=NOON)


@asynccontextmanager
async def open_till(
    infrastructure: Infrastructure, lanes: int = 1, source: Topic = PAYROLL_CONTRIBUTIONS, **parts: Any
) -> AsyncIterator[Till]:
    """A till with a database of its own; ``parts`` are further fields of ``Service``."""
    url = await fresh_database(infrastructure, "nestwork_till")
    service = Service(url.rpartition("/nestwork_")[2], (Input(source, ()),), **parts)
    with process_settings(infrastructure, NESTWORK_PARTITIONS=str(lanes)):
        connection = await connect(service.database)
        try:
            for file in sorted(FRAME_FOLDER.glob("*.sql")):
                await connection.execute(file.read_text())
            await prepare_lanes(connection, service, lanes)
            yield Till(service, connection)
        finally:
            connection.terminate()

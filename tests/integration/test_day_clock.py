"""The day clock on its own tables: what a worker does that stood still while another one went on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from services.trading import dayclock, store_days
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from tests.support.cluster import fresh_database

WEDNESDAY, THURSDAY, FRIDAY = date(2026, 11, 18), date(2026, 11, 19), date(2026, 11, 20)
COMMAND = """
INSERT INTO day_commands (version, kind, trade_date, cause, recorded_at) VALUES (1, 'close', $1, 'test', now())"""
OUTCOME = "SELECT outcome FROM day_commands"


@pytest.fixture
async def database(infrastructure: Infrastructure) -> str:
    url = await fresh_database(infrastructure, "trading")
    await migrate("trading", Settings(DATABASE_URL=infrastructure.server_url), database=url.rpartition("/")[2])
    return url


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(database)
    yield opened
    await opened.close()


class StandsStill:
    """A connection whose worker is frozen after its first answer, until it is told to go on."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.stands, self.goes_on = asyncio.Event(), asyncio.Event()

    async def fetchval(self, *question: Any) -> Any:
        answer = await self._connection.fetchval(*question)
        self.stands.set()
        await self.goes_on.wait()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def marks(connection: asyncpg.Connection, kind: str) -> list[date]:
    rows = await connection.fetch("SELECT trade_date FROM day_marks WHERE kind = $1 ORDER BY trade_date", kind)
    return [row["trade_date"] for row in rows]


async def test_a_clock_that_stood_still_does_not_value_the_date_another_one_cut(
    connection: asyncpg.Connection, database: str
) -> None:
    await dayclock.mark_cut(connection, WEDNESDAY)
    await dayclock.mark_cut(connection, THURSDAY)
    other = await asyncpg.connect(database)
    try:
        frozen = StandsStill(other)
        late = asyncio.create_task(dayclock._obey(frozen, "close", FRIDAY))  # type: ignore[arg-type]
        await frozen.stands.wait()
        assert await dayclock._obey(connection, "close", FRIDAY) == "done"
        frozen.goes_on.set()
        await late
    finally:
        await other.close()
    assert await marks(connection, "cut") == [WEDNESDAY, THURSDAY, FRIDAY]
    assert await marks(connection, "value") == [WEDNESDAY, THURSDAY]


async def test_the_first_outcome_of_a_command_stands(connection: asyncpg.Connection) -> None:
    await connection.execute(COMMAND, FRIDAY)
    (command,) = await connection.fetch(store_days.PENDING_COMMANDS)
    await connection.execute(store_days.FINISH_COMMAND, command["version"], "done")
    await connection.execute(store_days.FINISH_COMMAND, command["version"], "refused: closed before")
    assert await connection.fetchval(OUTCOME) == "done"

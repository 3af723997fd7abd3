"""The day clock on its own tables: what a worker does that stood still while another one went on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from services.trading import dayclock, store, store_days
from tests.support.cluster import service_database

WEDNESDAY, THURSDAY, FRIDAY = date(2026, 11, 18), date(2026, 11, 19), date(2026, 11, 20)
COMMAND = """
INSERT INTO day_commands (version, kind, trade_date, cause, recorded_at) VALUES (1, 'close', $1, 'test', now())"""
OUTCOME = "SELECT outcome FROM day_commands"


@pytest.fixture
async def connection(infrastructure: Infrastructure) -> AsyncIterator[asyncpg.Connection]:
    async with service_database(infrastructure, "trading") as opened:
        yield opened


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
    connection: asyncpg.Connection, infrastructure: Infrastructure
) -> None:
    await dayclock.mark_cut(connection, WEDNESDAY)
    await dayclock.mark_cut(connection, THURSDAY)
    other = await asyncpg.connect(infrastructure.url_of(await connection.fetchval("SELECT current_database()")))
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


DECIDED = "INSERT INTO decided_days (cycle, trade_date, decided_at) VALUES ('day', $1, now())"
PRICED = """
INSERT INTO prices (fund_id, price_date, version, status, price, value_date, fact_version, recorded_at)
VALUES ($1, $2, $3, $4, '10.00', $2, 1, now())"""
CONFIRMED = """
WITH ordered AS (
    INSERT INTO orders (order_id, trade_date, plan_id, fund_id, side, unit, wave, amount, lane, status, recorded_at)
    VALUES ($1, $2, 'PLAN', 'FUND', $3, 'cents', 0, 1000, 0, 'open', now()))
INSERT INTO confirmations (order_id, version, status, units, shares, price, cents, lane, value_date, recorded_at)
SELECT $1, version, 'confirmed', units, '1', '1.00', 1000, 0, $2, now()
FROM unnest($4::bigint[]) WITH ORDINALITY AS said(units, version)"""


async def is_ready(connection: asyncpg.Connection, day: date) -> bool:
    return bool(await connection.fetchval(store_days.READY_TO_VALUE, day))


async def test_a_date_without_orders_is_not_valued_before_every_held_fund_has_its_final_price(
    connection: asyncpg.Connection,
) -> None:
    await connection.execute(DECIDED, FRIDAY)
    assert await is_ready(connection, FRIDAY)
    await connection.execute("INSERT INTO fund_units VALUES ('HELD', 5), ('SOLD-OUT', 0)")
    await connection.execute(PRICED, "HELD", THURSDAY, 1, "final")
    await connection.execute(PRICED, "HELD", FRIDAY, 1, "estimated")
    assert not await is_ready(connection, FRIDAY)
    assert [row["fund_id"] for row in await connection.fetch(store_days.UNPRICED_FUNDS, FRIDAY)] == ["HELD"]
    await connection.execute(PRICED, "HELD", FRIDAY, 2, "final")
    assert await is_ready(connection, FRIDAY)
    assert await connection.fetch(store_days.UNPRICED_FUNDS, FRIDAY) == []


async def test_what_is_held_of_a_fund_follows_every_accepted_confirmation(connection: asyncpg.Connection) -> None:
    await connection.execute(CONFIRMED, "o1", THURSDAY, "buy", [9_000, 10_000])
    await connection.execute(CONFIRMED, "o2", FRIDAY, "buy", [500])
    await connection.execute(CONFIRMED, "o3", FRIDAY, "sell", [10_600, 10_500])
    held = []
    for accepted in (
        [("o1", 1, None)],
        [("o1", 2, 1), ("o2", 1, None)],
        [("o3", 1, None), ("o3", 2, 1)],
    ):
        await connection.execute(store.ADD_FUND_UNITS, *map(list, zip(*accepted, strict=True)))
        held.append(await connection.fetchval("SELECT units FROM fund_units WHERE fund_id = 'FUND'"))
    assert held == [9_000, 10_500, 0]


async def test_the_first_outcome_of_a_command_stands(connection: asyncpg.Connection) -> None:
    await connection.execute(COMMAND, FRIDAY)
    (command,) = await connection.fetch(store_days.PENDING_COMMANDS)
    await connection.execute(store_days.FINISH_COMMAND, command["version"], "done")
    await connection.execute(store_days.FINISH_COMMAND, command["version"], "refused: closed before")
    assert await connection.fetchval(OUTCOME) == "done"

"""What a date's orders take over is judged by the amounts that were rejected, not by the legs that were moved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from deploy.operate.books import Book
from deploy.operate.flow import taken_over
from services.trading import building, store
from services.trading.rules.orders import SELL, SHARES, order_id_of
from services.valuation.rules.proof import add_up, money_equations
from shared.runtime.definition import Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane
from shared.runtime.work import Work
from tests.support.cluster import service_database

THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
REJECTED = """
INSERT INTO orders (order_id, trade_date, plan_id, fund_id, side, unit, wave, amount, lane, status, recorded_at)
VALUES ('o1', $1, 'PLAN', 'FUND', 'buy', 'cents', 0, 1000, 0, 'rejected', now())"""
ITS_LEGS = """
INSERT INTO order_legs (trade_date, lane, plan_id, fund_id, side, order_id, order_date, total, participants, buckets,
                        sources, cents)
SELECT $1, lane, 'PLAN', 'FUND', 'buy', 'o1', $1, total, ARRAY['P' || lane], ARRAY[1::smallint], ARRAY['roth'],
       ARRAY[total]
FROM (VALUES (0, 600::bigint), (1, 400)) AS pack(lane, total)"""
REJECTED_SELL = """
INSERT INTO orders (order_id, trade_date, plan_id, fund_id, side, unit, wave, amount, lane, status, recorded_at)
VALUES ('o2', $1, 'PLAN', 'FUND', 'sell', 'shares', 0, 50, 0, 'rejected', now())"""
SELL_LEGS = """
INSERT INTO order_legs (trade_date, lane, plan_id, fund_id, side, order_id, order_date, total, participants, buckets,
                        sources, cents, units)
SELECT $1, lane, 'PLAN', 'FUND', 'sell', $2, $1, total, ARRAY['P' || lane], ARRAY[1::smallint], ARRAY['roth'],
       ARRAY[total * 10], ARRAY[total]
FROM (VALUES (0, 30::bigint), (1, 20)) AS pack(lane, total)"""
CENTS = "new + carried = ordered + cancelled leg cents"
UNITS = "new + carried = ordered leg units"


@pytest.fixture
async def connection(infrastructure: Infrastructure) -> AsyncIterator[asyncpg.Connection]:
    async with service_database(infrastructure, "trading") as opened:
        await opened.execute(REJECTED, THURSDAY)
        await opened.execute(ITS_LEGS, THURSDAY)
        yield opened


async def equations(connection: asyncpg.Connection) -> dict[str, Any]:
    """The engine's equations of a date that takes over rejected orders and is told nothing new."""
    work = Work(connection, Service("trading", ()), {0: Lane(0, 1, 1, 1, NOON)}, FactCache(()), Guards())
    assert await building.build_orders(work, FRIDAY)
    return money_equations(add_up([{"trading": await building.close_cut(work, 0, FRIDAY)}]))


async def differing(connection: asyncpg.Connection) -> list[tuple[str, int, int]]:
    """What `nestwork prove` says of the same date, where it differs."""
    found = await taken_over(Book("trading", connection), FRIDAY)
    return [(one.name, one.left, one.right) for one in found if not one.ok]


async def test_all_of_a_rejected_order_is_ordered_again(connection: asyncpg.Connection) -> None:
    assert (await equations(connection))[CENTS] == {"left": 1_000, "right": 1_000, "ok": True}
    assert await differing(connection) == []


async def test_legs_of_a_rejected_order_that_vanish_are_detected(connection: asyncpg.Connection) -> None:
    await connection.execute("DELETE FROM order_legs WHERE lane = 1")
    assert (await equations(connection))[CENTS] == {"left": 1_000, "right": 600, "ok": False}
    assert ("new legs + rejected orders = buy orders, cents", 1_000, 600) in await differing(connection)


async def test_all_shares_of_a_rejected_sell_are_ordered_again_with_those_sold_since(
    connection: asyncpg.Connection,
) -> None:
    following = order_id_of("PLAN", "FUND", SELL, SHARES, FRIDAY, 0)
    await connection.execute(REJECTED_SELL, THURSDAY)
    await connection.execute(SELL_LEGS, THURSDAY, "o2")
    await connection.execute(SELL_LEGS, FRIDAY, following)
    assert (await equations(connection))[UNITS] == {"left": 100, "right": 100, "ok": True}
    assert await differing(connection) == []
    await connection.execute("UPDATE orders SET status = 'rejected' WHERE order_id = $1", following)
    await connection.execute(store.CARRY_LEGS, MONDAY, [following], ["o3"])
    await connection.execute(store.MARK_CARRIED, MONDAY, [following])
    assert await differing(connection) == []  # Friday is proven as before when its order was carried on itself.


async def test_share_legs_of_a_rejected_sell_that_vanish_are_detected(connection: asyncpg.Connection) -> None:
    await connection.execute(REJECTED_SELL, THURSDAY)
    await connection.execute(SELL_LEGS, THURSDAY, "o2")
    await connection.execute("DELETE FROM order_legs WHERE lane = 1 AND side = 'sell'")
    assert (await equations(connection))[UNITS] == {"left": 50, "right": 30, "ok": False}
    assert ("new legs + rejected orders = sell orders, units", 50, 30) in await differing(connection)

"""What a date's orders take over is judged by the amounts that were rejected, not by the legs that were moved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from services.trading import building
from services.valuation.rules.proof import add_up, money_equations
from shared.runtime.definition import Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane
from shared.runtime.work import Work
from tests.support.cluster import service_database

THURSDAY, FRIDAY = date(2026, 11, 19), date(2026, 11, 20)
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
CARRIED = "new + carried = ordered + cancelled leg cents"


@pytest.fixture
async def connection(infrastructure: Infrastructure) -> AsyncIterator[asyncpg.Connection]:
    async with service_database(infrastructure, "trading") as opened:
        await opened.execute(REJECTED, THURSDAY)
        await opened.execute(ITS_LEGS, THURSDAY)
        yield opened


async def carried(connection: asyncpg.Connection) -> dict[str, Any]:
    """The equation of a date that takes over a rejected order and is told nothing new."""
    work = Work(connection, Service("trading", ()), {0: Lane(0, 1, 1, 1, NOON)}, FactCache(()), Guards())
    assert await building.build_orders(work, FRIDAY)
    totals = await building.close_cut(work, 0, FRIDAY)
    return money_equations(add_up([{"trading": totals}]))[CARRIED]


async def test_all_of_a_rejected_order_is_ordered_again(connection: asyncpg.Connection) -> None:
    assert await carried(connection) == {"left": 1_000, "right": 1_000, "ok": True}


async def test_legs_of_a_rejected_order_that_vanish_are_detected(connection: asyncpg.Connection) -> None:
    await connection.execute("DELETE FROM order_legs WHERE lane = 1")
    assert await carried(connection) == {"left": 1_000, "right": 600, "ok": False}

"""What is in flight at a value cut is noted when the date is decided, whatever is judged before its lane closes it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from services.trading import filling
from shared.runtime.definition import Progress, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane
from shared.runtime.work import Work
from tests.support.cluster import service_database

THURSDAY, FRIDAY = date(2026, 11, 19), date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
BROKEN_BUY = """
INSERT INTO orders (order_id, trade_date, plan_id, fund_id, side, unit, wave, amount, lane, status, recorded_at)
VALUES ('o1', $1, 'PLAN', 'FUND', 'buy', 'cents', 0, 1000, 0, 'broken', now())"""
ITS_CONFIRMATION = """
INSERT INTO confirmations (order_id, version, status, units, shares, price, cents, lane, value_date, recorded_at,
                           verdict)
VALUES ('o1', 1, 'confirmed', 9000, '9.000', '1.00', 1000, 0, $1, now(), 'broken:SHARES_MISMATCH')"""
VALUED = "INSERT INTO decided_days (cycle, trade_date, decided_at) VALUES ('value', $1, now())"
CORRECTED = "UPDATE orders SET status = 'confirmed', version = 2, units = 10000, cents = 1000, price = '1.00'"


@pytest.fixture
async def connection(infrastructure: Infrastructure) -> asyncpg.Connection:
    async with service_database(infrastructure, "trading") as opened:
        yield opened


async def test_a_break_corrected_before_the_builders_lane_closes_the_date_is_still_in_flight_for_it(
    connection: asyncpg.Connection,
) -> None:
    await connection.execute(VALUED, THURSDAY)
    await connection.execute(BROKEN_BUY, FRIDAY)
    await connection.execute(ITS_CONFIRMATION, FRIDAY)
    work = Work(connection, Service("trading", ()), {0: Lane(0, 1, 1, 1, NOON)}, FactCache(()), Guards())
    assert await filling.decide_value(work, FRIDAY) is Progress.DONE
    # The correction belongs to Monday's value; closed in haste, Monday's builder is faster than Friday's lane.
    await connection.execute(CORRECTED)
    totals = await filling.close_value(work, 0, FRIDAY)
    assert totals["in_flight"] == [["PLAN", "FUND", 9000]]

"""A backlog of confirmations at the value cut is judged over as many transactions as it takes, before the decision."""

from __future__ import annotations

from datetime import UTC, date, datetime

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from services.trading import filling
from services.trading.filling import JUDGED_PER_ROUND
from shared.runtime.beats import Beats
from shared.runtime.definition import Cycle, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import CycleState, Lane, LaneInput, prepare_lanes
from shared.runtime.work import Work
from tests.support.cluster import service_database

THURSDAY, FRIDAY = date(2026, 11, 19), date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
ORDERS = 4 * JUDGED_PER_ROUND + 7
DECIDED = "INSERT INTO decided_days (cycle, trade_date, decided_at) VALUES ($1, $2, now())"
READ = "INSERT INTO lane_days (lane, cycle, trade_date, read_at) VALUES (0, 'value', $1, now())"
OPEN_ORDERS = """
INSERT INTO orders (order_id, trade_date, plan_id, fund_id, side, unit, wave, amount, lane, status, recorded_at)
SELECT 'o' || n, $1, 'PLAN' || n, 'FUND', 'buy', 'cents', 0, 1000, 0, 'open', now()
FROM generate_series(1, $2::int) AS n"""
REJECTIONS = """
INSERT INTO confirmations (order_id, version, status, lane, value_date, recorded_at)
SELECT 'o' || n, 1, 'rejected', 0, $1, now() FROM generate_series(1, $2::int) AS n"""
JUDGED = "SELECT count(*) FROM confirmations WHERE verdict IS NOT NULL"
VALUED = "SELECT max(trade_date) FROM decided_days WHERE cycle = 'value'"
SERVICE = Service(
    "trading",
    (),
    cycles=(Cycle("value", inputs=("confirmations",), facts=(), decide=filling.decide_value),),
    standing=filling.judge_confirmations,
)


@pytest.fixture
async def connection(infrastructure: Infrastructure) -> asyncpg.Connection:
    async with service_database(infrastructure, "trading") as opened:
        yield opened


async def test_the_value_date_is_decided_when_nothing_is_left_to_judge_and_no_beat_judges_all(
    connection: asyncpg.Connection,
) -> None:
    await prepare_lanes(connection, SERVICE, 1)
    for cycle, day in (("day", THURSDAY), ("value", THURSDAY), ("day", FRIDAY)):
        await connection.execute(DECIDED, cycle, day)
    await connection.execute(READ, FRIDAY)
    await connection.execute(OPEN_ORDERS, FRIDAY, ORDERS)
    await connection.execute(REJECTIONS, FRIDAY, ORDERS)
    met = {"confirmations": LaneInput(0, THURSDAY, FRIDAY, None, None, {})}
    lane = Lane(0, 1, 1, 1, NOON, met, cycles={"value": CycleState(FRIDAY, THURSDAY)})
    beats, judged = Beats(SERVICE, 1), [0]
    moved = True
    while moved:
        work = Work(connection, SERVICE, {0: lane}, FactCache(()), Guards())
        async with connection.transaction():
            moved = await beats.step(work, work.lanes)
            await work.flush()
        work.committed()
        judged.append(await connection.fetchval(JUDGED))
        assert judged[-1] - judged[-2] <= 2 * JUDGED_PER_ROUND  # One standing, one of the date that is decided.
        assert (await connection.fetchval(VALUED) == FRIDAY) <= (judged[-1] == ORDERS)
    assert judged[-1] == ORDERS
    assert await connection.fetchval(VALUED) == FRIDAY
    assert lane.cycles["value"].last_closed == FRIDAY

"""Unused cash, stated from the date before and what moved since, is what all of history adds up to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import asyncpg
import orjson
import pytest

from deploy.cluster import Infrastructure
from services.contribution import closing
from services.trading import filling
from shared.runtime.definition import Cycle, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from shared.runtime.work import Work
from shared.values.trading_days import GENESIS, next_trading_day
from tests.support.cluster import fresh_database

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
FIRST, DATES, SEEDS = date(2026, 11, 20), 8, 20
CLOSED = """
INSERT INTO lane_days (lane, cycle, trade_date, read_at, closed_at, totals) VALUES (0, $1, $2, now(), now(), $3)"""
FUNDING = """
INSERT INTO fundings (version, payroll_id, plan_id, cents, reference, trade_date, recorded_at, cause)
VALUES ($1, $2, $3, $4, $6, $5, now(), 'c')"""
RELEASE = """
INSERT INTO run_releases (trade_date, plan_id, payroll_id, cents, cash_used) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT DO NOTHING"""
PART = """
INSERT INTO run_parts (trade_date, lane, plan_id, payroll_id, lines, submitted, accepted, rejected, credited,
                       hash_total)
VALUES ($1, 0, $2, $3, 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING"""
UNUSED_CASH_OF_HISTORY = """
SELECT plan_id, sum(unused)::bigint AS cents FROM (
    SELECT plan_id, payroll_id, greatest(sum(cents), 0) AS unused FROM (
        SELECT coalesce(f.plan_id, r.plan_id) AS plan_id, f.payroll_id, f.cents FROM fundings AS f
        LEFT JOIN (SELECT payroll_id, min(plan_id) AS plan_id FROM run_parts GROUP BY payroll_id) AS r
             USING (payroll_id)
        WHERE f.trade_date <= $1
        UNION ALL SELECT plan_id, payroll_id, -cash_used FROM run_releases WHERE trade_date <= $1) AS flow
    WHERE plan_id IS NOT NULL GROUP BY plan_id, payroll_id) AS run
GROUP BY plan_id HAVING sum(unused) > 0 ORDER BY plan_id"""
SOLD = """
INSERT INTO journal (trade_date, lane, entry, recorded_at, kind, bucket, plan_id, cause, rule_set, accounts, amounts)
VALUES ($1, 0, $2, now(), $3, 0, $4, gen_random_uuid(), 'r', '{cost,custodian,cash,forfeited,gain}', $5)"""
SOLD_OF_HISTORY = """
SELECT plan_id, sum(amounts[3] + amounts[4])::bigint AS cents FROM journal WHERE trade_date <= $1
GROUP BY plan_id HAVING sum(amounts[3] + amounts[4]) <> 0"""


async def a_database(infrastructure: Infrastructure, service: str) -> AsyncIterator[Any]:
    url = await fresh_database(infrastructure, service)
    await migrate(service, Settings(DATABASE_URL=infrastructure.server_url), database=url.rpartition("/")[2])
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
async def contribution(infrastructure: Infrastructure) -> AsyncIterator[Any]:
    async for connection in a_database(infrastructure, "contribution"):
        yield connection


@pytest.fixture
async def trading(infrastructure: Infrastructure) -> AsyncIterator[Any]:
    async for connection in a_database(infrastructure, "trading"):
        yield connection


def a_work(connection: Any, service: str, *cycles: str) -> Work:
    made = Service(service, (), cycles=tuple(Cycle(name, (), ()) for name in cycles))
    return Work(connection, made, {0: Lane(0, 1, 1, 1, NOON)}, FactCache(()), Guards())


async def move_cash(connection: Any, chance: Random, day: date, number: int) -> None:
    """A few facts and decisions of a date: cash that names its plan or not, in time, late or taken back; releases."""
    for one in range(chance.randint(0, 6)):
        payroll, plan = f"R{chance.randint(1, 4)}", f"P{chance.randint(1, 3)}"
        named = chance.choice([None, plan])
        # A payroll's cash that names no plan is its first part's; one payroll of two plans names it.
        if named is None:
            plan = f"P{payroll[1]}"
        kind = chance.choice(["funding", "returned", "release", "part"])
        cents = chance.randint(1, 500)
        if kind == "release":
            await connection.execute(RELEASE, day, plan, payroll, cents)
        elif kind == "part":
            await connection.execute(PART, day, f"P{payroll[1]}", payroll)
        else:
            signed = cents if kind == "funding" else -cents
            dated = GENESIS if day == FIRST and chance.random() < 0.5 else day
            version = number * 100 + one
            await connection.execute(FUNDING, version, payroll, named, signed, dated, f"wire {version}")


async def test_unused_cash_of_runs(contribution: Any) -> None:
    work, stated = a_work(contribution, "contribution", "day"), 0
    for seed in range(SEEDS):
        chance, day = Random(seed), FIRST
        await contribution.execute("TRUNCATE fundings, run_releases, run_parts, lane_days")
        for number in range(DATES):
            await move_cash(contribution, chance, day, number)
            totals = await closing.close_date(work, 0, day)
            rows = await contribution.fetch(UNUSED_CASH_OF_HISTORY, day)
            assert totals["plan_cash"] == {row["plan_id"]: row["cents"] for row in rows}, (seed, day)
            stated += len(totals["plan_cash"])
            await contribution.execute(CLOSED, "day", day, orjson.dumps({"contribution": totals}).decode())
            day = next_trading_day(day)
    assert stated > SEEDS


async def test_proceeds_of_sells_that_are_the_plans_cash(trading: Any) -> None:
    work, chance, day = a_work(trading, "trading", "day", "value"), Random(1), FIRST
    for number in range(DATES):
        for one in range(chance.randint(0, 4)):
            kind, plan = chance.choice(["plan_cash", "plan_cash_reversed"]), f"P{chance.randint(1, 3)}"
            cash, forfeited = chance.randint(-50, 50), chance.randint(0, 50)
            amounts = [-cash - forfeited, 0, cash, forfeited, 0]
            await trading.execute(SOLD, day, number * 100 + one, kind, plan, amounts)
        totals = await filling.close_value(work, 0, day)
        rows = await trading.fetch(SOLD_OF_HISTORY, day)
        assert totals["plan_cash"] == {row["plan_id"]: row["cents"] for row in rows}, day
        stated = {"trading": {"plan_cash": {"P1": 1}}, "trading.value": totals}
        await trading.execute(CLOSED, "value", day, orjson.dumps(stated).decode())
        day = next_trading_day(day)

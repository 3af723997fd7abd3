"""The money gauges are what the books say: rows on a real PostgreSQL, and the gauges asked of them."""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from shared.runtime.snapshot import take_snapshot
from tests.support.cluster import fresh_database

EARLY = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)
LATE = EARLY + timedelta(hours=5)
MONDAY, TUESDAY, FRIDAY = date(2026, 11, 16), date(2026, 11, 17), date(2026, 11, 20)
Gauges = dict[tuple[str, ...], float]


@asynccontextmanager
async def books(infrastructure: Infrastructure, service: str) -> AsyncIterator[tuple[Any, Any]]:
    """A migrated database with two lanes, and the service it belongs to."""
    url = await fresh_database(infrastructure, service)
    await migrate(service, Settings(DATABASE_URL=infrastructure.server_url), database=url.rpartition("/")[2])
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("INSERT INTO lanes (lane) VALUES (0), (1)")
        yield connection, service
    finally:
        await connection.close()


async def gauges(connection: Any, service: str, monkeypatch: pytest.MonkeyPatch) -> Gauges:
    """Name and labels to value."""
    monkeypatch.setenv("NESTWORK_MARKER_KEY", "00")
    definition = importlib.import_module(f"services.{service}.app").SERVICE
    return {(family.name, *labels): value for family, labels, value in await take_snapshot(connection, definition)}


@pytest.mark.parametrize("service", ["contribution", "allocation", "trading", "valuation"])
async def test_empty_books_say_that_nothing_waits(
    infrastructure: Infrastructure, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with books(infrastructure, service) as (connection, _):
        found = await gauges(connection, service, monkeypatch)
    assert found.pop(("nestwork_snapshot_timestamp_seconds",)) > 0
    assert found.pop(("nestwork_snapshot_seconds",)) > 0
    assert set(found.values()) == {0}


async def test_held_lines_dead_letters_and_the_parked_are_counted_by_reason(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with books(infrastructure, "contribution") as (connection, service):
        held = "INSERT INTO held_lines (lane, entry, trade_date, plan_id, participant_id, payroll_id, year, code,"
        held += " requested, recorded_at, item) VALUES (0, $1, $2, 'A', 'P', 'R', 2026, $3, $4, $5, '')"
        await connection.execute(held, 1, MONDAY, "UNKNOWN_PLAN", 500, LATE)
        await connection.execute(held, 2, MONDAY, "UNKNOWN_PLAN", 70, EARLY)
        parked = "INSERT INTO parked (lane, key, number, topic, record_offset, trade_date, recorded_at, code, detail,"
        parked += " cents, item, freed_for) VALUES (0, 'P', $1, 't', 1, $2, $3, 'PARKED', '', 900, '', $4)"
        await connection.execute(parked, 1, MONDAY, EARLY, None)
        await connection.execute(parked, 2, MONDAY, EARLY, TUESDAY)
        letter = "INSERT INTO dead_letters (lane, topic, partition, record_offset, code, detail, trade_date,"
        letter += " recorded_at, headers, cents, replayed_at) VALUES (0, 't', 0, $1, $2, '', $3, $4, '[]', $5, $6)"
        await connection.execute(letter, 1, "NOT_JSON", MONDAY, LATE, 0, None)
        await connection.execute(letter, 2, "WRONG_SHAPE", MONDAY, EARLY, 40, None)
        await connection.execute(letter, 3, "WRONG_SHAPE", MONDAY, EARLY, 60, LATE)
        found = await gauges(connection, service, monkeypatch)
    assert found["nestwork_suspense_cents", "UNKNOWN_PLAN"] == 570
    assert found["nestwork_suspense_items", "UNKNOWN_PLAN"] == 2
    assert found["nestwork_suspense_oldest_timestamp_seconds", "UNKNOWN_PLAN"] == EARLY.timestamp()
    assert (found["nestwork_suspense_items", "PARKED"], found["nestwork_suspense_cents", "PARKED"]) == (1, 900)
    assert found["nestwork_dead_letters_waiting", "WRONG_SHAPE"] == 1
    assert found["nestwork_dead_letters_cents", "WRONG_SHAPE"] == 40
    assert found["nestwork_dead_letters_oldest_timestamp_seconds", "NOT_JSON"] == LATE.timestamp()


async def insert_line(connection: Any, day: date, lane: int, entry: int, recorded_at: datetime) -> None:
    await connection.execute(
        "INSERT INTO journal (trade_date, lane, entry, recorded_at, kind, bucket, plan_id, participant_id, cause,"
        " rule_set, accounts, amounts, requested, rejected) VALUES ($1, $2, $3, $4, 'line', 0, 'A', 'P',"
        " gen_random_uuid(), 'r', '{pre_tax,receivable}', '{100,-100}', 100, 0)",
        day, lane, entry, recorded_at,
    )  # fmt: skip


async def test_a_payroll_without_cash_ages_in_business_days_from_its_own_date_to_the_last_cut(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with books(infrastructure, "contribution") as (connection, service):
        part = "INSERT INTO run_parts (trade_date, lane, plan_id, payroll_id, lines, submitted, accepted, rejected,"
        part += " credited, hash_total, released_for) VALUES ($1, 0, 'A', $2, 1, 100, 100, 0, 100, 0, $3)"
        await connection.execute(part, MONDAY, "LATE", None)
        await connection.execute(part, TUESDAY, "LATE", None)
        await connection.execute(part, MONDAY, "DONE", MONDAY)
        await insert_line(connection, MONDAY, 0, 1, EARLY)
        await insert_line(connection, TUESDAY, 0, 2, LATE)
        await connection.execute("INSERT INTO run_waits VALUES ('A', 'LATE', $1, 'FUNDING_SHORT', 200)", FRIDAY)
        for lane in (0, 1):
            await connection.execute(
                "INSERT INTO lane_days (lane, cycle, trade_date, read_at, closed_at, totals) VALUES ($1, 'day', $2, $3,"
                " $3, '{\"contribution\": {\"credited\": 150, \"held\": 3, \"plan_cash\": {}}}')",
                lane, FRIDAY, LATE,
            )  # fmt: skip
        found = await gauges(connection, service, monkeypatch)
    assert found["nestwork_payroll_funding_age_business_days",] == 4
    assert found["nestwork_runs_waiting", "FUNDING_SHORT"] == 1
    assert found["nestwork_runs_short_cents",] == 200
    assert found["nestwork_suspense_cents", "FUNDING_SHORT"] == 200
    assert found["nestwork_suspense_items", "FUNDING_SHORT"] == 1
    assert found["nestwork_untraded_oldest_timestamp_seconds",] == EARLY.timestamp()
    assert found["nestwork_day_cents", "credited"] == 300
    assert ("nestwork_day_cents", "held") not in found
    assert found["nestwork_last_closed_date_seconds", "day"] == datetime(2026, 11, 20, tzinfo=UTC).timestamp()


async def test_a_date_is_being_closed_until_every_lane_has_closed_it(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = "INSERT INTO lane_days (lane, cycle, trade_date, read_at, closed_at) VALUES ($1, 'day', $2, $3, $4)"
    async with books(infrastructure, "valuation") as (connection, service):
        await connection.execute(read, 0, MONDAY, EARLY, EARLY)
        await connection.execute(read, 1, MONDAY, EARLY, EARLY)
        await connection.execute(read, 0, TUESDAY, LATE, LATE)
        found = await gauges(connection, service, monkeypatch)
        assert found["nestwork_closing_oldest_timestamp_seconds", "day"] == LATE.timestamp()
        await connection.execute(read, 1, TUESDAY, LATE, LATE)
        found = await gauges(connection, service, monkeypatch)
    assert found["nestwork_closing_oldest_timestamp_seconds", "day"] == 0


async def test_a_break_ends_with_the_version_that_is_believed(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "INSERT INTO confirmations (order_id, version, status, lane, value_date, recorded_at, verdict)"
    said += " VALUES ('O', $1, 'confirmed', 0, $2, $3, $4)"
    async with books(infrastructure, "trading") as (connection, service):
        await connection.execute(
            "INSERT INTO orders (order_id, trade_date, plan_id, fund_id, side, unit, wave, amount, lane, status,"
            " recorded_at) VALUES ('O', $1, 'A', 'F', 'buy', 'cents', 0, 700, 0, 'broken', $2)", MONDAY, EARLY,
        )  # fmt: skip
        await connection.execute(said, 1, MONDAY, LATE, "broken:PRICE_MISMATCH")
        found = await gauges(connection, service, monkeypatch)
        assert found["nestwork_breaks_open", "PRICE_MISMATCH"] == 1
        assert found["nestwork_breaks_cents", "PRICE_MISMATCH"] == 700
        assert found["nestwork_orders_open", "broken"] == 1
        assert found["nestwork_orders_open_oldest_timestamp_seconds", "broken"] == EARLY.timestamp()
        await connection.execute(said, 2, MONDAY, LATE, "accepted:2026-11-16")
        await connection.execute("UPDATE orders SET status = 'pending'")
        found = await gauges(connection, service, monkeypatch)
    assert found["nestwork_breaks_open", "PRICE_MISMATCH"] == 0
    assert (found["nestwork_orders_open", "broken"], found["nestwork_orders_open_cents", "pending"]) == (0, 700)


async def test_only_the_last_proof_counts_and_its_misses_do_not_hide_each_other(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = "INSERT INTO proofs (trade_date, status, equations, plan_cash, recorded_at) VALUES ($1, $2, $3, '{}', $4)"
    sides = {"a = b cents": (5, 3), "c = d cents": (1, 4), "e = f units": (9, 8), "g = h cents": (7, 7)}
    broken = json.dumps(
        {name: {"left": one, "right": other, "ok": one == other} for name, (one, other) in sides.items()}
    )
    async with books(infrastructure, "valuation") as (connection, service):
        await connection.execute(proof, MONDAY, "proven", "{}", EARLY)
        await connection.execute(proof, TUESDAY, "broken", broken, LATE)
        found = await gauges(connection, service, monkeypatch)
        assert found["nestwork_conservation_breaks",] == 3
        assert found["nestwork_conservation_error_cents",] == 5
        assert found["nestwork_conservation_error_units",] == 1
        assert found["nestwork_last_proof_timestamp_seconds",] == EARLY.timestamp()
        await connection.execute(proof, FRIDAY, "proven", "{}", LATE)
        found = await gauges(connection, service, monkeypatch)
    assert (found["nestwork_conservation_breaks",], found["nestwork_unproven_dates",]) == (0, 1)

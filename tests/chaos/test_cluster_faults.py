"""Every fault one machine can have, at random, on three brokers and a PostgreSQL with failover, under load."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from datetime import date
from pathlib import Path

import aiohttp

from deploy.cluster.spec import SERVICES
from deploy.operate.proof import prove
from tests.chaos.conftest import MINUTES, RATE, SEED, SUMMARY
from tests.support.chaos_bounds import DAY_SECONDS
from tests.support.chaos_checker import Judge
from tests.support.chaos_cluster import open_field
from tests.support.chaos_days import Days, answered_by_all
from tests.support.chaos_field import Field
from tests.support.chaos_schedule import HEAL_SECONDS, Schedule
from tests.support.chaos_world import FUNDS, PLANS


async def positions_departing(field: Field, judge: Judge) -> list[str]:
    """Where valuation's pages show other shares than the public logs make, in either direction."""
    shown: dict[tuple[str, str, str], dict[str, int]] = {}
    async with aiohttp.ClientSession() as http:
        for plan in PLANS:
            async with http.get(f"{field.cluster.web_url('valuation')}/v1/plans/{plan}/balances") as answer:
                for person in (await answer.json())["participants"]:
                    for row in person["positions"]:
                        units = int(row["shares"].replace(".", ""))
                        assert len(row["shares"].partition(".")[2]) == FUNDS[row["fund_id"]]
                        key = (plan, person["participant_id"], row["source"])
                        shown.setdefault(key, {})[row["fund_id"]] = units
    return [
        f"{key} should hold {judge.positions.get(key)} and holds {shown.get(key)}"
        for key in shown.keys() | judge.positions.keys()
        if Counter(shown.get(key, {})) != Counter(judge.positions.get(key, {}))
    ]


async def balances_departing(field: Field, judge: Judge, days: list[date]) -> list[str]:
    """Where the balances of a date differ from the judge's, in either direction: also of dates whose prices changed."""
    shown: dict[tuple[str, str, str], int | None] = {}
    async with aiohttp.ClientSession() as http:
        for day in days:
            for plan in PLANS:
                url = f"{field.cluster.web_url('valuation')}/v1/plans/{plan}/balances?as_of={day}"
                async with http.get(url) as answer:
                    for person in (await answer.json())["participants"]:
                        shown[day.isoformat(), plan, person["participant_id"]] = person["balance_cents"]
    return [
        f"the balance of {key} should be {judge.balances.get(key)} and is {shown.get(key)}"
        for key in shown.keys() | judge.balances.keys()
        if (shown.get(key) or 0) != (judge.balances.get(key) or 0)
    ]


async def runs_departing(field: Field, judge: Judge) -> list[str]:
    """Where a run has other cash than was paid in the log, or other lines accepted or released than it paid for."""
    found = []
    async with aiohttp.ClientSession() as http:
        for payroll, cents in judge.paid.items():
            async with http.get(f"{field.cluster.web_url('contribution')}/v1/payrolls/{payroll}") as answer:
                page = await answer.json()
            told = {name: page.get(name) for name in ("cash_cents", "accepted_cents", "released_cents")}
            if set(told.values()) != {cents}:
                found.append(f"{payroll} was paid {cents} and says {told}")
    return found


async def outboxes_departing(field: Field) -> list[str]:
    """Services that keep something to be said: what was decided is published in the end, and then removed."""
    deadline = time.monotonic() + HEAL_SECONDS
    while True:
        rows = {name: await field.sql(f"nestwork_{name}", "SELECT count(*) FROM outbox") for name in SERVICES}
        left = [f"{name} keeps {found[0][0]} rows to be published" for name, found in rows.items() if found[0][0]]
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.5)


async def test_random_faults_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    started = time.monotonic()
    async with open_field(tmp_path, SEED, small_disks=True) as field:
        days, schedule = Days(field, RATE, DAY_SECONDS), Schedule(field)
        await days.open()
        over, calm = asyncio.Event(), asyncio.Event()

        async def suffer() -> None:
            await schedule.run(over)
            calm.set()

        async def watch_the_clock() -> None:
            await asyncio.sleep(MINUTES * 60)
            over.set()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(suffer())
                group.create_task(watch_the_clock())
                group.create_task(days.run(MINUTES * 60, calm))
        finally:
            record(schedule, {"seed": SEED, "failed": True})
        await answered_by_all(field.load)
        judge = Judge(field.settings)
        wrong = await judge.judge(field.load.acked)
        wrong += await positions_departing(field, judge)
        wrong += await balances_departing(field, judge, days.valued)
        wrong += await runs_departing(field, judge)
        wrong += await outboxes_departing(field)
        for day in days.valued:
            proof, *_ = await prove(field.settings, day)
            wrong += [f"{day}: {equation}" for equation in proof.equations if not equation.ok]
            wrong += [f"{day}: {name}" for name in proof.engine_broken]
        record(
            schedule, {"seed": SEED, "seconds": round(time.monotonic() - started), "wrong": len(wrong), **judge.figures}
        )
        assert wrong == [], f"seed {SEED}: {len(wrong)} complaints, first {wrong[:10]}"


def record(schedule: Schedule, figures: dict[str, object]) -> None:
    """Print what happened at the end of all tests, and write it where CHAOS_OUT says."""
    SUMMARY[:] = [f"long run: {figures}", *schedule.summary()]
    out = os.environ.get("CHAOS_OUT")
    if out:
        Path(out).write_text(json.dumps({"figures": figures, "episodes": schedule.as_json()}, indent=1))

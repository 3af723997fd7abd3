"""Workers die at the worst moments; the books, the answers and the orders are those of a day without faults."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from tests.chaos.conftest import SEED
from tests.support.chaos_payday import DATES
from tests.support.chaos_run import SERVICES, Run, run_payday

POINTS = ("before_commit", "after_commit", "after_publish")


@pytest.mark.chaos_short
async def test_each_service_killed_at_each_point_leaves_no_trace(payday: Path, undisturbed: Run) -> None:
    dice = random.Random(SEED)

    async def kill_everywhere(run: Run, _day: date, phase: str) -> None:
        if phase in ("published", "closed"):
            for service in SERVICES:
                for point in POINTS:
                    run.wishes.wish(service, point, passing=dice.randint(1, 3))

    run = await run_payday(payday, disturb=kill_everywhere)
    assert run.departures(undisturbed) == []


@pytest.mark.parametrize("service", SERVICES)
async def test_killed_again_and_again_at_every_point(payday: Path, undisturbed: Run, service: str) -> None:
    killed: list[int] = []

    async def keep_killing(run: Run) -> None:
        dice = random.Random(f"{SEED}{service}")
        while True:
            point = dice.choice((*POINTS, "before_removal", "before_claim"))
            before = len(run.wishes.done(service, point))
            is_claim = point == "before_claim"
            run.wishes.wish(service, point, passing=1 if is_claim else dice.randint(1, 4))
            if is_claim:  # Nobody claims while all is well.
                run.running.kill_worker(service)
            killed.append(await run.wishes.obeyed(service, point, times=before + 1, seconds=300))

    run = await run_payday(payday, background=keep_killing, wait_seconds=200)
    assert run.departures(undisturbed) == []
    assert killed


async def test_an_owner_killed_while_the_group_rebalances(payday: Path, undisturbed: Run) -> None:
    async def kill_two(run: Run, _day: date, phase: str) -> None:
        if phase == "published":
            for service in SERVICES:
                run.wishes.wish(service, "before_claim")
                run.running.kill_worker(service, 1)

    run = await run_payday(payday, workers=2, disturb=kill_two, wait_seconds=200)
    assert run.departures(undisturbed) == []


async def test_the_broker_dies_while_money_moves(payday: Path, undisturbed: Run) -> None:
    async def restart(run: Run, day: date, phase: str) -> None:
        if phase in ("published", "valued") and day.isoformat() == DATES[0]:
            await run.running.restart_broker()

    run = await run_payday(payday, disturb=restart, wait_seconds=200)
    assert run.departures(undisturbed) == []


@pytest.mark.chaos_short
async def test_the_database_dies_while_money_moves(payday: Path, undisturbed: Run) -> None:
    async def restart(run: Run, day: date, phase: str) -> None:
        if phase in ("published", "closed") and day.isoformat() == DATES[0]:
            await run.running.restart_postgres()

    run = await run_payday(payday, disturb=restart, wait_seconds=200)
    assert run.departures(undisturbed) == []

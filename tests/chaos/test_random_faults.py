"""For as long as asked: every kind of fault, at random times, on several workers of every service."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path

from tests.chaos.conftest import MINUTES, SEED
from tests.support.chaos_payday import write_payday
from tests.support.chaos_run import Run, run_payday

FREEZE_SECONDS = 8.0
"""Longer than the session timeout, so that others take over."""


async def hurt(run: Run, dice: random.Random) -> None:
    """One fault, and its end where it has one."""
    cluster = run.running
    service = dice.choice(("contribution", "allocation", "trading", "valuation"))
    index = dice.randint(0, 1)
    kind = dice.choices(("kill", "freeze", "postgres", "broker"), weights=(12, 3, 1, 1))[0]
    if kind == "kill":
        cluster.kill_worker(service, index)
    elif kind == "freeze":
        identity = cluster.worker(service, index).identity
        identity.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(FREEZE_SECONDS)
        finally:
            identity.send(signal.SIGCONT)
    elif kind == "postgres":
        await cluster.restart_postgres()
    else:
        await cluster.restart_broker()


async def test_random_faults_leave_no_trace(tmp_path: Path) -> None:
    deadline = time.monotonic() + MINUTES * 60
    seed = SEED
    while True:
        payday = write_payday(tmp_path / f"payday-{seed}.yaml", seed)
        undisturbed = await run_payday(payday)
        dice = random.Random(seed)

        async def keep_hurting(run: Run, dice: random.Random = dice) -> None:
            while True:
                await asyncio.sleep(dice.uniform(0.5, 6.0))
                await hurt(run, dice)

        run = await run_payday(payday, workers=2, background=keep_hurting, wait_seconds=300)
        assert run.departures(undisturbed) == [], f"seed {seed}"
        seed += 1
        if time.monotonic() > deadline:
            return

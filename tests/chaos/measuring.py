"""How long the engine stands still when workers die or are replaced: ``python -m tests.chaos.measuring [FILE]``.

Dynamic against static group membership (ADR 0006), on one broker with two workers of each service under a light load.
Prints JSON; with a file, writes it there as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp

from deploy.cluster.spec import SERVICES
from shared.values.trading_days import next_trading_day
from tests.chaos.worker import STATIC_VARIABLE
from tests.support.chaos_bounds import HEAD_DAY
from tests.support.chaos_cluster import open_field
from tests.support.chaos_days import Days
from tests.support.chaos_field import Field
from tests.support.chaos_load import Load

RATE = 40.0
TIMES = 3
SETTLE_SECONDS = 8.0

GIVE_UP_SECONDS = 120.0


async def owners(field: Field, service: str) -> dict[int, str]:
    """Who claimed each lane last."""
    rows = await field.sql(f"nestwork_{service}", "SELECT lane, owner FROM lanes ORDER BY lane")
    return {row["lane"]: row["owner"] for row in rows}


async def until_claimed_anew(field: Field, service: str, lanes: set[int], before: dict[int, str]) -> float:
    """Seconds until these lanes have another owner than before."""
    started = time.monotonic()
    while time.monotonic() - started < GIVE_UP_SECONDS:
        now = await owners(field, service)
        if all(now[lane] != before[lane] for lane in lanes):
            return time.monotonic() - started
        await asyncio.sleep(0.05)
    return GIVE_UP_SECONDS


async def lanes_of(field: Field, service: str, index: int) -> set[int]:
    """The lanes a worker says it owns."""
    async with aiohttp.ClientSession() as http, http.get(f"{field.cluster.web_url(service, index)}/readyz") as answer:
        return set((await answer.json())["lanes"])


async def killed(field: Field, *, comes_back: bool) -> float:
    """kill -9 of a contribution worker: seconds until somebody has all its lanes."""
    name = "contribution-1"
    await field.cluster.wait_ready(timeout=GIVE_UP_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS)
    lanes, before = await lanes_of(field, "contribution", 1), await owners(field, "contribution")
    if not comes_back:
        field.cluster.hold(name)
    field.cluster.process(name).identity.send(signal.SIGKILL)
    seconds = await until_claimed_anew(field, "contribution", lanes, before)
    field.cluster.release(name)
    return seconds


class Waits:
    """The longest that lines waited, second by second."""

    def __init__(self, load: Load) -> None:
        self.load, self.samples = load, [0.0]

    async def watch(self) -> None:
        """Sample for ever."""
        while True:
            self.samples.append(self.load.oldest())
            await asyncio.sleep(0.1)

    def taken(self) -> dict[str, float]:
        """The longest wait, and the time during which some line waited over a second; starts anew."""
        samples, self.samples = self.samples, [0.0]
        return {"longest_wait_s": round(max(samples), 2), "above_1_s_for_s": round(sum(s > 1 for s in samples) / 10, 1)}


async def rolling_restart(field: Field) -> float:
    """SIGTERM worker after worker of every service, each when the one before is ready again; returns the seconds."""
    started = time.monotonic()
    for service in SERVICES:
        for index in range(field.workers):
            await field.cluster.restart(f"{service}-{index}", signal.SIGTERM)
    return time.monotonic() - started


async def measure(folder: Path, *, static: bool) -> dict[str, Any]:
    """All figures of one kind of membership."""
    environment = {STATIC_VARIABLE: "on" if static else ""}
    async with open_field(
        folder, 1, brokers=1, worker_module="tests.chaos.entry.{service}", environment=environment
    ) as field:
        days = Days(field, RATE, 0)
        await days.open()
        day: date = next_trading_day(HEAD_DAY)
        over = asyncio.Event()
        waits = Waits(field.load)
        beside = [asyncio.create_task(field.load.stream(day, RATE, over)), asyncio.create_task(waits.watch())]
        try:
            await asyncio.sleep(SETTLE_SECONDS)
            waits.taken()
            await asyncio.sleep(12)
            found: dict[str, Any] = {"calm": waits.taken()}
            found["killed_and_gone_s"] = [round(await killed(field, comes_back=False), 2) for _ in range(TIMES)]
            found["killed_and_gone"] = waits.taken()
            found["killed_and_back_s"] = [round(await killed(field, comes_back=True), 2) for _ in range(TIMES)]
            found["killed_and_back"] = waits.taken()
            await field.cluster.wait_ready(timeout=GIVE_UP_SECONDS)
            await asyncio.sleep(SETTLE_SECONDS)
            waits.taken()
            found["rolling_restart_s"] = round(await rolling_restart(field), 1)
            await asyncio.sleep(SETTLE_SECONDS)
            found["rolling_restart"] = waits.taken()
        finally:
            over.set()
            for task in reversed(beside):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
    return found


async def main() -> None:
    """Measure both and say so."""
    found: dict[str, Any] = {"load_average_before": os.getloadavg()[0]}
    for name, static in (("dynamic", False), ("static", True)):
        with tempfile.TemporaryDirectory(prefix="nestwork-measure-", ignore_cleanup_errors=True) as folder:
            found[name] = await measure(Path(folder), static=static)
        found["load_average_after"] = os.getloadavg()[0]
        text = json.dumps(found, indent=1)
        if len(sys.argv) > 1:
            Path(sys.argv[1]).write_text(text + "\n")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    asyncio.run(main())

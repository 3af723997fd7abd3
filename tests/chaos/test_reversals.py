"""Reversals while workers are killed, on another number of lanes: the books are the same."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date
from itertools import cycle
from pathlib import Path

import pytest

from deploy.cluster import Cluster
from deploy.operate.books import SERVICES
from deploy.operate.state_hash import state_hash
from deploy.operate.target import of_folder
from tests.support.operated import operated_cluster

TEXT = (Path(__file__).parents[1] / "scenarios" / "reversals-after-trade.yaml").read_text()
LAST = date(2026, 11, 24)
KILLS = 10
SECONDS_BETWEEN_KILLS = 2.5


async def test_killed_workers_and_one_lane_make_the_same_books(tmp_path_factory: pytest.TempPathFactory) -> None:
    calm = await operated_cluster(tmp_path_factory.mktemp("calm"), text=TEXT)
    try:
        mine = await state_hash(of_folder(calm.folder), LAST)
    finally:
        await calm.stop()
    killing: list[asyncio.Task[None]] = []
    other = await operated_cluster(
        tmp_path_factory.mktemp("killed"),
        partitions=1,
        text=TEXT,
        on_start=lambda cluster: killing.append(asyncio.create_task(kill(cluster))),
    )
    try:
        for task in killing:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        theirs = await state_hash(of_folder(other.folder), LAST)
        restarts = sum(other.worker(service).restarts for service in SERVICES)
    finally:
        await other.stop()
    assert restarts > 0
    assert mine.differing_tables(theirs) == []
    assert mine.overall == theirs.overall


async def kill(cluster: Cluster) -> None:
    """kill -9 of one service's worker after the other, while money moves back."""
    for _, service in zip(range(KILLS), cycle(SERVICES), strict=False):
        await asyncio.sleep(SECONDS_BETWEEN_KILLS)
        cluster.kill_worker(service)

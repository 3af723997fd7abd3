"""Many random scenarios on real clusters of several shapes; every second cluster loses workers on the way.

Run by `make test-random SEEDS="1 2 3" FILES=200`; `make test` runs a few of a fixed seed with the others.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.cluster import Cluster
from deploy.scenarios.runner import run_files
from tests.scenarios.random.__main__ import write

SEEDS = [int(seed) for seed in os.environ.get("RANDOM_SEEDS", "1 2 3 4").split()]
FILES = int(os.environ.get("RANDOM_FILES", "200"))
SHAPES = ((1, 1), (2, 4), (1, 4), (3, 16))
SERVICES = ("contribution", "allocation", "trading", "valuation")


async def keep_killing(cluster: Cluster, chance: random.Random, workers: int) -> None:
    """End a random worker without notice, again and again; the supervisor starts it anew."""
    while True:
        await asyncio.sleep(chance.uniform(7, 16))
        with suppress(ProcessLookupError, KeyError):
            cluster.kill_worker(chance.choice(SERVICES), chance.randrange(workers))


@pytest.mark.parametrize("kills", [False, True], ids=["undisturbed", "killed"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_random_scenarios_come_out_as_the_model_says(seed: int, kills: bool, tmp_path: Path) -> None:
    workers, partitions = SHAPES[seed % len(SHAPES)]
    chance, tasks = random.Random(seed), []

    async def factory(folder: Path, partitions: int, workers: int, actions: Path) -> Cluster:
        count_by_service = dict.fromkeys(SERVICES, workers)
        cluster = await Cluster.start(
            folder, partitions=partitions, workers=count_by_service, custodian_actions=actions
        )
        if kills:
            tasks.append(asyncio.create_task(keep_killing(cluster, chance, workers)))
        return cluster

    try:
        runs = await run_files(
            write(seed, FILES, tmp_path), workers=workers, partitions=partitions, cluster_factory=factory
        )
    finally:
        for task in tasks:
            task.cancel()
    assert {run.file: run.differences[:5] for run in runs if run.differences} == {}

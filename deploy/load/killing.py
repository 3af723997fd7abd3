"""kill -9 of workers while lines come in; the supervisor of the embedded cluster starts them again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deploy.cluster import Cluster, ClusterError

READY_SECONDS_MAX = 60.0


@dataclass
class Blow:
    """One kill: who, when (seconds since 1970), and how long until it was ready again."""

    worker: str
    at: float
    ready_after: float | None = None


async def kill_workers(  # One call says all of a kill run: whom, when, who looks first, where it is noted.
    cluster: Cluster,
    began: float,
    moments: Sequence[float],
    seed: int,
    look: Callable[[], None],
    blows: list[Blow],
) -> None:
    """Kill a random worker at each of ``moments`` (seconds after ``began``); every blow is added to ``blows``.

    ``look`` is called right before a blow: what the worker used until then is asked of a living
    process. A blow does not wait until the worker before is back. One that is dead already can't be hit.
    """
    dice = random.Random(seed)
    async with asyncio.TaskGroup() as watching:
        for moment in moments:
            await asyncio.sleep(max(0.0, began + moment - time.time()))
            chosen = dice.choice(sorted(cluster.worker_pids()) or sorted(one.name for one in cluster.workers()))
            service, _, index = chosen.rpartition("-")
            look()
            blow = Blow(chosen, time.time())
            blows.append(blow)
            cluster.kill_worker(service, int(index))
            watching.create_task(_watch(cluster, blow))


async def _watch(cluster: Cluster, blow: Blow) -> None:
    """Note when the service that lost a worker is whole again."""
    await asyncio.sleep(0.2)  # The supervisor must have seen the death before readiness means anything.
    with suppress(ClusterError):
        await cluster.wait_ready(blow.worker.rpartition("-")[0], timeout=READY_SECONDS_MAX)
        blow.ready_after = round(time.time() - blow.at, 3)

"""kill -9 of workers while lines come in; the supervisor of the embedded cluster starts them again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.cluster import Cluster, ClusterError

READY_SECONDS_MAX = 60.0


@dataclass
class Blow:
    """One kill: who, when (seconds since 1970), and how long until it was ready again."""

    worker: str
    at: float
    ready_after: float | None = None


async def kill_workers(cluster: Cluster, began: float, moments: Sequence[float], seed: int, blows: list[Blow]) -> None:
    """Kill a random worker at each of ``moments`` (seconds after ``began``); every blow is added to ``blows``."""
    dice = random.Random(seed)
    for moment in moments:
        await asyncio.sleep(max(0.0, began + moment - time.time()))
        chosen = dice.choice(sorted(record.name for record in cluster.workers()))
        service, _, index = chosen.rpartition("-")
        blow = Blow(chosen, time.time())
        blows.append(blow)
        cluster.kill_worker(service, int(index))
        await asyncio.sleep(0.2)  # The supervisor must have seen the death before readiness means anything.
        try:
            await cluster.wait_ready(service, timeout=READY_SECONDS_MAX)
            blow.ready_after = round(time.time() - blow.at, 3)
        except ClusterError:
            continue

"""Which lanes have a worker that answers, watched all the time: how long a lane was nobody's, how many were ready."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from deploy.cluster import Cluster
from deploy.cluster.spec import SERVICES

SAMPLE_SECONDS = 0.25
ANSWER_SECONDS = 1.0
"""A worker that does not say within this what it has counts for nothing: it may be frozen."""


class LaneWatch:
    """Asks the ``/readyz`` of every worker. A worker that died or froze has no lanes, whatever it had."""

    def __init__(self, cluster: Cluster, workers: int, partitions: int, doubles: dict[str, str]) -> None:
        self.cluster, self.workers, self.partitions = cluster, workers, partitions
        self.doubles = doubles
        """Further workers: the address of their pages, and their service. Their lanes count, whether ready or not."""
        self.looked_at = 0.0
        """When the last look began."""
        self.lacking_since: dict[tuple[str, int], float] = {}
        self.longest = 0.0
        self.ready_least = workers * len(SERVICES)

    def begin(self) -> None:
        """Count anew, for another fault."""
        now = time.monotonic()
        self.lacking_since = dict.fromkeys(self.lacking_since, now)
        self.longest, self.ready_least = 0.0, self.workers * len(SERVICES)

    def is_whole_since(self, moment: float) -> bool:
        """Whether the last look began after ``moment`` and found a worker for every lane."""
        return moment <= self.looked_at and not self.lacking_since

    def lacking(self) -> list[str]:
        """The lanes nobody has."""
        return sorted(f"{service}/{lane}" for service, lane in self.lacking_since)

    async def run(self) -> None:
        """Look for ever."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                await self._look(http)
                await asyncio.sleep(SAMPLE_SECONDS)

    async def _look(self, http: aiohttp.ClientSession) -> None:
        asked = time.monotonic()
        names = [(service, index) for service in SERVICES for index in range(self.workers)]
        urls = [(service, self.cluster.web_url(service, index)) for service, index in names]
        urls += [(service, url) for url, service in self.doubles.items()]
        answers = await asyncio.gather(*(self._ask(http, url) for _, url in urls))
        had = {(service, lane) for (service, _), (_, lanes) in zip(urls, answers, strict=True) for lane in lanes}
        self.ready_least = min(self.ready_least, sum(ready for ready, _ in answers[: len(names)]))
        lacking = {(service, lane) for service in SERVICES for lane in range(self.partitions)} - had
        now = time.monotonic()
        for one in self.lacking_since.keys() - lacking:
            self.longest = max(self.longest, now - self.lacking_since.pop(one))
        for one in lacking:
            self.longest = max(self.longest, now - self.lacking_since.setdefault(one, asked))
        self.looked_at = asked

    async def _ask(self, http: aiohttp.ClientSession, url: str) -> tuple[bool, list[int]]:
        """Whether a worker calls itself ready, and its lanes."""
        try:
            async with http.get(f"{url}/readyz") as answer:
                return answer.status == 200, (await answer.json())["lanes"]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            return False, []

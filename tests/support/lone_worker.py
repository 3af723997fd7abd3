"""One worker of one lane of a real service's database, driven a poll and a beat at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from shared.runtime.beats import Beats
from shared.runtime.definition import Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, claim_lanes
from shared.runtime.work import Work

PER_POLL = 4_000


class LoneWorker:
    """Owns lane 0; facts are what a test puts into its cache."""

    def __init__(self, service: Service, connection: Any, facts: FactCache) -> None:
        self.service, self.connection, self.facts = service, connection, facts
        self.lanes: dict[int, Lane] = {}

    async def claim(self) -> None:
        """Take the lane, as after a start or a crash: what was in memory is gone."""

        async def answers() -> bool:
            return True

        self.lanes, _ = await claim_lanes(self.connection, self.service, Guards(), [0], 1, "me", answers)
        self.beats = Beats(self.service, 1)

    async def send_to(self, handler: Callable[[Work, Any], Awaitable[None]], items: Sequence[Any]) -> None:
        """Polls of these items."""
        for start in range(0, len(items), PER_POLL):
            work = self._work()
            async with self.connection.transaction():
                await handler(work, items[start : start + PER_POLL])
                await work.flush()
            work.committed()

    async def beat(self) -> bool:
        """One beat; true when the next is due at once."""
        work = self._work()
        async with self.connection.transaction():
            moved = await self.beats.step(work, self.lanes)
            await work.flush()
        work.committed()
        return moved

    def _work(self) -> Work:
        return Work(self.connection, self.service, self.lanes, self.facts, Guards())

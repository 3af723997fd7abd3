"""What a worker fetches while its buffers are full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from aiokafka import TopicPartition

from shared.runtime.intake import BYTES_BUFFERED_MAX, PARTITION_BYTES_MAX, Intake
from tests.support.fetched import Fetched

LINES = [TopicPartition("lines", partition) for partition in range(8)]
MARKERS = TopicPartition("markers", 0)
RECORD_BYTES = 1_000_000
ENDLESS = 10**6


class Logs:
    """A consumer over logs of large records, as much of them as Intake uses."""

    def __init__(self, lengths: dict[TopicPartition, int]) -> None:
        self.lengths, self.positions = lengths, dict.fromkeys(lengths, 0)
        self.stopped: set[TopicPartition] = set()
        self.fetches = 0

    def assign(self, places: list[TopicPartition]) -> None:
        assert set(places) == set(self.lengths)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.positions[place] = offset

    def paused(self) -> set[TopicPartition]:
        return set(self.stopped)

    def pause(self, *places: TopicPartition) -> None:
        self.stopped |= set(places)

    def resume(self, *places: TopicPartition) -> None:
        self.stopped -= set(places)

    async def getmany(self, *places: TopicPartition, **_: Any) -> dict[TopicPartition, list[Fetched]]:
        """Two records of each partition asked for that has any."""
        self.fetches += 1
        await asyncio.sleep(0)
        found = {}
        for place in places:
            assert place not in self.stopped
            first = self.positions[place]
            self.positions[place] = last = min(first + 2, self.lengths[place])
            if last > first:
                value = bytes(RECORD_BYTES)
                found[place] = [Fetched(place.topic, place.partition, n, value=value) for n in range(first, last)]
        return found


def fetching(lengths: dict[TopicPartition, int], check: Callable[[Intake, Logs], Coroutine[Any, Any, None]]) -> None:
    """Run an intake over the logs while ``check`` looks at it."""

    async def both() -> None:
        logs = Logs(lengths)
        intake = Intake(asyncio.Event(), lambda: logs)  # type: ignore[arg-type,return-value]
        intake.assign(dict.fromkeys(lengths, 0))
        task = asyncio.create_task(intake.run())
        try:
            await check(intake, logs)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(both())


async def turns(count: int = 100) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_partition_with_nothing_buffered_is_fetched_although_others_hold_all_room() -> None:
    """The full ones may wait for what the empty one has to say: nothing would ever move again."""

    async def check(intake: Intake, logs: Logs) -> None:
        await turns()
        assert intake.size > BYTES_BUFFERED_MAX
        logs.lengths[MARKERS] = 1
        await turns()
        assert len(intake.buffers[MARKERS].records) == 1

    fetching(dict.fromkeys(LINES, ENDLESS) | {MARKERS: 0}, check)


def test_what_is_buffered_is_bounded_by_the_limit_and_a_fetch_of_each_partition() -> None:
    async def check(intake: Intake, logs: Logs) -> None:
        await turns(500)
        assert intake.size <= BYTES_BUFFERED_MAX + (len(LINES) + 1) * 2 * (RECORD_BYTES + 100)
        assert all(buffer.size <= PARTITION_BYTES_MAX + 2 * RECORD_BYTES for buffer in intake.buffers.values())

    fetching(dict.fromkeys(LINES, ENDLESS) | {MARKERS: ENDLESS}, check)


def test_nothing_is_asked_for_while_every_partition_has_enough_and_fetching_goes_on_when_there_is_room() -> None:
    async def check(intake: Intake, logs: Logs) -> None:
        await turns()
        before = logs.fetches
        await turns()
        assert logs.fetches == before
        for place in LINES:
            intake.took(place, len(intake.buffers[place].records))
        await turns()
        assert logs.fetches > before
        assert all(intake.buffers[place].records for place in LINES)

    fetching(dict.fromkeys(LINES, ENDLESS), check)

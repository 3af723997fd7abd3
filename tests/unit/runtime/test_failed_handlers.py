"""What a handler that fails leaves behind: one parked participant, and caches that say what the rows say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

from shared.runtime.applying import run_handler
from shared.runtime.definition import Kind, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane
from shared.runtime.records import PublicRecord
from shared.runtime.work import Work

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Rows:
    """A table of names, with savepoints."""

    def __init__(self) -> None:
        self.names = {"before"}

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        before = set(self.names)
        try:
            yield
        except BaseException:
            self.names = before
            raise


async def cached(rows: Any, lanes: list[int]) -> dict[int, set[str]]:
    return {lane: set(rows.names) for lane in lanes}


async def remember_and_fail_at_bad(work: Work, items: list[PublicRecord]) -> None:
    for item in items:
        work.connection.names.add(item.key)
        work.lanes[item.lane].cache.add(item.key)
        work.emit(item.lane, "out", key=None, ce_type="t", ce_id=item.key, value=b"", recorded_at=NOON)
        work.count(item.lane, item.topic, item.trade_date, "decided")
        if item.key == "bad":
            raise ValueError("this one cannot be applied")


def an_item(offset: int, key: str) -> PublicRecord:
    day = date(2026, 11, 20)
    return PublicRecord(0, "lines", offset, NOON, day, key, f"id-{offset}", "/test", "line", bytes(16), bytes(16), {})


def test_a_handler_that_fails_leaves_nothing_of_its_own_in_the_caches_nor_in_what_is_said() -> None:
    service = Service("a", (), on_claim=cached)
    lane = Lane(0, 1, 1, 1, NOON, cache={"before"})
    work = Work(Rows(), service, {0: lane}, FactCache(()), Guards())
    kind = Kind("line", lambda _record: [], remember_and_fail_at_bad, PublicRecord)
    asyncio.run(run_handler(work, kind, [an_item(1, "good"), an_item(2, "bad"), an_item(3, "better")]))
    assert [item.key for item in work.parked] == ["bad"]
    assert lane.cache == {"before", "good", "better"}
    assert [said.ce_id for said in work.messages[0, "out", 0]] == ["good", "better"]
    assert {outcome: count for (_, _, _, outcome), count in work.counts.items()} == {"decided": 2, "parked": 1}

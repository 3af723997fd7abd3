"""The two checks under the row locks, each alone: what an owner of the past and a blind retry would do without them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition

from deploy.cluster import Infrastructure
from shared.events.topics import CONTRIBUTIONS_RELEASED, PAYROLL_CONTRIBUTIONS
from shared.runtime import migrations
from shared.runtime.definition import Input, Service
from shared.runtime.errors import Fenced
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, claim_lanes, prepare_lanes
from shared.runtime.outbox import remove_published
from shared.runtime.poll import Poll
from shared.runtime.slicing import Slice
from shared.runtime.work import Work
from tests.support.chaos_guards import NoClaim, NoOffset
from tests.support.cluster import fresh_database

TILL = Service(name="till", inputs=(Input(PAYROLL_CONTRIBUTIONS, ()),))
NOON = datetime(2026, 11, 18, 17, tzinfo=UTC)


@pytest.fixture
async def connection(infrastructure: Infrastructure) -> AsyncIterator[Any]:
    """A database with the frame's own tables and one lane."""
    opened = await asyncpg.connect(await fresh_database(infrastructure, "till"))
    for file in sorted((Path(migrations.__file__).parent / "migrations_frame").glob("*.sql")):
        await opened.execute(file.read_text())
    await prepare_lanes(opened, TILL, 1)
    yield opened
    await opened.close()


async def is_member() -> bool:
    return True


async def claim(connection: Any, generation: int) -> Lane:
    """Take the lane as the member of ``generation`` would."""
    lanes, _ = await claim_lanes(connection, TILL, Guards(), [0], generation, f"owner {generation}", is_member)
    return lanes[0]


async def say(connection: Any, guards: Guards, lane: Lane, text: bytes) -> Work:
    """One poll transaction without records: lock, check, put one message into the outbox."""
    poll = Poll(TILL, guards, b"secret", False, 1)
    async with connection.transaction():
        work = Work(connection, TILL, {0: lane}, FactCache(()), guards)
        await poll.lock(work, [lane])
        work.emit(
            0, CONTRIBUTIONS_RELEASED.name, key=None, ce_type="t", ce_id=text.decode(), value=text, recorded_at=NOON
        )
        await work.flush()
    work.committed()
    return work


async def published(connection: Any, work: Work) -> None:
    """Remove what a poll said, as after its publication."""
    ends = {(row.lane, row.topic, row.partition): (row.epoch, row.last_seq) for row in work.rows}
    await remove_published(connection, ends)


async def test_an_owner_of_the_past_says_nothing(connection: Any) -> None:
    past, present = await claim(connection, 1), await claim(connection, 2)
    await published(connection, await say(connection, Guards(), present, b"from the owner"))
    with pytest.raises(Fenced):
        await say(connection, Guards(), past, b"from the past")


async def test_without_the_claim_check_two_messages_get_one_number(connection: Any) -> None:
    """The reader would drop the second as a repeat of the first: released money that never arrives."""
    past, present = await claim(connection, 1), await claim(connection, 2)
    ours = await say(connection, Guards(), present, b"from the owner")
    await published(connection, ours)
    theirs = await say(connection, Guards(claim=NoClaim()), past, b"from the past")
    assert [row.seq for row in ours.rows] == [row.seq for row in theirs.rows]
    assert ours.rows[0].payload != theirs.rows[0].payload


async def move(connection: Any, guards: Guards, lane: Lane) -> None:
    """Commit a poll of three records and lose the reply: the memory of the lane stays where it was."""
    poll = Poll(TILL, guards, b"secret", False, 1)
    before = lane.inputs[PAYROLL_CONTRIBUTIONS.name]
    after = before.copy()
    after.next_offset = before.next_offset + 3
    place = TopicPartition(PAYROLL_CONTRIBUTIONS.name, 0)
    async with connection.transaction():
        work = Work(connection, TILL, {0: lane}, FactCache(()), guards)
        await poll.lock(work, [lane])
        await poll.move(work, [Slice(place, TILL.inputs[0], lane, before, after, taken=3)])
        work.count(0, place.topic, NOON.date(), "offsets", 3)
        await work.flush()


async def counted(connection: Any) -> int:
    return int(await connection.fetchval("SELECT sum(records) FROM input_counts"))


async def test_a_poll_repeated_blindly_is_refused(connection: Any) -> None:
    lane = await claim(connection, 1)
    await move(connection, Guards(), lane)
    with pytest.raises(Fenced):
        await move(connection, Guards(), lane)
    assert await counted(connection) == 3


async def test_without_the_position_check_a_poll_repeated_blindly_counts_twice(connection: Any) -> None:
    lane = await claim(connection, 1)
    guards = Guards(offsets=NoOffset())
    await move(connection, guards, lane)
    await move(connection, guards, lane)
    assert await counted(connection) == 6

"""The two checks under the row locks, each alone: what an owner of the past and a blind retry would do without them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka import TopicPartition

from deploy.cluster import Infrastructure
from shared.events.topics import PAYROLL_CONTRIBUTIONS
from shared.runtime.errors import Fenced
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane
from shared.runtime.outbox import OutboxRow, remove_published
from shared.runtime.slicing import Slice
from tests.support.chaos_guards import NoClaim, NoOffset
from tests.support.till import NOON, Till, open_till, say


@pytest_asyncio.fixture
async def till(infrastructure: Infrastructure) -> AsyncIterator[Till]:
    async with open_till(infrastructure) as opened:
        yield opened


async def said(till: Till, lanes: dict[int, Lane], text: str, guards: Guards | None = None) -> list[OutboxRow]:
    """Say something in one poll, and publish it; the rows it was written in."""
    async with till.poll(lanes, guards) as (_, work):
        say(work, text)
    ends = {(row.lane, row.topic, row.partition): (row.epoch, row.last_seq) for row in work.rows}
    await remove_published(till.connection, ends)
    return work.rows


async def test_an_owner_of_the_past_says_nothing(till: Till) -> None:
    past, present = await till.claim(1), await till.claim(2)
    await said(till, present, "from the owner")
    with pytest.raises(Fenced):
        await said(till, past, "from the past")


async def test_without_the_claim_check_two_messages_get_one_number(till: Till) -> None:
    """The reader would drop the second as a repeat of the first: released money that never arrives."""
    past, present = await till.claim(1), await till.claim(2)
    ours = await said(till, present, "from the owner")
    theirs = await said(till, past, "from the past", Guards(claim=NoClaim()))
    assert [row.seq for row in ours] == [row.seq for row in theirs]
    assert ours[0].payload != theirs[0].payload


async def move(till: Till, lanes: dict[int, Lane], guards: Guards | None = None) -> None:
    """Commit a poll of three records and lose the reply: the memory of the lane stays where it was."""
    place = TopicPartition(PAYROLL_CONTRIBUTIONS.name, 0)
    before = lanes[0].inputs[place.topic]
    after = before.copy()
    after.next_offset = before.next_offset + 3
    async with till.poll(lanes, guards) as (poll, work):
        await poll.move(work, [Slice(place, till.service.inputs[0], lanes[0], before, after, taken=3)])
        work.count(0, place.topic, NOON.date(), "offsets", 3)


async def counted(till: Till) -> int:
    return int(await till.connection.fetchval("SELECT sum(records) FROM input_counts"))


async def test_a_poll_repeated_blindly_is_refused(till: Till) -> None:
    lanes = await till.claim(1)
    await move(till, lanes)
    with pytest.raises(Fenced):
        await move(till, lanes)
    assert await counted(till) == 3


async def test_without_the_position_check_a_poll_repeated_blindly_counts_twice(till: Till) -> None:
    lanes, guards = await till.claim(1), Guards(offsets=NoOffset())
    await move(till, lanes, guards)
    await move(till, lanes, guards)
    assert await counted(till) == 6

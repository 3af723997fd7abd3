"""Claims on a real database and a real group: who may take a lane, and what becomes of those who hold its row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio

from deploy.cluster import Infrastructure
from shared.runtime.clients import Connection, connect
from shared.runtime.errors import Fenced
from shared.runtime.lanes import LOCK_LANES
from shared.runtime.membership import Membership
from tests.support.cluster import unique_topics
from tests.support.till import Till, answering, open_till, process_settings
from tests.support.waiting import eventually

BLOCKED = "SELECT cardinality(pg_blocking_pids($1)) > 0"
LOCK_ONE_NOW = "SELECT lane FROM lanes WHERE lane = $1 FOR UPDATE NOWAIT"


@pytest_asyncio.fixture
async def till(infrastructure: Infrastructure) -> AsyncIterator[Till]:
    async with open_till(infrastructure, lanes=2) as opened:
        yield opened


@asynccontextmanager
async def session(till: Till, **server_settings: str) -> AsyncIterator[Connection]:
    """One more connection of the frame."""
    connection = await connect(till.service.database, **server_settings)
    try:
        yield connection
    finally:
        connection.terminate()


# -- the heartbeat -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answered", [None, 6, 8])
async def test_a_claim_is_refused_unless_the_group_answers_at_its_generation(till: Till, answered: int | None) -> None:
    """8: the group told this worker of a new assignment while it waited for the rows of the old one."""
    owner = await till.claim(6)
    with pytest.raises(Fenced):
        await till.claim_asking(answering(answered), 7)
    async with till.poll(owner):
        pass


async def test_the_group_is_asked_while_the_rows_are_locked(till: Till) -> None:
    """So whoever freezes after the answer holds the rows, and is ended before the next one takes them."""
    async with session(till) as other:

        async def answered_at() -> int:
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.execute(LOCK_ONE_NOW, 0)
            return 1

        await till.claim_asking(answered_at, 1)
        assert await other.execute(LOCK_ONE_NOW, 0) == "SELECT 1"


async def test_a_group_that_began_anew_gives_its_lanes_away_below_the_stored_generation(till: Till) -> None:
    past = await till.claim(9)
    present = await till.claim(1)
    assert present[0].incarnation > past[0].incarnation
    with pytest.raises(Fenced):
        async with till.poll(past):
            pass


async def test_a_real_group_answers_at_its_own_generation_only(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "in", partitions=2)

    async def let_go() -> None:
        """Nothing is held."""

    async def has_lanes() -> bool:
        return member.assigned == [0, 1]

    with process_settings(infrastructure) as config:
        member = Membership(f"group-of-{topic}", topic, config, let_go)
        await member.start()
        try:
            await eventually(has_lanes)
            assert await member.answered_at() == member.generation
            member._coordinator.generation += 1  # As if it had slept through rebalances, or the group had begun anew.
            assert await member.answered_at() is None
        finally:
            await member.stop()


# -- the rows' locks ---------------------------------------------------------------------------------------------------


async def test_a_session_that_keeps_a_lane_locked_is_ended(till: Till) -> None:
    async with session(till) as frozen:
        await frozen.execute("BEGIN")
        await frozen.fetch(LOCK_LANES, [0])
        taken = await till.claim(1, (0, 1))
        assert taken.keys() == {0, 1}
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await frozen.execute("COMMIT")


async def test_a_worker_that_the_group_gave_up_ends_nobody_s_session(till: Till) -> None:
    """Cut off from Kafka and not from the database, it would end the rightful owner's again and again."""
    async with session(till) as owner:
        await owner.execute("BEGIN")
        await owner.fetch(LOCK_LANES, [0])
        with pytest.raises(asyncpg.LockNotAvailableError):
            await till.claim_asking(answering(None), 1)
        assert await owner.execute("COMMIT") == "COMMIT"


async def test_rows_are_locked_in_the_order_of_the_lanes_wherever_they_stand_in_the_table(till: Till) -> None:
    """Two that want several lanes could otherwise wait for each other."""
    await till.connection.execute("UPDATE lanes SET owner = 'moved behind lane 1' WHERE lane = 0")
    in_table_order = {"enable_indexscan": "off", "enable_bitmapscan": "off"}
    async with session(till) as first, session(till, **in_table_order) as second, session(till) as third:
        assert [row["lane"] for row in await second.fetch("SELECT lane FROM lanes")] == [1, 0]
        await first.execute("BEGIN")
        await first.fetch(LOCK_LANES, [0])
        waiting = asyncio.ensure_future(second.fetch(LOCK_LANES, [1, 0]))

        async def waits_for_the_first() -> bool:
            return bool(await third.fetchval(BLOCKED, second.get_server_pid()))

        await eventually(waits_for_the_first)
        assert await third.fetchval(LOCK_ONE_NOW, 1) == 1
        await first.execute("COMMIT")
        assert [row["lane"] for row in await waiting] == [0, 1]

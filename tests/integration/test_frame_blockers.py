"""Who may end the session that blocks a claim: only a worker that the group still knows."""

from __future__ import annotations

import contextlib

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from shared.runtime import clients
from shared.runtime.clients import connect
from shared.runtime.definition import Service
from shared.runtime.errors import Fenced
from shared.runtime.guards import Guards
from shared.runtime.lanes import LOCK_LANES, Lane, claim_lanes, prepare_lanes
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from tests.support.cluster import fresh_database

PREFIX = "nestwork_"


@pytest.fixture
async def service(infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service with one lane in a database of its own."""
    config = Settings(DATABASE_URL=infrastructure.server_url)
    monkeypatch.setattr(clients, "settings", lambda: config)
    database = (await fresh_database(infrastructure, f"{PREFIX}claims")).rpartition("/")[2]
    await migrate("allocation", config, database=database)
    made = Service(database.removeprefix(PREFIX), ())
    connection = await connect(made.database)
    await prepare_lanes(connection, made, 1)
    await connection.close()
    return made


async def claim_while_the_row_is_locked(service: Service, *, is_member: bool) -> tuple[bool, bool]:
    """Claim the lane of an owner that is amid a transaction: (was it claimed, was the owner's session ended)."""

    async def answers() -> int | None:
        return 1 if is_member else None

    lanes: dict[int, Lane] = {}
    owner, claimer = await connect(service.database), await connect(service.database)
    try:
        async with owner.transaction():
            await owner.fetch(LOCK_LANES, [0])
            with contextlib.suppress(asyncpg.LockNotAvailableError, Fenced):
                lanes, _ = await claim_lanes(claimer, service, Guards(), [0], 1, "claimer", answers)
            await owner.execute("UPDATE lanes SET owner = 'the owner'")
        return bool(lanes), False
    except (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError):
        return bool(lanes), True
    finally:
        owner.terminate()
        claimer.terminate()


async def test_a_member_ends_the_frozen_session_that_blocks_its_claim(service: Service) -> None:
    assert await claim_while_the_row_is_locked(service, is_member=True) == (True, True)


async def test_a_worker_that_the_group_gave_up_leaves_the_owner_alone(service: Service) -> None:
    assert await claim_while_the_row_is_locked(service, is_member=False) == (False, False)

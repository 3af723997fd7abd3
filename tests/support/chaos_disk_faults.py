"""Faults of servers whose disk is full for a while: the leading PostgreSQL, or a broker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from tests.support.chaos_field import Field

ERRORS_SECONDS = 3.0
"""Tables can't grow and say so, while there is still log to write to."""
PANIC_SECONDS = 10.0
DEAD_SECONDS = 3.0
BROKER_SECONDS = 10.0


async def database_disk_full(field: Field) -> None:
    """Nothing can grow on the leading server, then there is no room for its log: it panics, until there is again."""
    name = field.leading()
    with field.disks[name].full():
        await asyncio.sleep(ERRORS_SECONDS)
        panicked = await _until_it_panics(field)
        await asyncio.sleep(DEAD_SECONDS)
    field.say("it panicked" if panicked else "it refused to grow and lived")
    await field.serves_again(name)


async def _until_it_panics(field: Field) -> bool:
    """Ask for a new log segment until there is no old one left to use: only a new file needs room."""
    deadline = time.monotonic() + PANIC_SECONDS
    while time.monotonic() < deadline:
        try:
            async with asyncio.timeout(2):
                await field.sql("postgres", "SELECT pg_switch_wal()")
                await field.sql("postgres", "SELECT pg_logical_emit_message(false, 'chaos', repeat('x', 1000), true)")
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
            return True
        except (asyncpg.PostgresError, TimeoutError):
            await asyncio.sleep(0.1)
    return False


async def broker_disk_full(field: Field) -> None:
    """A broker can't write its logs: it ends, and ends again after each start, until there is room."""
    number = field.dice.randint(1, len(field.brokers))
    name = f"kafka-{number}"
    before = field.cluster.process(name)
    with field.disks[name].full():
        await asyncio.sleep(BROKER_SECONDS)
        ended = field.cluster.process(name).restarts - before.restarts
    field.say(f"it ended {ended} times")
    await field.serves_again(name)

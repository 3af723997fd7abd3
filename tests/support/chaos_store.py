"""What chaos tests look up and break in a service's database."""

from __future__ import annotations

import asyncpg

OWNERS = "SELECT lane, owner FROM lanes ORDER BY lane"
DELETE_ROW = """
DELETE FROM outbox WHERE (lane, topic, partition, epoch, seq) IN (
  SELECT lane, topic, partition, epoch, seq FROM outbox WHERE topic = $1 AND position($2::bytea IN payload) = 0
  ORDER BY lane, partition, seq LIMIT 1)"""

SLOW_FUNCTION = """
CREATE FUNCTION chaos_sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NEW; END $$"""
SLOW_TRIGGER = """
CREATE TRIGGER chaos_sleep BEFORE INSERT ON outbox FOR EACH ROW
WHEN (NEW.topic = '{topic}' AND position('{without}'::bytea IN NEW.payload) = 0) EXECUTE FUNCTION chaos_sleep()"""
DROP_SLOW = "DROP FUNCTION IF EXISTS chaos_sleep CASCADE"
COUNT_SLEEPING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"""


async def owners_of_lanes(url: str) -> dict[int, str]:
    """Who claimed each lane last."""
    connection = await asyncpg.connect(url)
    try:
        return {row["lane"]: row["owner"] for row in await connection.fetch(OWNERS)}
    finally:
        await connection.close()


async def lose_an_outbox_row(url: str, topic: str, without: str) -> bool:
    """Delete the first unpublished row for ``topic`` that holds no ``without`` event; false when there is none."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(DROP_SLOW)
        return str(await connection.execute(DELETE_ROW, topic, without.encode())) == "DELETE 1"
    finally:
        await connection.close()


async def slow_down_outbox(url: str, topic: str, without: str) -> None:
    """Let every insertion of such a row take a while, so that a test can act between it and its COMMIT."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(SLOW_FUNCTION)
        await connection.execute(SLOW_TRIGGER.format(topic=topic, without=without))
    finally:
        await connection.close()


async def is_inserting(url: str) -> bool:
    """True while a slowed insertion is under way."""
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval(COUNT_SLEEPING))
    finally:
        await connection.close()

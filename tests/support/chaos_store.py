"""What chaos tests look up and break in a service's database."""

from __future__ import annotations

import asyncpg

OWNERS = "SELECT lane, owner FROM lanes ORDER BY lane"
DELETE_ROW = """
DELETE FROM outbox WHERE (lane, topic, partition, epoch, seq) IN (
  SELECT lane, topic, partition, epoch, seq FROM outbox WHERE topic = $1 AND position($2::bytea IN payload) = 0
  ORDER BY lane, partition, seq LIMIT 1)"""


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
        return str(await connection.execute(DELETE_ROW, topic, without.encode())) == "DELETE 1"
    finally:
        await connection.close()

"""What the bench asks the services' databases: how far each stage is. Cheap enough to ask while money moves."""

from __future__ import annotations

import asyncpg

from shared.runtime.clients import Connection, connect
from shared.runtime.settings import Settings

ENTRIES = "SELECT coalesce(sum(next_entry - 1), 0)::bigint FROM lanes"
UNPUBLISHED = "SELECT count(*) FROM outbox"
TABLE_BYTES = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relkind = 'r'"

CREATE_DATABASE = "CREATE DATABASE {name}"

STAGES = ("contribution", "allocation", "trading", "valuation")


class Progress:
    """One connection to each service's database."""

    def __init__(self, connections: dict[str, Connection]) -> None:
        self._connections = connections

    async def entries(self, service: str) -> int:
        """Journal entries a service has written so far."""
        return int(await self._connections[service].fetchval(ENTRIES))

    async def unpublished(self, service: str) -> int:
        """Outbox rows that are not yet removed after their publication."""
        return int(await self._connections[service].fetchval(UNPUBLISHED))

    async def table_bytes(self) -> dict[str, int]:
        """Bytes on disk of each service's tables with their indexes."""
        return {name: int(await one.fetchval(TABLE_BYTES)) for name, one in self._connections.items()}

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            await connection.close()


async def open_progress(config: Settings) -> Progress:
    """Connect to the four databases."""
    opened: dict[str, Connection] = {}
    try:
        for service in STAGES:
            opened[service] = await connect(f"nestwork_{service}", config)
    except (OSError, asyncpg.PostgresError):
        await Progress(opened).close()
        raise
    return Progress(opened)


async def create_empty_database(name: str, config: Settings) -> None:
    """Make a database for a measurement that is not the engine's."""
    connection = await connect("postgres", config)
    try:
        await connection.execute(CREATE_DATABASE.format(name=name))
    finally:
        await connection.close()

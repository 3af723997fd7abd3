"""Apply numbered SQL files, forward only, once: ``python -m shared.runtime.migrations SERVICE [...]``.

Each service owns ``services/<name>/migrations/NNNN_title.sql``; the frame's own tables come first, from
``shared/runtime/migrations_frame``. A changed file that was already applied is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.resources
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from shared.runtime.clients import connect
from shared.runtime.errors import NestworkError
from shared.runtime.settings import Settings, settings

FRAME_FOLDER = Path(__file__).with_name("migrations_frame")
ADVISORY_LOCK = 0x6E657374
SERVICES = ("contribution", "allocation", "trading", "valuation")

CREATE_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)"""
SELECT_APPLIED = "SELECT name, checksum FROM schema_migrations"
INSERT_APPLIED = "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)"


class ChangedMigration(NestworkError):
    """A migration that was applied before has another text now; write a new one instead."""


def service_folder(service: str) -> Path:
    """The folder of a service's own migrations, found without importing the service's code."""
    return Path(str(importlib.resources.files("services"))) / service / "migrations"


def migration_files(service: str) -> list[tuple[str, Path]]:
    """Frame files, then the service's, each with the name under which it is remembered."""
    frame = [(f"frame/{file.name}", file) for file in sorted(FRAME_FOLDER.glob("*.sql"))]
    return frame + [(f"{service}/{file.name}", file) for file in sorted(service_folder(service).glob("*.sql"))]


async def create_database(name: str, config: Settings | None = None) -> None:
    """Create the database when it is missing; safe when several do it at once."""
    config = config or settings()
    server = await connect(urlsplit(config.database_url).path.lstrip("/") or "postgres", config)
    try:
        if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await server.execute(f'CREATE DATABASE "{name}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        pass
    finally:
        await server.close()


async def migrate(service: str, config: Settings | None = None, *, database: str | None = None) -> list[str]:
    """Bring one service's database up to date; returns the names applied now."""
    database = database or f"nestwork_{service}"
    await create_database(database, config)
    connection = await connect(database, config, lock_timeout="60000")
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        await connection.execute(CREATE_LEDGER)
        applied = {row["name"]: row["checksum"] for row in await connection.fetch(SELECT_APPLIED)}
        return [name for name, file in migration_files(service) if await _apply(connection, name, file, applied)]
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection, name: str, file: Path, applied: dict[str, str]) -> bool:
    text = file.read_text()
    checksum = hashlib.sha256(text.encode()).hexdigest()
    if name in applied:
        if applied[name] != checksum:
            raise ChangedMigration(f"{name} was changed after it was applied; write a new migration instead")
        return False
    async with connection.transaction():
        await connection.execute(text)
        await connection.execute(INSERT_APPLIED, name, checksum)
    return True


async def _main(services: list[str]) -> None:
    await asyncio.gather(*(migrate(service) for service in services))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:] or list(SERVICES)))

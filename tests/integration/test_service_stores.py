"""Every SQL statement that a service or the frame keeps is one that its migrated database can run."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import asyncpg
import pytest

import services
import shared.runtime
from deploy.cluster import Infrastructure
from shared.runtime.migrations import ChangedMigration, migrate, migration_files
from shared.runtime.settings import Settings
from tests.support.cluster import fresh_database

SERVICES = ("contribution", "allocation", "trading", "valuation")
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")


def statements(package: str) -> Iterator[tuple[str, str]]:
    """Names and texts of the constants under a package that are SQL."""
    folder = importlib.import_module(package).__path__
    for found in pkgutil.walk_packages(folder, f"{package}."):
        if found.name.endswith("__main__"):
            continue
        if not (".store" in found.name or ".metrics" in found.name or package == "shared.runtime"):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            if name.isupper() and isinstance(value, str) and STATEMENT.match(value):
                yield f"{found.name}.{name}", value


def stores(service: str) -> list[tuple[str, str]]:
    return [*statements(f"services.{service}"), *statements("shared.runtime")]


async def migrated(infrastructure: Infrastructure, service: str) -> str:
    url = await fresh_database(infrastructure, service)
    await migrate(service, Settings(DATABASE_URL=infrastructure.server_url), database=url.rpartition("/")[2])
    return url


def test_the_walk_finds_the_statements() -> None:
    assert services.__name__ == "services"
    assert shared.runtime.__name__ == "shared.runtime"
    assert all(len([name for name, _ in statements(f"services.{one}")]) >= 8 for one in SERVICES)
    assert len(list(statements("shared.runtime"))) >= 30


@pytest.mark.parametrize("service", SERVICES)
async def test_every_statement_of_a_store_prepares_against_the_migrated_tables(
    infrastructure: Infrastructure, service: str
) -> None:
    connection = await asyncpg.connect(await migrated(infrastructure, service))
    refused = {}
    try:
        for name, text in stores(service):
            try:
                await connection.prepare(text)
            except asyncpg.PostgresError as wrong:
                refused[name] = str(wrong)
    finally:
        await connection.close()
    assert refused == {}


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_run_once_and_a_changed_one_is_refused(infrastructure: Infrastructure, service: str) -> None:
    url = await migrated(infrastructure, service)
    config, database = Settings(DATABASE_URL=infrastructure.server_url), url.rpartition("/")[2]
    assert await migrate(service, config, database=database) == []
    connection = await asyncpg.connect(url)
    try:
        names = {row["name"] for row in await connection.fetch("SELECT name FROM schema_migrations")}
        assert names == {name for name, _ in migration_files(service)}
        await connection.execute(
            "UPDATE schema_migrations SET checksum = 'of another text' WHERE name LIKE $1", f"{service}/%"
        )
    finally:
        await connection.close()
    with pytest.raises(ChangedMigration, match=f"{service}/0001"):
        await migrate(service, config, database=database)

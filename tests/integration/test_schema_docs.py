"""The written-down tables are those that the migrations make, and what the runbook asks of them can be asked."""

from __future__ import annotations

import re

import asyncpg
import pytest

from deploy.cluster import Infrastructure
from deploy.cluster.spec import SERVICES
from deploy.docs.database import ROOT, schema_of, schema_path
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings


@pytest.mark.parametrize("service", SERVICES)
async def test_the_tables_in_the_documents_are_those_of_a_migrated_database(
    infrastructure: Infrastructure, service: str
) -> None:
    written = (ROOT / schema_path(service)).read_text(encoding="utf-8")
    assert written == await schema_of(service, infrastructure.server_url), "run `python -m deploy.docs.database`"


def statements() -> list[object]:
    """Every question the runbook asks of a database, with the databases it says it is for."""
    found = []
    for page in [ROOT / "docs" / "runbook.md", *sorted((ROOT / "docs" / "runbook").glob("*.md"))]:
        for line in re.split(r"\n(?=- |\n)", page.read_text(encoding="utf-8")):
            for statement in re.findall(r"`(SELECT [^`]+)`", " ".join(line.split())):
                named = tuple(service for service in SERVICES if f"{service} database" in " ".join(line.split()))
                found.append(pytest.param(statement, named or SERVICES, id=f"{page.stem}: {statement[:40]}"))
    return found


@pytest.mark.parametrize(("statement", "services"), statements())
async def test_a_question_of_the_runbook_can_be_asked(
    infrastructure: Infrastructure, statement: str, services: tuple[str, ...]
) -> None:
    """In the database it names; in each of the four where the page means the service of the alert."""
    for service in services:
        database = f"runbook_{service}"
        await migrate(service, Settings(DATABASE_URL=infrastructure.server_url), database=database)
        connection = await asyncpg.connect(f"{infrastructure.server_url.rsplit('/', 1)[0]}/{database}")
        try:
            await connection.execute(statement.replace("DATE", "2026-11-20"))
        finally:
            await connection.close()

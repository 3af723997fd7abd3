"""The written-down tables are those that the migrations make."""

from __future__ import annotations

import pytest

from deploy.cluster import Infrastructure
from deploy.cluster.spec import SERVICES
from deploy.docs.database import ROOT, schema_of, schema_path


@pytest.mark.parametrize("service", SERVICES)
async def test_the_tables_in_the_documents_are_those_of_a_migrated_database(
    infrastructure: Infrastructure, service: str
) -> None:
    written = (ROOT / schema_path(service)).read_text(encoding="utf-8")
    assert written == await schema_of(service, infrastructure.server_url), "run `python -m deploy.docs.database`"

"""A secured cluster for each file of tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.secured import Secured, open_secured


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    """Kafka and PostgreSQL with topics, access lists, roles and tables; no worker runs yet."""
    async with open_secured(tmp_path_factory.mktemp("secured")) as opened:
        await opened.prepare()
        yield opened

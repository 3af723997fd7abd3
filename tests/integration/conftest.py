"""The cluster that all bad input is sent to: one for all of these tests, since nothing bad may leave a mark on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.payday import Payday, open_payday


@pytest_asyncio.fixture(scope="session")
async def payday(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Payday]:
    """A running company; the first use starts the cluster and closes its first day."""
    async with open_payday(tmp_path_factory.mktemp("payday")) as opened:
        yield opened

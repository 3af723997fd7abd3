"""The connection ends during COMMIT: the worker must find out what happened instead of assuming it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chaos_proxy import LossyProxy
from tests.support.chaos_run import Run, run_payday


@pytest.mark.parametrize("service", ["contribution", "trading"])
async def test_a_commit_whose_reply_is_lost_is_neither_repeated_nor_forgotten(
    payday: Path, undisturbed: Run, service: str
) -> None:
    async with LossyProxy(f"nestwork_{service}", every=4) as proxy:
        run = await run_payday(payday, through=proxy, wait_seconds=200)
    assert run.departures(undisturbed) == []
    assert proxy.replies_lost > 0
    assert proxy.commits_lost > 0

"""Which chaos tests run, and the run without faults that all others are compared with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.chaos_payday import write_payday
from tests.support.chaos_run import Run, run_payday

SEED = int(os.environ.get("CHAOS_SEED", "1"))
MINUTES = float(os.environ.get("CHAOS_MINUTES", "0.5"))
SHORT_MINUTES = 1.0
SUMMARY: list[str] = []
"""What the long run says of itself, printed at the end."""
HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With less than a minute, only the short selection is left."""
    mine = [item for item in items if HERE in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.chaos)
        item.add_marker(pytest.mark.timeout(600 + MINUTES * 180))
    if MINUTES < SHORT_MINUTES:
        left_out = [item for item in mine if item.get_closest_marker("chaos_short") is None]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What happened, and what was left out and why, also when all went well."""
    if SUMMARY:
        terminalreporter.section("chaos")
        for line in SUMMARY:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def payday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The payday of this session's seed."""
    return write_payday(tmp_path_factory.mktemp("payday") / "payday.yaml", SEED)


@pytest_asyncio.fixture(scope="session")
async def undisturbed(payday: Path) -> Run:
    """The same payday without any fault, proven and without complaints."""
    run = await run_payday(payday)
    assert run.departures(run) == []
    return run

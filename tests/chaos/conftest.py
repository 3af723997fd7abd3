"""Which chaos tests run, and the run without faults that all others are compared with."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.chaos_bounds import refusal
from tests.support.chaos_payday import write_payday
from tests.support.chaos_run import Run, run_payday
from tests.support.chaos_schedule import mix

SEED = int(os.environ.get("CHAOS_SEED", "1"))
MINUTES = float(os.environ.get("CHAOS_MINUTES", "0.5"))
RATE = float(os.environ.get("CHAOS_RATE", "40"))
SHORT_MINUTES = 1.0
IS_ALL = os.environ.get("CHAOS_ALL", "") == "1"
"""Also a run of less than a minute runs every test: `make test-chaos` asks for it."""
SUMMARY: list[str] = []
"""What the long run says of itself, printed at the end."""
LEFT_OUT: Counter[str] = Counter()
"""Tests of each file that were not selected."""
HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With less than a minute, only the short selection is left, unless all are asked for."""
    mine = [item for item in items if HERE in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.chaos)
        item.add_marker(pytest.mark.timeout(600 + MINUTES * 180))
    if mine:
        _refuse_what_cannot_be_run()
    if MINUTES < SHORT_MINUTES and not IS_ALL:
        left_out = [item for item in mine if item.get_closest_marker("chaos_short") is None]
        config.hook.pytest_deselected(items=left_out)
        LEFT_OUT.update(item.path.name for item in left_out)
        items[:] = [item for item in items if item not in left_out]


def _refuse_what_cannot_be_run() -> None:
    """Before any cluster starts: a fault nobody knows, a run longer or faster than the made-up world can bear."""
    if too_much := refusal(MINUTES, RATE):
        raise pytest.UsageError(too_much)
    try:
        mix({})
    except ValueError as unknown:
        raise pytest.UsageError(f"CHAOS_FAULTS: {unknown}") from None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What happened, and what was left out and why, also when all went well."""
    if SUMMARY or LEFT_OUT:
        terminalreporter.section("chaos")
    for line in SUMMARY:
        terminalreporter.write_line(line)
    if LEFT_OUT:
        files = ", ".join(f"{name} ({count})" for name, count in sorted(LEFT_OUT.items()))
        terminalreporter.write_line(f"NOT RUN with CHAOS_MINUTES={MINUTES:g} and without CHAOS_ALL=1: {files}")


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

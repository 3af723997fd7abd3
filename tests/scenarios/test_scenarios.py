"""Every scenario of this folder, on one real cluster; and each of them can be read without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.scenarios.model import LaterEvent, read_scenario
from deploy.scenarios.runner import run_files
from tests.scenarios.random.__main__ import write

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.yaml"))
RANDOM_SEED, RANDOM_FILES = 40, 20
LAW_FILES = sorted((FOLDER / "law").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_scenario_of_this_folder_is_readable_and_uses_what_there_is(file: Path) -> None:
    scenario = read_scenario(file)
    assert not [event for day in scenario.days for event in day.events if isinstance(event, LaterEvent)]


@pytest.mark.parametrize("file", LAW_FILES, ids=lambda file: file.stem)
def test_a_case_of_the_law_is_readable(file: Path) -> None:
    assert read_scenario(file).days


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_scenario_comes_out_as_expected(tmp_path: Path) -> None:
    """Those of this folder, and random ones as their own model says; all on one cluster, so of the same weeks."""
    runs = await run_files([*FILES, *write(RANDOM_SEED, RANDOM_FILES, tmp_path)], partitions=4)
    assert {run.file: run.differences for run in runs if run.differences} == {}
    assert all(len(run.days) == len(run.scenario.days) for run in runs if run.scenario is not None)

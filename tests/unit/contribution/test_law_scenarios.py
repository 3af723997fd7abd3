"""Scenario files, played through the pure rules: our own ones, and those of the folder NESTWORK_SCENARIOS."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.contribution.law_scenarios import LawScenario, differences, read_scenario

OWN_FILES = sorted((Path(__file__).parents[2] / "scenarios" / "law").glob("*.yaml"))
FOLDER = os.environ.get("NESTWORK_SCENARIOS", "")
NOT_GIVEN = pytest.param(
    Path("none"), marks=pytest.mark.skip(reason="NESTWORK_SCENARIOS names no folder with scenario files")
)
GIVEN_FILES: Sequence[object] = [*Path(FOLDER).glob("*.yaml")] if FOLDER else [NOT_GIVEN]


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.stem)
def test_the_law_decides_our_scenario_as_it_expects(path: Path) -> None:
    assert differences(read_scenario(path)) == []


@pytest.mark.parametrize("path", GIVEN_FILES, ids=lambda path: path.stem)
def test_the_law_decides_a_given_scenario_as_it_expects(path: Path) -> None:
    assert differences(read_scenario(path)) == []


def test_a_wrong_expectation_is_found() -> None:
    line = {"contribution": "c1", "participant": "P1", "payroll": "R1", "pay_date": "2026-11-20"}
    amounts = {"compensation": "1000.00", "amounts": {"pre_tax": "100.00"}}
    expect = {"receipts": {"c1": {"status": "accepted", "accepted": "100.01", "rejected": "0.00"}}}
    scenario = LawScenario(
        {
            "plans": {"ACME": {"sources": ["pre_tax"], "default_fund": "F1"}},
            "participants": {"P1": {"plan": "ACME", "born": "1986-03-02", "hired": "2020-01-06"}},
            "days": [{"date": "2026-11-20", "events": [line | amounts], "expect": expect}],
        }
    )
    assert len(differences(scenario)) == 1

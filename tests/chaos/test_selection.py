"""Which chaos tests a command runs, what it says of those it leaves out, and what it refuses before any cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.chaos_short
ROOT = Path(__file__).resolve().parents[2]
LONG = "test_random_faults_under_load_lose_and_double_nothing"


def collected(**variables: str) -> subprocess.CompletedProcess[str]:
    """What pytest says of the chaos tests that it would run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHAOS_")}
    command = [sys.executable, "-m", "pytest", "tests/chaos", "--collect-only", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=ROOT, env=kept | variables, capture_output=True, text=True, check=False)


def test_a_short_run_says_what_it_leaves_out() -> None:
    found = collected(CHAOS_MINUTES="0.5")
    assert found.returncode == 0, found.stdout
    assert LONG not in found.stdout
    assert "NOT RUN with CHAOS_MINUTES=0.5" in found.stdout
    assert "test_cluster_faults.py (1)" in found.stdout
    assert "test_lost_commits.py (2)" in found.stdout


def test_make_runs_all_however_short_the_run() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (line,) = (line for line in makefile.splitlines() if "pytest tests/chaos " in line)
    assert "CHAOS_ALL=1" in line
    found = collected(CHAOS_MINUTES="0.5", CHAOS_ALL="1")
    assert LONG in found.stdout
    assert "NOT RUN" not in found.stdout


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CHAOS_FAULTS", "kill_a_worker,kill_a_wroker", "there is no fault kill_a_wroker"),
        ("CHAOS_MINUTES", "241", "the exchange calendar"),
        ("CHAOS_RATE", "201", "the made-up limits"),
    ],
)
def test_what_cannot_be_run_is_refused_at_once(name: str, value: str, said: str) -> None:
    found = collected(**{name: value})
    assert found.returncode != 0
    assert said in found.stdout + found.stderr

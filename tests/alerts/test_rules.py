"""The shipped rules, by Debian's promtool: well formed, and every alert fires when it should and only then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.prometheus.build import HERE
from deploy.prometheus.tools import tool

TESTS = Path(__file__).parent


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_configuration_are_well_formed() -> None:
    run(tool("promtool"), "check", "rules", HERE / "recording.yml", HERE / "alerts.yml")
    run(tool("promtool"), "check", "config", HERE / "prometheus.yml")
    run(tool("amtool"), "check-config", HERE / "alertmanager.yml")


@pytest.mark.parametrize("name", ["rules_test.yml", "slow_rules_test.yml", "budget_rules_test.yml"])
def test_every_alert_fires_when_it_should_and_only_then(name: str) -> None:
    run(tool("promtool"), "test", "rules", TESTS / name)

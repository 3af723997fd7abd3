"""The load command on a cluster of its own: `make test-load`, minutes long, so not in `make test`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 600


def load(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Run the command and read its document."""
    done = nestwork("load", "run", "--json", "--out", str(folder), *options)
    return done.returncode, json.loads(done.stdout)


def nestwork(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    command = [str(ROOT / ".venv" / "bin" / "nestwork"), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)


@pytest.mark.timeout(RUN_SECONDS_MAX)
@pytest.mark.parametrize("profile", ["steady", "cutoff-rush", "kill", "backlog"])
def test_a_run_is_answered_line_by_line_proven_and_drawn(tmp_path: Path, profile: str) -> None:
    options = ["--participants", "500", "--rate", "100", "--seconds", "15", "--profile", profile]
    status, result = load(tmp_path, *options)
    right = result["correctness"]
    assert status == 0, right["faults"]
    assert right["lines"] == right["final_receipts"] == result["offered"]["lines"] > 0
    assert right["accepted_cents"] == right["expected_cents"] == right["invested_cents"]
    assert [day["proof"] for day in right["days"]] == ["ok"] * (2 if profile == "cutoff-rush" else 1)
    assert len(result["kills"]) == (1 if profile == "kill" else 0)
    assert min(result["cpu_seconds"].values()) >= 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "result.json", "latency.png", "throughput.png", "distribution.png", "index.html",
    }  # fmt: skip


@pytest.mark.timeout(RUN_SECONDS_MAX)
@pytest.mark.parametrize("profile", ["ramp", "cutoff-rush", "spike", "soak", "kill"])
def test_a_profile_goes_as_fast_as_lines_are_answered(tmp_path: Path, profile: str) -> None:
    options = ["--participants", "2000", "--rate", "max", "--seconds", "10", "--profile", profile, "--no-pictures"]
    status, result = load(tmp_path, *options)
    right = result["correctness"]
    assert status == 0, right["faults"]
    assert (result["rate"], result["offered"]["open_loop"], result["latency_from"]) == (None, False, "sent")
    assert right["lines"] == right["final_receipts"] > 0
    assert right["accepted_cents"] == right["expected_cents"] == right["invested_cents"]
    assert [day["proof"] for day in right["days"]] == ["ok"] * (2 if profile == "cutoff-rush" else 1)
    assert len(result["kills"]) == (1 if profile == "kill" else 0)
    assert len(result["steps"]) == (10 if profile == "ramp" else 0)


@pytest.mark.timeout(RUN_SECONDS_MAX)
def test_a_kept_cluster_goes_on_into_a_year_without_announced_limits(tmp_path: Path) -> None:
    cluster = ["--folder", str(tmp_path / "cluster")]
    nestwork("up", *cluster)
    try:
        rest_of_2026 = ",".join(f"{number / 10}" for number in range(1, 29))
        options = [*cluster, "--participants", "50", "--no-pictures"]
        status, before = load(tmp_path, *options, "--shape", "5:20", "--close-at", rest_of_2026)
        assert status == 0, before
        assert before["correctness"]["days"][-1]["trade_date"] == "2026-12-31"
        status, after = load(tmp_path, *options, "--rate", "20", "--seconds", "5")
    finally:
        nestwork("down", *cluster)
    assert status == 0, after
    assert [day["trade_date"] for day in after["correctness"]["days"]] == ["2027-01-05"]
    assert after["correctness"]["final_receipts"] == 100


@pytest.mark.timeout(RUN_SECONDS_MAX)
def test_a_shape_of_ones_own_is_offered_with_its_closes_and_kills(tmp_path: Path) -> None:
    options = [
        "--participants",
        "500",
        "--shape",
        "5:20-100,5:100",
        "--close-at",
        "6",
        "--kill-at",
        "3,5",
        "--seed",
        "3",
    ]
    status, result = load(tmp_path, *options)
    right = result["correctness"]
    assert status == 0, right["faults"]
    assert (result["profile"], result["rate"], result["seconds"]) == ("own", 100.0, 10.0)
    assert result["shape"] == "5:20-100,5:100 close 6 kill 3,5"
    assert right["lines"] == right["final_receipts"] == 800
    assert right["accepted_cents"] == right["invested_cents"]
    assert [day["proof"] for day in right["days"]] == ["ok", "ok"]
    assert [round(blow["second"]) for blow in result["kills"]] == [3, 5]
    assert min(result["cpu_seconds"].values()) >= 0


def test_servers_elsewhere_are_refused_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example.invalid:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@db.example.invalid/p")
    status, result = load(tmp_path)
    assert status == 1
    assert "not this machine" in result["error"]

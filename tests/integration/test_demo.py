"""`nestwork demo` with few people: from nothing to a proven result, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_small_demo_proves_both_dates_writes_a_report_and_ends_everything(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = "from deploy.cli.main import main; main()"
    command = [sys.executable, "-c", code, "demo", "--participants", "150", "--plans", "8", "--json"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert [day["day"] for day in document["days"]] == ["2026-11-20", "2026-11-23"]
    for day in document["days"]:
        assert day["status"] == "proven"
        assert all(equation["ok"] for equation in day["proof"].values())
        assert {kind["kind"] for kind in day["kinds"]} >= {"good line", "not JSON", "wrong partition", "sent twice"}
        assert day["accepted_cents"] + day["rejected_cents"] == day["requested_cents"]
    assert all(check["ok"] for check in document["checks"])
    report = (tmp_path / "nestwork-demo-report.html").read_text()
    assert "Proven" in report
    assert "data:image/png;base64," in report
    assert not left_over(str(scratch))
    assert not list(scratch.iterdir())


def left_over(folder: str) -> list[str]:
    """Processes that still name the folder in which the demo put its own."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if any(folder in word for word in process.info["cmdline"] or ())
    ]

"""A payday and its floors by the command, as anybody would run it: `make test-load`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NESTWORK = str(ROOT / ".venv" / "bin" / "nestwork")
PEOPLE = 300
RUN_SECONDS_MAX = 600


@pytest.mark.timeout(RUN_SECONDS_MAX)
def test_the_floors_hold_every_row_and_record_of_the_payday() -> None:
    command = [NESTWORK, "bench", "payday", "--participants", str(PEOPLE), "--partitions", "2", "--workers", "1"]
    done = subprocess.run(
        [*command, "--floors", "--json"], capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    floors = found["floors"]
    rows, records = floors["copy"]["rows_by_table"], floors["log"]["records_by_topic"]
    for table in ("contribution.journal", "allocation.journal", "trading.journal"):
        assert rows[table] >= PEOPLE
    for table in ("contribution.identities", "contribution.year_to_date", "valuation.positions", "valuation.balances"):
        assert rows[table] == PEOPLE
    assert rows["trading.confirmations"] == rows["trading.orders"] > 0
    assert rows["valuation.proofs"] == 1
    assert records["payroll.contributions.v1"] >= PEOPLE
    assert records["payroll.receipts.v1"] == PEOPLE
    assert records["custodian.orders.v1"] >= rows["trading.orders"]
    assert {"contributions.released.v1", "trades.instructed.v1", "trades.filled.v1"} <= records.keys()
    for of in ("cpu", "seconds"):
        ratio = floors["ratio"][of]
        assert 1 < ratio["both"] < ratio["copy"]
        assert ratio["both"] < ratio["log"]


def test_floors_of_two_sides_are_refused() -> None:
    command = [NESTWORK, "bench", "payday", "--floors", "--compare-rules", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "two measurements" in json.loads(done.stdout)["error"]

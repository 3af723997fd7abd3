"""The plan from figures to machines: what grows with what, and that one CPU more is bought when it is needed."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest

from deploy.docs.capacity import FIGURES, figures_of, plan

ROUND: dict[str, Any] = {
    "measured": {
        "cpu_us": {"contribution": 100, "allocation": 100, "trading": 100, "valuation": 100, "broker": 100},
        "postgres_us": {"contribution": 10, "allocation": 10, "trading": 10, "valuation": 10},
        "quiet_day_us": {"valuation": 0, "postgres": 0},
        "table_bytes": {"contribution": 1000, "allocation": 0, "trading": 0, "valuation": 0},
        "quiet_day_bytes": 0,
        "log_bytes": 0,
    },
    "assumed": json.loads(FIGURES.read_text())["assumed"]
    | {
        "contributing_share_percent": 100, "lines_per_year": 10, "peak_share_percent": 100, "intake_hours": 1,
        "evening_hours": 1, "cpu_target_percent": 100, "years_online": 1, "database_cpus_max": 32,
        "database_terabytes_max": 8, "cpu_dollars_per_hour": "1", "gigabyte_dollars_per_month": "0",
    },
}  # fmt: skip


def changed(**fields: Any) -> dict[str, Any]:
    figures = copy.deepcopy(ROUND)
    figures["assumed"] |= fields
    return figures


def test_one_worker_does_what_an_hour_of_one_cpu_does() -> None:
    assert plan(108_000_000, ROUND).workers["contribution"] == 3
    assert plan(108_000_001, ROUND).workers["contribution"] == 4


def test_there_are_two_workers_at_least_so_that_one_can_die() -> None:
    assert set(plan(1, ROUND).workers.values()) == {2}


def test_half_the_target_needs_twice_the_workers() -> None:
    assert plan(72_000_000, changed(cpu_target_percent=50)).workers["trading"] == 4


def test_accounts_without_a_contribution_cost_valuation_only() -> None:
    figures = changed(peak_share_percent=0)
    figures["measured"]["quiet_day_us"] = {"valuation": 200, "postgres": 0}
    found = plan(72_000_000, figures)
    assert found.workers == {"contribution": 2, "allocation": 2, "trading": 2, "valuation": 4}


def test_partitions_are_a_power_of_two_with_sixteen_lanes_for_each_worker() -> None:
    assert plan(1, ROUND).partitions == 32
    assert plan(36_000_000 * 5, ROUND).partitions == 128


def test_disks_are_what_a_year_adds() -> None:
    assert plan(1_000_000, ROUND).terabytes_per_year["contribution"] == Decimal("0.01")


def test_a_database_that_outgrows_a_server_gets_nodes() -> None:
    assert plan(1_000_000, ROUND).databases["contribution"] == "one server and a standby"
    assert "Citus, 2 nodes" in plan(1_000_000, changed(years_online=900)).databases["contribution"]


def test_cost_is_cpus_by_the_hour() -> None:
    # 8 workers, 3 broker copies and 4 databases twice: 19 CPUs at one dollar an hour.
    assert plan(1, ROUND).dollars_per_year == 19 * 8_760


def test_measured_figures_come_out_of_a_scale_run() -> None:
    groups = {"contribution": 100.4, "allocation": 50, "trading": 60, "valuation": 70, "postgres": 200, "broker": 30}
    document = {
        "contributions": 1_000, "machine": {"cpus": 2, "load_average_15_minutes": 0.1},
        "sizes": [{
            "partitions": 8, "cold_start_seconds": 3.0, "rebalance": None,
            "payday": {
                "cpu_microseconds_per_contribution": groups,
                "postgres_cpu_seconds_by_service": {"contribution": 0.1, "trading": 0.05, "server": 0.05},
            },
            "quiet_day": {"cpu_microseconds_per_participant": {"valuation": 12.3, "postgres": 8}},
            "bytes_per_contribution": {"contribution": 900, "allocation": 1, "trading": 2, "valuation": 3, "log": 4},
            "bytes_per_quiet_day_and_participant": {"valuation": 500},
        }],
    }  # fmt: skip
    found = figures_of(document)
    assert found["cpu_us"]["contribution"] == 100
    assert sum(found["postgres_us"].values()) == pytest.approx(200, abs=2)
    assert found["postgres_us"]["contribution"] == pytest.approx(2 * found["postgres_us"]["trading"], abs=1)
    assert found["quiet_day_us"] == {"valuation": 12, "postgres": 8}
    assert found["log_bytes"] == 4

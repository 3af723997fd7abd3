"""From measured figures to machines: ``docs/capacity.md``. The figures are one file; the page follows from them. Pure.

``python -m deploy.docs.capacity SCALE.json`` takes the figures over from a run of ``nestwork bench scale --json``.
"""

from __future__ import annotations

import json
import math
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from deploy.docs.capacity_page import page
from deploy.docs.capacity_plan import Plan

FIGURES = Path(__file__).with_name("capacity_figures.json")
PAGE = "docs/capacity.md"
ACCOUNTS = (1_000_000, 32_000_000, 125_000_000)
SERVICES = ("contribution", "allocation", "trading", "valuation")
HOURS_PER_YEAR = 8_760
GIGABYTE = 10**9
LANES_PER_WORKER = 16
"""The number of partitions is fixed for good: a service can grow sixteenfold before it binds."""
PARTITIONS_MAX = 4_096
WORKERS_MIN = 2
"""So that one can die."""


def plan(accounts: int, figures: dict[str, Any]) -> Plan:
    """Size everything for the busiest payday, at the CPU target."""
    measured, assumed = figures["measured"], figures["assumed"]
    payers = accounts * assumed["contributing_share_percent"] // 100
    peak = accounts * assumed["peak_share_percent"] // 100
    intake, evening = assumed["intake_hours"] * 3600, assumed["evening_hours"] * 3600
    windows = {name: _window(name, intake, evening) for name in SERVICES}

    def cpus(kind: str) -> dict[str, int]:
        work = {name: _work(name, kind, accounts, peak, measured) for name in SERVICES}
        return {name: _cpus(work[name], windows[name], assumed) for name in SERVICES}

    workers = {name: max(WORKERS_MIN, count) for name, count in cpus("cpu_us").items()}
    database = cpus("postgres_us")
    broker = _cpus(peak * measured["cpu_us"]["broker"], intake + evening, assumed) * int(assumed["kafka_copies"])
    lines = payers * assumed["lines_per_year"]
    stored = {name: _terabytes(lines * measured["table_bytes"][name]) for name in SERVICES}
    stored["valuation"] += _terabytes(accounts * assumed["business_days"] * measured["quiet_day_bytes"])
    stored["log"] = _terabytes(lines * measured["log_bytes"])
    cost = _cost(sum(workers.values()), broker, sum(database.values()), stored, assumed)
    return Plan(
        accounts=accounts,
        peak_lines=peak,
        peak_per_second=-(-peak // intake),
        workers=workers,
        partitions=_partitions(max(workers.values())),
        broker_cpus=broker,
        database_cpus=database,
        terabytes_per_year=stored,
        databases={name: _layout(database[name], stored[name], assumed) for name in SERVICES},
        dollars_per_year=cost,
        cents_per_participant=_rounded(cost * 100 / accounts),
    )


def _window(service: str, intake: int, evening: int) -> int:
    """Lines are decided as they come; everything else waits for the cut and has the evening."""
    return intake if service == "contribution" else evening


def _work(service: str, kind: str, accounts: int, peak: int, measured: dict[str, Any]) -> int:
    """CPU microseconds of the busiest payday: its lines, and in valuation every account that had none."""
    quiet = measured["quiet_day_us"]["valuation" if kind == "cpu_us" else "postgres"] if service == "valuation" else 0
    return int(peak * measured[kind][service] + (accounts - peak) * quiet)


def _cpus(microseconds: int, seconds: int, assumed: dict[str, Any]) -> int:
    busy = Decimal(microseconds) / 10**6 / seconds * 100 / int(assumed["cpu_target_percent"])
    return max(1, math.ceil(busy))


def _partitions(workers: int) -> int:
    """The next power of two with room to grow, at least 8."""
    wanted = max(8, workers * LANES_PER_WORKER)
    return min(PARTITIONS_MAX, 1 << (wanted - 1).bit_length())


def _terabytes(count: int) -> Decimal:
    return Decimal(count) / GIGABYTE / 1000


def _layout(cpus: int, terabytes: Decimal, assumed: dict[str, Any]) -> str:
    """One primary with a standby while it fits; then Citus shards by bucket."""
    kept = terabytes * assumed["years_online"]
    nodes = max(-(-cpus // assumed["database_cpus_max"]), math.ceil(kept / assumed["database_terabytes_max"]))
    return "one server and a standby" if nodes <= 1 else f"Citus, {nodes} nodes by bucket, each with a standby"


def _cost(workers: int, broker: int, database: int, stored: dict[str, Decimal], assumed: dict[str, Any]) -> Decimal:
    """Dollars a year: everything at its peak size the whole year, storage of all years that are online."""
    cpus = workers + broker + database * assumed["postgres_copies"]
    tables = sum((size for name, size in stored.items() if name != "log"), Decimal(0)) * assumed["postgres_copies"]
    gigabytes: Decimal = (tables + stored["log"] * assumed["kafka_copies"]) * 1000 * assumed["years_online"]
    running = cpus * HOURS_PER_YEAR * Decimal(assumed["cpu_dollars_per_hour"])
    disks = gigabytes * 12 * Decimal(assumed["gigabyte_dollars_per_month"])
    return Decimal(running + disks)


def _rounded(value: Decimal, places: str = "0.01") -> Decimal:
    return value.quantize(Decimal(places), ROUND_HALF_UP)


def figures_of(document: dict[str, Any]) -> dict[str, Any]:
    """The measured block, from a result of ``nestwork bench scale --json``."""
    first, machine = document["sizes"][0], document["machine"]
    payday, quiet, count = first["payday"], first["quiet_day"], document["contributions"]
    spent, idle = payday["cpu_microseconds_per_contribution"], quiet["cpu_microseconds_per_participant"]
    by_service = {name: payday["postgres_cpu_seconds_by_service"].get(name, 0.0) for name in SERVICES}
    # What belongs to no service (checkpointer, WAL writer, sessions that ended) is shared out like the rest.
    scale = spent["postgres"] / max(sum(by_service.values()) / count * 1e6, 1e-9)
    widest = max(document["sizes"], key=lambda one: one["partitions"])
    return {
        "contributions": count,
        "machine": f"{machine['cpus']} CPUs for everything; load average {machine['load_average_15_minutes']}",
        "partitions_most": widest["partitions"],
        "cpu_us": {name: round(spent[name]) for name in (*SERVICES, "broker")},
        "postgres_us": {name: round(by_service[name] / count * 1e6 * scale) for name in SERVICES},
        "quiet_day_us": {name: round(idle[name]) for name in ("valuation", "postgres")},
        "table_bytes": {name: first["bytes_per_contribution"][name] for name in SERVICES},
        "quiet_day_bytes": first["bytes_per_quiet_day_and_participant"]["valuation"],
        "log_bytes": first["bytes_per_contribution"]["log"],
        "cold_start_seconds": widest["cold_start_seconds"],
        "taken_over_seconds": (widest["rebalance"] or {}).get("taken_over_seconds"),
    }


def capacity_page() -> dict[str, str]:
    """The page by its path."""
    figures = json.loads(FIGURES.read_text())
    return {PAGE: page(figures, [plan(accounts, figures) for accounts in ACCOUNTS])}


def main(arguments: list[str]) -> int:
    """Take measured figures over; the assumptions stay."""
    figures = json.loads(FIGURES.read_text())
    figures["measured"] = figures_of(json.loads(Path(arguments[0]).read_text()))
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

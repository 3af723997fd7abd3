"""A long payroll file through `nestwork payroll import` on a cluster of its own: ``python -m tests.load.payroll_file``.

Prints one JSON document: lines per second, the importer's CPU and its peak memory, and whether every line was accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from deploy.bench.publishing import open_bulk_publisher
from deploy.bench.world import World, participant_id, plan_id
from deploy.cluster import Cluster
from deploy.wire import Wire
from shared.runtime.settings import Settings

PEOPLE = 20_000
PLANS = 300
RUNS_PER_PLAN = 33
EVE = date(2026, 11, 19)
"""Closed before, so that plans and people are in force."""
MAP = """
sender: load
money: dollars
fields:
  plan_id: Plan
  participant_id: Employee
  payroll_id: Payroll
  pay_date: {column: Date, format: MM/DD/YYYY}
  pay: Gross
sources: {pre_tax: 401k, roth: Roth, match: Match}
"""


def write_file(file: Path, lines: int) -> None:
    """Many small lines per person, all of which the law lets in, with two columns nobody maps."""
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["Employee", "Name", "SSN", "Plan", "Payroll", "Date", "Gross", "401k", "Roth", "Match"])
        for number in range(lines):
            person, turn = number % PEOPLE, number // PEOPLE
            plan = plan_id(person % PLANS)
            pre_tax, roth = f"{1 + turn // RUNS_PER_PLAN}.{person * 7 % 100:02d}", f"0.{(person + turn) % 100:02d}"
            writer.writerow(
                [participant_id(person), "Doe, Jane", "123-45-6789", plan, f"{plan}:{turn % RUNS_PER_PLAN}",
                 "11/20/2026", "1,000.00", pre_tax, roth, "0.50"]
            )  # fmt: skip


async def measure(folder: Path, lines: int) -> dict[str, Any]:
    """Import once, then import the same file again."""
    write_file(folder / "payroll.csv", lines)
    (folder / "map.yaml").write_text(MAP)
    async with await Cluster.start(folder / "cluster", broker_heap_mb=1024, broker_full_compiler=True) as cluster:
        config = Settings.model_validate(cluster.environment())
        world = World(PEOPLE)
        async with open_bulk_publisher(config) as publisher:
            await publisher.publish([*world.head(), *islice(world.people(), PEOPLE)])
        async with Wire(cluster.bootstrap) as wire:
            await wire.close_day(EVE)
        environment = os.environ | cluster.environment()
        first = await asyncio.to_thread(_import, folder, environment)
        second = await asyncio.to_thread(_import, folder, environment)
    bytes_sent = (folder / "payroll.csv").stat().st_size
    return {"lines": lines, "file_mb": round(bytes_sent / 1e6, 1), "first": first, "again": second}


def _import(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    command = [
        sys.executable, "-c", "from deploy.cli.main import main; main()", "payroll", "import",
        str(folder / "payroll.csv"), "--map", str(folder / "map.yaml"), "--timeout", "900", "--totals", "--json",
    ]  # fmt: skip
    before, started, peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0
    # A file, since a pipe that nobody reads would hold the command up.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment, stdout=said, cwd=folder)
        while process.poll() is None:
            peak_kb = max(peak_kb, _peak_kb(process.pid))
            time.sleep(0.2)
        said.seek(0)
        document = json.loads(said.read())
    seconds = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "ok": document["ok"], "answers": document.get("answers"), "seconds": round(seconds, 1),
        "lines_per_s": round(document.get("lines", 0) / seconds), "cpu_seconds": round(cpu, 1),
        "peak_memory_mb": round(peak_kb / 1024),
    }  # fmt: skip


def _peak_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def main() -> int:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory(prefix="nestwork-payroll-file-") as folder:
        result = asyncio.run(measure(Path(folder), arguments.parse_args().lines))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if result["first"]["ok"] and result["again"]["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""The rules alone on a made-up year: 26 paydays of everybody, limits crossed, faults among them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson

from deploy.population.payday import Payroll
from deploy.population.people import PAYS_PER_YEAR, census_facts, draw_people
from deploy.population.plans import draw_plans, plan_facts

SOURCE = "/nestwork/bench"
FIRST_PAY_DATE = date(2026, 1, 2)
PEOPLE_PER_PLAN = 60
ONE_IN_SO_MANY_NEAR_A_LIMIT = 10
SEED = 1
PROGRAM = "services.contribution.measuring"
"""Started, never imported: the tools around the services know nothing of their rules."""


def measure_rules(participants: int, seconds_max: float = 600.0) -> dict[str, Any]:
    """Decide a year of `participants` people in a process of its own. Raises ``RuntimeError`` when it fails."""
    with tempfile.TemporaryDirectory(prefix="nestwork-rules-") as folder:
        file = Path(folder) / "year.ndjson"
        with file.open("wb") as out:
            for entry in _year(participants):
                out.write(orjson.dumps(entry) + b"\n")
        done = subprocess.run(
            [sys.executable, "-m", PROGRAM, str(file)],
            capture_output=True, check=False, timeout=seconds_max, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or "the measurement failed")
    measured: dict[str, Any] = orjson.loads(done.stdout)
    return measured


def _year(participants: int) -> Iterator[dict[str, Any]]:
    """Facts, then the lines of every payday that can be read: a bad shape never reaches the rules."""
    plans = draw_plans(participants, max(1, participants // PEOPLE_PER_PLAN), SEED)
    people = draw_people(plans, SEED, near_limit=participants // ONE_IN_SO_MANY_NEAR_A_LIMIT)
    for fact in plan_facts(plans, SOURCE):
        yield {"plan": orjson.loads(fact.value)}
    for fact in census_facts(people, SOURCE, FIRST_PAY_DATE.year):
        yield {"census": orjson.loads(fact.value)}
    payroll = Payroll(people, SEED, SOURCE, fault_rate=0.0)
    for number in range(PAYS_PER_YEAR):
        for one in payroll.payday(FIRST_PAY_DATE + timedelta(days=14 * number)).submissions:
            yield {"line": orjson.loads(one.sent.value)}

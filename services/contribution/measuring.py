"""How fast the rules alone decide: `python -m services.contribution.measuring FILE` reads facts and lines, decides.

FILE holds one JSON object per line, facts first: {"plan": body}, {"census": body}, {"line": body}, bodies as on the
wire. The answer is one JSON object on standard output.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from services.contribution.rules.intake import Line, read_line
from services.contribution.rules.limits import reviewed_limits
from services.contribution.rules.line import LineDecision, decide_line
from services.contribution.rules.participant import Participant, participant_of_census
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from services.contribution.rules.records import YearToDate, year_to_date_at_start
from services.contribution.rules.repeats import is_repeat, line_mark

Year = tuple[str, str, int]
LINES_PER_POLL = 4_000


class Measured:
    """What there is to decide, and what came of it."""

    def __init__(self, file: Path) -> None:
        self.plans: dict[str, PlanRules] = {}
        self.people: dict[tuple[str, str], Participant] = {}
        self.bodies: list[dict[str, Any]] = []
        with file.open("rb") as lines:
            for line in lines:
                ((kind, body),) = orjson.loads(line).items()
                self._take(kind, body)

    def _take(self, kind: str, body: dict[str, Any]) -> None:
        if kind == "plan":
            self.plans[body["plan_id"]] = plan_rules_of(body["plan_id"], body)
        elif kind == "census":
            self.people[body["participant_id"], body["plan_id"]] = participant_of_census(body)
        else:
            self.bodies.append(body)

    def decide_all(self, lines: list[Line]) -> tuple[float, Counter[str], Counter[str]]:
        """CPU seconds of the decisions, statuses, and cents accepted, rejected and credited with the match."""
        years: dict[Year, YearToDate] = {}
        statuses: Counter[str] = Counter()
        cents: Counter[str] = Counter()
        seconds = 0.0
        for start in range(0, len(lines), LINES_PER_POLL):
            begun = time.process_time()
            decisions = self._decide(lines[start : start + LINES_PER_POLL], years)
            seconds += time.process_time() - begun
            for decision in decisions:
                statuses[decision.status] += 1
                cents["accepted"] += decision.accepted_cents
                cents["rejected"] += decision.rejected_cents
                cents["credited"] += sum(part for _, part in decision.credited)
        return seconds, statuses, cents

    def _decide(self, lines: list[Line], years: dict[Year, YearToDate]) -> list[LineDecision]:
        limits = reviewed_limits()
        decisions = []
        for line in lines:
            year = line.pay_date.year
            person = self.people[line.participant_id, line.plan_id]
            key = (line.participant_id, line.plan_id, year)
            before = years.get(key) or year_to_date_at_start(person, year)
            decision = decide_line(line, self.plans[line.plan_id], person, limits.get(year), before)
            years[key] = decision.year_to_date
            decisions.append(decision)
        return decisions


def measure(file: Path) -> dict[str, Any]:
    """Read the lines, decide them twice (the first time warms up), and say how fast each step was."""
    measured = Measured(file)
    gc.disable()
    begun = time.process_time()
    lines = [read_line(body) for body in measured.bodies]
    reading = time.process_time() - begun
    begun = time.process_time()
    marks: dict[str, bytes] = {}
    repeats = 0
    for number, line in enumerate(lines):
        mark, known = line_mark(line, number.to_bytes(16)), marks.get(line.participant_id, b"")
        repeats += is_repeat(known, mark)
        marks[line.participant_id] = known + mark
    marking = time.process_time() - begun
    measured.decide_all(lines)
    deciding, statuses, cents = measured.decide_all(lines)
    asked = sum(amount for line in lines for _, amount in line.amounts if amount > 0)
    count = len(lines)
    return {
        "lines": count,
        "decided_per_s": round(count / deciding),
        "read_per_s": round(count / reading),
        "checked_for_repeats_per_s": round(count / marking),
        "all_steps_per_s": round(count / (deciding + reading + marking)),
        "statuses": dict(sorted(statuses.items())),
        "repeats": repeats,
        "asked_cents": asked,
        **{f"{name}_cents": cents[name] for name in ("accepted", "rejected", "credited")},
        "ok": cents["accepted"] + cents["rejected"] == asked,
    }


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(measure(Path(sys.argv[1]))).decode() + "\n")

"""The payday with all rules: the same people and legs, every rule at work, and cents that are known beforehand."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any

import orjson
import pytest

from deploy.bench.ruled import OFF, ON, TURNS, RuledWorld, match_cents, verdict
from deploy.bench.world import World
from services.contribution.rules.intake import read_line
from services.contribution.rules.limits import reviewed_limits
from services.contribution.rules.line import decide_line
from services.contribution.rules.participant import participant_of_census
from services.contribution.rules.plan_rules import plan_rules_of
from services.contribution.rules.records import year_to_date_at_start
from shared.events.census import Census
from shared.events.plan import PlanFact

PAYDAY = date(2026, 11, 20)
WORLD = RuledWorld(700, plans=30)


def test_what_the_law_decides_of_every_line_is_what_the_cash_expects_and_every_rule_has_work() -> None:
    plans = {event.key: PlanFact.model_validate(orjson.loads(event.value)) for event in WORLD.head()}
    people = {event.key: Census.model_validate(orjson.loads(event.value)) for event in WORLD.people()
              if event.ce_type == Census.ce_type}  # fmt: skip
    credited: defaultdict[str, int] = defaultdict(int)
    worked: Counter[str] = Counter()
    accepted = 0
    for event in WORLD.lines(PAYDAY):
        line = read_line(orjson.loads(event.value))
        body = plans[line.plan_id].model_dump(mode="json")
        person = participant_of_census(people[line.participant_id].model_dump(mode="json"))
        before = year_to_date_at_start(person, 2026)
        decision = decide_line(line, plan_rules_of(line.plan_id, body), person, reviewed_limits()[2026], before)
        assert (decision.status, decision.cuts) == ("accepted", ())
        assert len(decision.credited) in (2, 3)
        accepted += decision.accepted_cents
        credited[line.payroll_id] += sum(cents for _, cents in decision.credited)
        worked["catch-up"] += decision.year_to_date.catch_up_cents > 0
        worked["deemed Roth"] += dict(decision.credited).get("pre_tax", 0) < dict(line.amounts)["pre_tax"]
    paid = {body["payroll_id"]: body["cents"] for body in map(orjson.loads, (e.value for e in WORLD.fundings(PAYDAY)))}
    assert (paid, accepted) == (credited, WORLD.total_cents)
    assert worked["catch-up"] > 200
    assert worked["deemed Roth"] > 20


@pytest.mark.parametrize(
    ("deferred", "cents"), [(14_010, 13_005), (14_011, 13_006), (20_000, 16_000), (45_000, 16_000)]
)
def test_the_match_is_worked_out_apart_from_the_engine(deferred: int, cents: int) -> None:
    assert match_cents(deferred) == cents


def test_both_worlds_share_funds_and_nothing_else() -> None:
    bare = World(700, plans=30)
    keys = [
        {(event.topic, event.key) for event in [*one.head(), *one.people(), *one.lines(PAYDAY)]}
        for one in (bare, WORLD)
    ]
    assert not keys[0] & keys[1]


def a_round(side: str, seconds: float, proof: str = "ok") -> dict[str, Any]:
    cpu = {"contribution": 10.0 * seconds, "broker": 1.0}
    return {
        "side": side,
        "contributions": 1_000,
        "seconds": seconds,
        "cpu_microseconds_per_contribution": cpu,
        "proof": proof,
    }


@pytest.mark.parametrize(
    ("slower", "proof", "ok"), [(1.3, "ok", True), (1.4, "ok", False), (1.0, "broken", False), (0.9, "ok", True)]
)
def test_the_rules_may_cost_a_quarter_of_the_throughput(slower: float, proof: str, ok: bool) -> None:
    said = verdict([a_round(side, slower if side == ON else 1.0, proof) for side in TURNS])
    assert (said["ok"], said["proof"]) == (ok, proof)
    assert said["throughput_ratio"] == pytest.approx(1 / slower, abs=1e-4)
    assert said[OFF]["cpu_microseconds_in_all"] == 11.0

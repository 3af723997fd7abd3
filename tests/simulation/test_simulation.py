"""Simulated paydays: every seed proves its dates and books the same; a guard taken out shows; a failure shrinks.

``SIMULATION_SEEDS`` and ``SIMULATION_FIRST`` choose other seeds; a failing one is printed and can be run by itself:
``python -m tests.simulation.seeds SEED SEED``.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.simulation.seeds import calm_run, failing, guards_without, plan_of
from tests.simulation.shrink import shrunk
from tests.simulation.simulate import Outcome, Plan, departures, simulate
from tests.simulation.world import LOSS, Fault

FIRST = int(os.environ.get("SIMULATION_FIRST", "1"))
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "8"))

IN_HASTE = 3
"""A payday whose second date is closed before the first one is valued."""

SHORT = Plan(1, payday=1, faulty_seconds=5.0, patience_seconds=15.0)
LOSSES = replace(SHORT, rate=0.3, faults=15, kinds=frozenset({LOSS}))

WITHOUT = {
    # Guard: what happens to the workers, and what is then wrong.
    "sequence": replace(SHORT, rate=0.25, faults=60, kinds=frozenset({"refuse_after"})),
    "offsets": replace(SHORT, rate=0.05, faults=60, kinds=frozenset({"go_back"})),
    "identity": Plan(1, payday=1, rate=0.0),
}


@pytest.mark.timeout(0)
def test_seeds_prove_every_date_and_book_what_a_calm_run_books() -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        outcome = failing(plan_of(seed))
        if outcome is not None:
            pytest.fail(f"seed {seed}; the fewest faults that fail:\n{shrunk(outcome, failing)}")


def test_a_calm_run_has_something_to_compare() -> None:
    calm = calm_run(1)
    assert calm.problems == []
    assert len(calm.receipts) > 8
    assert len(set(calm.tables.values())) > 10


def test_a_seed_gives_the_same_run_again() -> None:
    one, again = simulate(plan_of(3)), simulate(plan_of(3))
    assert (one.steps, one.seconds, one.faults, one.story) == (again.steps, again.seconds, again.faults, again.story)
    assert one.tables == again.tables


def test_a_plan_of_its_own_faults_repeats_a_run() -> None:
    drawn = simulate(plan_of(4))
    planned = simulate(replace(drawn.plan, planned=tuple(drawn.faults)))
    assert (planned.steps, planned.seconds, planned.faults) == (drawn.steps, drawn.seconds, drawn.faults)


@pytest.mark.parametrize("guard", WITHOUT)
def test_without_a_guard_some_run_goes_wrong(guard: str) -> None:
    plan = WITHOUT[guard]
    assert failing(plan) is None, "with all guards the same faults leave no trace"
    assert failing(replace(plan, without=(guard,))) is not None


def test_a_log_that_loses_a_record_stops_lanes_and_nothing_is_skipped() -> None:
    outcome = simulate(LOSSES)
    assert outcome.faults
    assert any("a lane stopped" in problem for problem in outcome.problems), str(outcome)


def test_without_the_gap_alarm_a_lost_record_is_seen_by_nobody_but_the_books() -> None:
    outcome = simulate(LOSSES, guards_without(("gap",)))
    assert outcome.faults
    assert not any("a lane stopped" in problem for problem in outcome.problems)
    assert outcome.problems + departures(calm_run(1), outcome) != []


def test_dates_closed_in_haste_stay_in_order_while_workers_freeze() -> None:
    plan = Plan(1, payday=IN_HASTE, rate=0.004, faults=6, kinds=frozenset({"freeze"}))
    assert failing(plan) is None


def test_shrinking_keeps_only_the_faults_that_matter() -> None:
    faults = [Fault(step, "kill", 1.0) for step in range(1, 17)]
    needed = {faults[3], faults[11]}

    def judge(plan: Plan) -> Outcome | None:
        kept = list(plan.planned or ())
        return Outcome(plan, ["wrong"], kept) if needed <= set(kept) else None

    smallest = shrunk(Outcome(Plan(1), ["wrong"], faults), judge)
    assert set(smallest.faults) == needed

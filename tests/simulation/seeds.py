"""Many seeds, one after the other or by hand: ``python -m tests.simulation.seeds FIRST LAST``.

Each seed is a payday of its own, run without faults and then with its own faults; both must prove every date, and say
and book the same. A failing seed is run again with fewer faults and printed with its story.
"""

from __future__ import annotations

import sys
import time
from functools import lru_cache
from random import Random

from shared.runtime.guards import Guards
from tests.simulation.shrink import shrunk
from tests.simulation.simulate import Outcome, Plan, departures, simulate
from tests.support.chaos_guards import REPLACEMENTS

SEEDS_PER_PAYDAY = 10
RATES = (0.0005, 0.001, 0.002, 0.004)


def plan_of(seed: int) -> Plan:
    """How a seed is run: its number of workers, partitions and faults."""
    chance = Random(f"{seed}/plan")
    return Plan(
        seed,
        payday=seed // SEEDS_PER_PAYDAY,
        partitions=chance.choice((1, 2, 2, 4)),
        workers=chance.choice((1, 2, 2, 3)),
        rate=chance.choice(RATES),
        faults=chance.randint(1, 10),
    )


def guards_without(names: tuple[str, ...]) -> Guards:
    """The guards of a worker with some taken out."""
    return Guards(**{name: REPLACEMENTS[name]() for name in names})


@lru_cache(maxsize=64)
def calm_run(payday: int) -> Outcome:
    """The payday without any fault, by one worker of each service: what every other run of it must come to."""
    return simulate(Plan(0, payday=payday, partitions=2, workers=1, rate=0.0))


def failing(plan: Plan) -> Outcome | None:
    """Run a plan, and compare it with the same payday without faults; the outcome when it is not as it should be."""
    calm = calm_run(plan.payday)
    if calm.problems:
        return calm
    outcome = simulate(plan, guards_without(plan.without))
    outcome.problems += departures(calm, outcome)
    return outcome if outcome.problems else None


def first_failure(plans: list[Plan]) -> Outcome | None:
    """The first plan that fails, made as small as it gets."""
    for plan in plans:
        outcome = failing(plan)
        if outcome is not None:
            return shrunk(outcome, failing)
    return None


def main() -> int:
    """Run the seeds named on the command line."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    started, bad = time.perf_counter(), 0
    for seed in range(first, last + 1):
        if seed % 100 == 0:
            print(f"seed {seed}, {bad} failed, {time.perf_counter() - started:.0f} s", flush=True)  # noqa: T201
        outcome = first_failure([plan_of(seed)])
        if outcome is not None:
            bad += 1
            print(outcome, flush=True)  # noqa: T201 - the report of a tool.
    took = time.perf_counter() - started
    print(f"seeds {first} to {last}: {bad} failed, {took:.0f} s")  # noqa: T201
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""From a failing run to the few faults that make it fail: the same seed, fewer and fewer of its faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.simulate import Outcome, Plan
from tests.simulation.world import Fault

TRIES_MAX = 60


def shrunk(failed: Outcome, judge: Callable[[Plan], Outcome | None]) -> Outcome:
    """The smallest failing run that was found. ``judge`` runs a plan and gives its outcome when it still fails."""
    smallest, tries = failed, 0
    chunk = max(1, len(failed.faults) // 2)
    while tries < TRIES_MAX:
        shorter = _without_some(smallest, chunk, judge)
        tries += 1
        if shorter is not None:
            smallest = shorter
            chunk = min(chunk, max(1, len(smallest.faults) // 2))
        elif chunk > 1:
            chunk //= 2
        else:
            break
    return smallest


def _without_some(failed: Outcome, chunk: int, judge: Callable[[Plan], Outcome | None]) -> Outcome | None:
    faults = tuple(failed.faults)
    for first in range(0, len(faults), chunk):
        kept: tuple[Fault, ...] = faults[:first] + faults[first + chunk :]
        outcome = judge(replace(failed.plan, planned=kept))
        if outcome is not None:
            return outcome
    return None

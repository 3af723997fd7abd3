"""Which payroll runs may trade at a cut: payroll data and cash arrive apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.values.invariants import invariant


@dataclass(frozen=True, slots=True)
class OpenRun:
    """The undecided lines of a run below the cut. Unit: cents accepted."""

    plan_id: str
    payroll_id: str
    accepted: int


@dataclass(frozen=True, slots=True)
class Release:
    """All undecided lines of the run trade on the cut's date.

    ``cash_used`` may come later for a plan that trades on file.
    """

    plan_id: str
    payroll_id: str
    cents: int
    cash_used: int


@dataclass(frozen=True, slots=True)
class Wait:
    """The run waits for a later cut: too little cash, or totals that don't agree."""

    plan_id: str
    payroll_id: str
    code: str
    short_by: int


def decide_releases(
    open_runs: Iterable[OpenRun],
    unused_cash: Mapping[str, int],
    on_file: frozenset[str],
    mismatched: frozenset[tuple[str, str]],
) -> tuple[list[Release], list[Wait]]:
    """Release a run whose cash covers all its undecided lines; short of cash it waits whole, over it the rest stays.

    A further part of a run (late or freed lines) follows the same rule over the cash not used yet.
    """
    left = dict(unused_cash)
    releases: list[Release] = []
    waits: list[Wait] = []
    for run in sorted(open_runs, key=lambda one: (one.plan_id, one.payroll_id)):
        invariant(run.accepted >= 0, "a run never owes negative money")
        if (run.plan_id, run.payroll_id) in mismatched:
            waits.append(Wait(run.plan_id, run.payroll_id, "PAYROLL_TOTALS_MISMATCH", 0))
        elif run.plan_id in on_file or run.accepted <= left.get(run.payroll_id, 0):
            left[run.payroll_id] = left.get(run.payroll_id, 0) - run.accepted
            releases.append(Release(run.plan_id, run.payroll_id, run.accepted, run.accepted))
        else:
            short = run.accepted - left.get(run.payroll_id, 0)
            waits.append(Wait(run.plan_id, run.payroll_id, "FUNDING_SHORT", short))
    return releases, waits

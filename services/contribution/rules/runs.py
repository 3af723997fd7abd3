"""Which payroll runs may trade at a cut: payroll data and cash arrive apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from shared.values.invariants import invariant
from shared.values.trading_days import federal_business_day_after

RETURNED_AFTER_TRADE = "CASH_RETURNED_AFTER_TRADE"
DEPOSIT_DAYS, LATEST_DEPOSIT_DAYS = 7, 15
Run = tuple[str, str]
"""(plan, payroll)."""


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
        short = 0 if run.plan_id in on_file else max(0, run.accepted - left.get(run.payroll_id, 0))
        if (run.plan_id, run.payroll_id) in mismatched:
            # Wrong totals excuse no late deposit: what lacks is said all the same.
            waits.append(Wait(run.plan_id, run.payroll_id, "PAYROLL_TOTALS_MISMATCH", short))
        elif not short:
            left[run.payroll_id] = left.get(run.payroll_id, 0) - run.accepted
            releases.append(Release(run.plan_id, run.payroll_id, run.accepted, run.accepted))
        else:
            waits.append(Wait(run.plan_id, run.payroll_id, "FUNDING_SHORT", short))
    return releases, waits


def with_exposures(waits: Iterable[Wait], returned: Iterable[Wait]) -> list[Wait]:
    """Add the runs that traded with cash the bank took back; one that waits for more anyway is named once, by that."""
    found = {(wait.plan_id, wait.payroll_id): wait for wait in returned}
    found |= {(wait.plan_id, wait.payroll_id): wait for wait in waits}
    return [found[run] for run in sorted(found)]


def deposit_due(pay_date: date | None) -> date | None:
    """Return the day by which withheld money must be in the trust: the seventh business day after it was withheld.

    A safe harbor for plans with fewer than 100 participants, the house's measure for all. Law: 29 CFR 2510.3-102(a)(2).
    """
    return None if pay_date is None else federal_business_day_after(pay_date, DEPOSIT_DAYS)


def deposit_latest(pay_date: date | None) -> date | None:
    """Return the outer bound: the fifteenth business day of the month after the one in which money was withheld.

    No safe harbor: money that could be segregated earlier was due earlier. Law: 29 CFR 2510.3-102(b)(1).
    """
    if pay_date is None:
        return None
    next_month = (pay_date.replace(day=1) + timedelta(days=31)).replace(day=1)
    return federal_business_day_after(next_month - timedelta(days=1), LATEST_DEPOSIT_DAYS)

"""Read-only pages: payroll runs and what they wait for."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.contribution import store
from services.contribution.pages_vesting import plan_vesting
from services.contribution.rules.runs import deposit_latest
from shared.runtime.clients import Pool
from shared.runtime.tokens import caller_in, leaves_out_other_plans

UNKNOWN = {"code": "unknown_payroll", "detail": "No line or cash of this payroll was seen up to the last cut."}


@leaves_out_other_plans
async def payroll_run(pool: Pool, request: Any) -> tuple[int, Any]:
    """One payroll run: totals up to the last cut, cash, and why it waits if it does."""
    payroll_id = request.match_info["payroll_id"]
    run = await pool.fetchrow(store.RUN, payroll_id)
    cash = await pool.fetchval(store.RUN_CASH, payroll_id)
    caller = caller_in(request)
    # Cash alone names no plan, so only who sees all of them may see it; another plan's run does not exist for him.
    if not (caller.sees(run["plan_id"]) if run else cash and caller.every_plan):
        return 404, UNKNOWN
    wait = await pool.fetchrow(store.RUN_WAIT, payroll_id)
    known = dict(run) if run else {}
    paid_on = known.pop("first_pay_date", None)
    return 200, {
        "payroll_id": payroll_id,
        **known,
        "cash_cents": cash,
        "waits_for": _wait(wait, paid_on) if wait else None,
    }


def _wait(row: Any, paid_on: date | None) -> dict[str, Any]:
    due = row["deposit_due"]
    latest = None if due is None else deposit_latest(paid_on)
    return {
        "code": row["code"],
        "short_by": row["short_by"],
        "deposit_due": None if due is None else due.isoformat(),
        "deposit_latest": None if latest is None else latest.isoformat(),
    }


PAGES = {"/v1/payrolls/{payroll_id}": payroll_run, "/v1/plans/{plan_id}/vesting": plan_vesting}

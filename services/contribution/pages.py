"""Read-only pages: payroll runs and what they wait for."""

from __future__ import annotations

from typing import Any

from shared.runtime.clients import Pool

SELECT_RUN = """
SELECT plan_id, payroll_id, sum(lines)::bigint AS lines, sum(submitted)::bigint AS submitted_cents,
       sum(accepted)::bigint AS accepted_cents, sum(rejected)::bigint AS rejected_cents,
       coalesce(sum(accepted) FILTER (WHERE released_for IS NOT NULL), 0)::bigint AS released_cents
FROM run_parts WHERE payroll_id = $1 GROUP BY plan_id, payroll_id"""
SELECT_CASH = "SELECT coalesce(sum(cents), 0)::bigint FROM fundings WHERE payroll_id = $1"
SELECT_WAIT = "SELECT code, short_by FROM run_waits WHERE payroll_id = $1"


async def payroll_run(pool: Pool, request: Any) -> tuple[int, Any]:
    """One payroll run: totals up to the last cut, cash, and why it waits if it does."""
    payroll_id = request.match_info["payroll_id"]
    run = await pool.fetchrow(SELECT_RUN, payroll_id)
    cash = await pool.fetchval(SELECT_CASH, payroll_id)
    if run is None and not cash:
        return 404, {
            "code": "unknown_payroll",
            "detail": "No line or cash of this payroll was seen up to the last cut.",
        }
    wait = await pool.fetchrow(SELECT_WAIT, payroll_id)
    return 200, {
        "payroll_id": payroll_id,
        **(dict(run) if run else {}),
        "cash_cents": cash,
        "waits_for": dict(wait) if wait else None,
    }


PAGES = {"/v1/payrolls/{payroll_id}": payroll_run}

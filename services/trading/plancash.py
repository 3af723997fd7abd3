"""Entries of a plan's cash: what sells brought and what was cancelled, and the forfeited part of either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asyncpg.pgproto.pgproto import UUID

from services.trading import store_reversals
from services.trading.handlers import RULE_SET
from services.trading.rules.unwinding import SaleOutcome
from shared.runtime.copying import copy_rows
from shared.runtime.work import Task, Work
from shared.values.hashing import bucket_of
from shared.values.identity import identity_of

Postings = tuple[list[str], list[int]]


async def post_plan_cash(work: Work, task: Task) -> None:
    """Post the dollars of sells and of cancelled legs to the plan's cash, in the plan's own lane."""
    await _post(work, task, "plan_cash", "plan_cash_reversed", SaleOutcome.postings)


async def post_forfeitures(work: Work, task: Task) -> None:
    """Move what forfeited legs brought to the plan's forfeiture account, in the plan's own lane."""
    await _post(work, task, "forfeiture", "forfeiture_reversed", SaleOutcome.forfeiture_postings)


async def _post(work: Work, task: Task, forward: str, back: str, postings: Callable[[SaleOutcome], Postings]) -> None:
    """One entry for each (plan, order, version, outcome) of the task; a negative outcome takes an earlier one back."""
    rows: list[tuple[Any, ...]] = []
    for plan_id, name, version, *cents in task.body:
        outcome = SaleOutcome(*cents)
        kind = back if outcome.cost < 0 else forward
        accounts, amounts = postings(outcome)
        rows.append(
            (
                task.trade_date, task.lane, work.next_entry(task.lane), task.recorded_at, kind, bucket_of(plan_id),
                plan_id, None, UUID(identity_of(name, kind, str(version))), RULE_SET, None, accounts, amounts, None,
                None, None, name, version, task.trade_date, None,
            )
        )  # fmt: skip
    await copy_rows(work.connection, "journal", store_reversals.SALE_COLUMNS, rows)

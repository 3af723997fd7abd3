"""Read-only pages: where a trade date stands."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.trading import store, store_days, store_forfeitures
from shared.runtime.clients import Pool


async def trade_day(pool: Pool, request: Any) -> tuple[int, Any]:
    """Orders by state, corrections outstanding, and how far the date's cycles are."""
    try:
        day = date.fromisoformat(request.match_info["date"])
    except ValueError:
        return 400, {"code": "invalid_date", "detail": "The date must be an ISO date."}
    marks = {row["kind"]: row["appended"] for row in await pool.fetch(store_days.MARKS_OF, day)}
    decided = {row["cycle"] for row in await pool.fetch(store_days.DECIDED_OF, day)}
    states = {row["status"]: row["orders"] for row in await pool.fetch(store.DAY_STATES, day)}
    breaks = [dict(row) for row in await pool.fetch(store.DAY_BREAKS, day)]
    refused = [dict(row) for row in await pool.fetch(store.DAY_REFUSED, day)]
    unjudged = await pool.fetchval(store.UNJUDGED, day)
    progress = {row["cycle"]: {"read": row["read"], "closed": row["closed"]}
                for row in await pool.fetch(store.DAY_PROGRESS, day)}  # fmt: skip
    unpriced = sorted(row["fund_id"] for row in await pool.fetch(store_days.UNPRICED_FUNDS, day))
    commands = [dict(row) for row in await pool.fetch(store_days.COMMANDS_OF, day)]
    return 200, {
        "trade_date": day.isoformat(),
        "state": _state(marks, decided),
        "orders_built": "day" in decided,
        "orders": {
            "total": sum(states.values()),
            "unanswered": states.get("open", 0),
            "pending": states.get("pending", 0),
            "confirmed": states.get("confirmed", 0),
            "rejected": states.get("rejected", 0),
            "broken": states.get("broken", 0),
        },
        "corrections_outstanding": states.get("broken", 0),
        "confirmations_unjudged": unjudged,
        "funds_without_final_price": unpriced,
        "breaks": breaks,
        "refused_confirmations": refused,
        "lanes": progress,
        "commands": commands,
    }


def _state(marks: dict[str, bool], decided: set[str]) -> str:
    if "cut" not in marks:
        return "open"
    if "value" in marks:
        return "valued" if "value" in decided else "valuing"
    return "closed" if "day" in decided else "closing"


async def plan_forfeitures(pool: Pool, request: Any) -> tuple[int, Any]:
    """A plan's forfeiture account, a part of its plan cash, and who forfeited it. Unit: cents."""
    plan_id = request.match_info["plan_id"]
    rows = await pool.fetch(store_forfeitures.OF_PLAN, plan_id)
    return 200, {
        "plan_id": plan_id,
        "forfeiture_cents": sum(row["cents"] for row in rows),
        "participants": [dict(row) for row in rows],
    }


PAGES = {"/v1/days/{date}": trade_day, "/v1/plans/{plan_id}/forfeitures": plan_forfeitures}

"""How orders are named, and the life of one as a table."""

from __future__ import annotations

from datetime import date

from shared.values.identity import derived_id

ID_CHARACTERS_MAX = 128
BUY, SELL = "buy", "sell"
CENTS, SHARES = "cents", "shares"

OPEN, PENDING, CONFIRMED, REJECTED, BROKEN = "open", "pending", "confirmed", "rejected", "broken"

NEXT: dict[tuple[str, str], str] = {
    (OPEN, "pending"): PENDING,
    (OPEN, "confirmed"): CONFIRMED,
    (OPEN, "rejected"): REJECTED,
    (OPEN, "broken"): BROKEN,
    (PENDING, "pending"): PENDING,
    (PENDING, "confirmed"): CONFIRMED,
    (PENDING, "rejected"): REJECTED,
    (PENDING, "broken"): BROKEN,
    (BROKEN, "confirmed"): CONFIRMED,
    (BROKEN, "broken"): BROKEN,
    (BROKEN, "rejected"): REJECTED,
    # Only a correction may touch what was filled: its fills are reversed and posted again.
    (CONFIRMED, "corrected"): CONFIRMED,
    (CONFIRMED, "broken"): CONFIRMED,
}
"""(status, what came) to the next status; anything else is refused as a conflict."""


def order_id_of(plan_id: str, fund_id: str, side: str, unit: str, trade_date: date, wave: int) -> str:
    """The order's name, the same in every replay: its key when that fits an id and reads in one way only.

    A colon in the fund is harmless: it can only stand between the plan and the last three parts.
    """
    readable = f"{trade_date.isoformat()}:{plan_id}:{fund_id}:{side}:{unit}:{wave}"
    if len(readable) <= ID_CHARACTERS_MAX and ":" not in plan_id:
        return readable
    return f"{trade_date.isoformat()}:{derived_id('order', plan_id, fund_id, side, unit, str(wave))}"

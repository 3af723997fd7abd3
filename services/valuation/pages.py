"""Read-only pages: balances of closed dates, transactions, plans."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import orjson

from services.valuation import pages_returns, store
from services.valuation.rules.balances import rounded_cents
from services.valuation.rules.positions import Holdings
from shared.runtime.clients import Pool
from shared.runtime.settings import settings
from shared.runtime.tokens import caller_in, leaves_out_other_plans
from shared.values.hashing import bucket_of
from shared.values.shares import shares_text

BAD_DATE = (
    400,
    {"code": "invalid_date", "detail": "as_of must be an ISO date, known_at one, too, or an instant with offset."},
)
NOT_CLOSED = (404, {"code": "not_closed", "detail": "No proven close of this date is known."})


async def _asked_date(pool: Pool, request: Any) -> date | None:
    """The proven date that is asked for: ``as_of``, or the last one (as it was known at ``known_at``).

    What is stored of a closed date never changes, so all that can be unknown at a time is that the date was closed.
    """
    query = request.query
    known_on, known_at = _known(query.get("known_at"))
    if "as_of" not in query:
        last: date | None = await pool.fetchval(store.LAST_CLOSED, known_at, known_on)
        return last
    day = date.fromisoformat(query["as_of"])
    proof = await pool.fetchrow(store.PROOF_ON, day)
    if proof is None or proof["status"] != "proven":
        return None
    is_later = (known_at is not None and proof["recorded_at"] > known_at) or (known_on is not None and day > known_on)
    return None if is_later else day


def _known(text: str | None) -> tuple[date | None, datetime | None]:
    """A date means the end of that business date, when it and all before it were closed; else an instant."""
    if text is None:
        return None, None
    with suppress(ValueError):
        return date.fromisoformat(text), None
    instant = datetime.fromisoformat(text.replace(" ", "+"))
    if instant.tzinfo is None:
        raise ValueError("known_at needs an offset")
    try:
        return None, instant.astimezone(UTC)
    except OverflowError:  # The last hours of the year 9999 and the first of the year 1 are none of UTC.
        raise ValueError("known_at is out of range") from None


def _positions(holdings: Holdings, decimals: dict[str, int]) -> list[dict[str, Any]]:
    rows = []
    for key, (units, cost) in sorted(holdings.items()):
        source, _, fund = key.partition("/")
        rows.append(
            {"source": source, "fund_id": fund, "shares": shares_text(units, decimals[fund]), "cost_cents": cost}
        )
    return rows


@leaves_out_other_plans
async def participant_balance(pool: Pool, request: Any) -> tuple[int, Any]:
    """A participant's balance at a proven close; not final, and not shown, while a price or a parked fill is due."""
    participant_id = request.match_info["participant_id"]
    try:
        day = await _asked_date(pool, request)
    except ValueError:
        return BAD_DATE
    if day is None:
        return NOT_CLOSED
    rows = await pool.fetch(store.BALANCE_ON, participant_id, day)
    rows = [row for row in rows if caller_in(request).sees(row["plan_id"])]
    if not rows:
        return 404, {"code": "unknown_participant", "detail": f"Nothing is held by this participant on {day}."}
    decimals = await store.share_decimals(pool)
    total = rows[0]["cents"] if len(rows) == 1 else await _total(pool, rows, decimals)
    return 200, {
        "participant_id": participant_id,
        "as_of": day.isoformat(),
        "balance_cents": total,
        "is_final": total is not None,
        "plans": [
            {
                "plan_id": row["plan_id"],
                "balance_cents": row["cents"],
                "positions": _positions(orjson.loads(row["holdings"]), decimals),
            }
            for row in rows
        ],
    }


async def _total(pool: Pool, rows: list[Any], decimals: dict[str, int]) -> int | None:
    """Cents over several plans at one date: the exact sum, rounded once; each plan's balance is rounded already."""
    (worth,) = (await pages_returns.worth_by_date(pool, rows, decimals)).values()
    return None if worth is None else rounded_cents(worth.numerator, worth.denominator)


@leaves_out_other_plans
async def participant_transactions(pool: Pool, request: Any) -> tuple[int, Any]:
    """Every fill of a participant with order, price and version: what made his shares."""
    participant_id = request.match_info["participant_id"]
    lane = bucket_of(participant_id) % settings().partitions
    decimals = await store.share_decimals(pool)
    found = []
    for row in await pool.fetch(store.ENTRIES_OF, lane, participant_id):
        if not caller_in(request).sees(row["plan_id"]):
            continue
        for at, who in enumerate(row["participants"]):
            if who == participant_id:
                found.append(
                    {
                        "book_date": row["trade_date"].isoformat(),
                        "trade_date": row["order_date"].isoformat(),
                        "recorded_at": row["recorded_at"].isoformat(),
                        "kind": row["kind"],
                        "plan_id": row["plan_id"],
                        "fund_id": row["fund_id"],
                        "source": row["sources"][at],
                        "cents": row["amounts"][at],
                        "shares": shares_text(row["units"][at], decimals[row["fund_id"]]),
                        "price": row["price"],
                        "order_id": row["order_id"],
                        "version": row["version"],
                    }
                    | ({"proceeds_cents": row["proceeds"][at]} if row["proceeds"] is not None else {})
                )
    return 200, {"participant_id": participant_id, "transactions": found}


async def plan_balances(pool: Pool, request: Any) -> tuple[int, Any]:
    """Every participant of a plan at a proven close, and the plan's unallocated cash."""
    plan_id = request.match_info["plan_id"]
    try:
        day = await _asked_date(pool, request)
    except ValueError:
        return BAD_DATE
    if day is None:
        return NOT_CLOSED
    decimals = await store.share_decimals(pool)
    proof = await pool.fetchrow(store.PROOF_ON, day)
    lanes = list(range(settings().partitions))
    return 200, {
        "plan_id": plan_id,
        "as_of": day.isoformat(),
        "participants": [
            {
                "participant_id": row["participant_id"],
                "balance_cents": row["cents"],
                "positions": _positions(orjson.loads(row["holdings"]), decimals),
            }
            for row in await pool.fetch(store.PLAN_BALANCES_ON, plan_id, day, lanes)
        ],
        "plan_cash_cents": orjson.loads(proof["plan_cash"]).get(plan_id, 0),
    }


async def closed_day(pool: Pool, request: Any) -> tuple[int, Any]:
    """The proof of a date, equation by equation."""
    try:
        day = date.fromisoformat(request.match_info["date"])
    except ValueError:
        return BAD_DATE
    proof = await pool.fetchrow(store.PROOF_ON, day)
    if proof is None:
        return NOT_CLOSED
    return 200, {
        "trade_date": day.isoformat(),
        "status": proof["status"],
        "proof": orjson.loads(proof["equations"]),
        "plan_cash": orjson.loads(proof["plan_cash"]),
    }


PAGES = {
    "/v1/participants/{participant_id}/balance": participant_balance,
    "/v1/participants/{participant_id}/transactions": participant_transactions,
    "/v1/participants/{participant_id}/returns": pages_returns.participant_returns,
    "/v1/plans/{plan_id}/balances": plan_balances,
    "/v1/days/{date}": closed_day,
}

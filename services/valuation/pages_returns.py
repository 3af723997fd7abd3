"""What a participant's money earned between two proven closes; the method and the dates stand beside each figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from itertools import dropwhile
from typing import Any

import orjson

from services.valuation import store, store_returns
from services.valuation.rules import returns
from services.valuation.rules.returns import Closed
from shared.runtime.clients import Pool
from shared.runtime.settings import settings
from shared.runtime.tokens import caller_in, leaves_out_other_plans
from shared.values.hashing import bucket_of
from shared.values.shares import Price

BAD_DATES = (400, {"code": "invalid_date", "detail": "from and to must be ISO dates, from before to."})
NOTHING = (404, {"code": "nothing_held", "detail": "Nothing was held on two proven dates of this period."})


@leaves_out_other_plans
async def participant_returns(pool: Pool, request: Any) -> tuple[int, Any]:
    """Returns from the close of ``from`` (the first date on which something was held) to that of ``to`` (the last)."""
    participant_id = request.match_info["participant_id"]
    try:
        first, last = (_date(request.query.get(name)) for name in ("from", "to"))
    except ValueError:
        return BAD_DATES
    last = last or await pool.fetchval(store.LAST_CLOSED, None, None)
    if first is not None and last is not None and first >= last:
        return BAD_DATES
    lane = bucket_of(participant_id) % settings().partitions
    plans = [row["plan_id"] for row in await pool.fetch(store_returns.PLANS_OF, lane, participant_id)]
    plans = [plan_id for plan_id in plans if caller_in(request).sees(plan_id)]
    rows = [] if last is None else await pool.fetch(store_returns.VALUES_OF, lane, plans, participant_id, first, last)
    days = await _closed(pool, rows, await _flows(pool, lane, participant_id, plans))
    if first is None:
        days = list(dropwhile(lambda one: one.value == 0, days))
    if len(days) < 2:
        return NOTHING
    return 200, {
        "participant_id": participant_id,
        "from": days[0].day.isoformat(),
        "to": days[-1].day.isoformat(),
        "twr": {"percent": returns.percent_text(returns.time_weighted(days)), "method": returns.TIME_WEIGHTED},
        "modified_dietz": {
            "percent": returns.percent_text(returns.modified_dietz(days)), "method": returns.MODIFIED_DIETZ,
        },
    }  # fmt: skip


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


async def _flows(pool: Pool, lane: int, participant_id: str, plans: list[str]) -> Mapping[date, int]:
    """Cents that came in by buys, less what sells brought, by the date they are in the books of."""
    flows: defaultdict[date, int] = defaultdict(int)
    for row in await pool.fetch(store.ENTRIES_OF, lane, participant_id):
        for at, who in enumerate(row["participants"] if row["plan_id"] in plans else ()):
            if who == participant_id:
                proceeds = row["proceeds"]
                flows[row["trade_date"]] += row["amounts"][at] if proceeds is None else -proceeds[at]
    return flows


async def _closed(pool: Pool, rows: list[Any], flows: Mapping[date, int]) -> list[Closed]:
    """Each date with what all plans together were worth."""
    if not rows:
        return []
    decimals = await store.share_decimals(pool)
    values = await worth_by_date(pool, rows, decimals)
    return [Closed(day, value, Fraction(flows.get(day, 0), 100)) for day, value in values.items()]


async def worth_by_date(pool: Pool, rows: Iterable[Any], decimals: Mapping[str, int]) -> dict[date, Fraction | None]:
    """Exact dollars of all plans together at each date's prices, of at least one stored balance; None if not final."""
    by_day: dict[date, list[Any]] = {}
    for row in rows:
        by_day.setdefault(row["trade_date"], []).append(row)
    prices: defaultdict[date, dict[str, Price]] = defaultdict(dict)
    for row in await pool.fetch(store_returns.PRICES_BETWEEN, min(by_day), max(by_day)):
        if row["fund_id"] in decimals:
            prices[row["price_date"]][row["fund_id"]] = Price.parse(row["price"])
    return {day: _value(of_day, prices[day], decimals) for day, of_day in by_day.items()}


def _value(rows: Iterable[Any], prices: Mapping[str, Price], decimals: Mapping[str, int]) -> Fraction | None:
    total = Fraction()
    for row in rows:
        # What is not shown as a balance is not final, whatever the prices say: a fill may be parked.
        value = None if row["cents"] is None else returns.worth(orjson.loads(row["holdings"]), prices, decimals)
        if value is None:
            return None
        total += value
    return total

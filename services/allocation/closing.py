"""How a date ends here: held requests are settled; the lane's totals go with the marker."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.allocation import store, store_reversals
from services.allocation.handlers import settle_held
from shared.runtime.definition import Progress
from shared.runtime.work import Work


async def read_date(work: Work, lane: int, day: date) -> Progress:
    """Settle what waited for a fund, slice by slice."""
    return Progress.DONE if await settle_held(work, lane, day) else Progress.MORE


async def close_date(work: Work, lane: int, day: date) -> dict[str, Any]:
    """Lines and cents split for the date."""
    totals = dict(await work.connection.fetchrow(store.LANE_TOTALS, day, lane))
    totals["parked_cents"] = await work.connection.fetchval(store.LANE_PARKED, lane, day)
    totals["reversed_cents"] = await work.connection.fetchval(store_reversals.LANE_REVERSED, day, lane)
    totals["parked_reversed_cents"] = await work.connection.fetchval(store_reversals.LANE_PARKED_REVERSALS, lane, day)
    return totals

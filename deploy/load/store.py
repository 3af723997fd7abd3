"""What the load asks the services' databases: the last date that was cut, and where its money is in the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from shared.runtime.clients import connect
from shared.runtime.settings import Settings

LAST_CUT = "SELECT max(trade_date) FROM day_marks WHERE kind = 'cut'"
INVESTED = """
SELECT coalesce(sum((holding.value ->> 1)::bigint), 0)::bigint
FROM positions, jsonb_each(holdings::jsonb) AS holding
WHERE plan_id = ANY($1::text[]) AND starts_with(participant_id, $2)"""


async def last_cut(config: Settings) -> date | None:
    """The newest business date that was cut, or None on a cluster without days."""
    connection = await connect("nestwork_trading", config)
    try:
        found: date | None = await connection.fetchval(LAST_CUT)
        return found
    finally:
        await connection.close()


async def invested_cents(config: Settings, plans: Sequence[str], prefix: str) -> int:
    """Cost of all positions of the participants whose id begins with ``prefix``, in cents."""
    connection = await connect("nestwork_valuation", config)
    try:
        return int(await connection.fetchval(INVESTED, list(plans), prefix, timeout=600))
    finally:
        await connection.close()

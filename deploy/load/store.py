"""What the load asks the services' databases: the last date that was cut, limits, and where its money is in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from shared.runtime.clients import connect
from shared.runtime.settings import Settings

LAST_CUT = "SELECT max(trade_date) FROM day_marks WHERE kind = 'cut'"
HAS_LIMITS = "SELECT EXISTS (SELECT FROM facts WHERE topic = 'limits.v1' AND key = $1)"
INVESTED = """
SELECT participant_id, split_part(holding.key, '/', 1) AS source, sum((holding.value ->> 1)::bigint)::bigint AS cents
FROM positions, jsonb_each(holdings::jsonb) AS holding
WHERE plan_id = ANY($1::text[]) AND starts_with(participant_id, $2) GROUP BY 1, 2"""
ROWS_AT_A_TIME = 10_000


async def last_cut(config: Settings) -> date | None:
    """The newest business date that was cut, or None on a cluster without days."""
    connection = await connect("nestwork_trading", config)
    try:
        found: date | None = await connection.fetchval(LAST_CUT)
        return found
    finally:
        await connection.close()


async def has_limits(config: Settings, year: int) -> bool:
    """Say whether somebody has loaded limits of ``year``."""
    connection = await connect("nestwork_contribution", config)
    try:
        return bool(await connection.fetchval(HAS_LIMITS, str(year)))
    finally:
        await connection.close()


async def invested(config: Settings, plans: Sequence[str], prefix: str, found: Callable[[str, str, int], None]) -> None:
    """Tell ``found`` the cost in cents of all positions, by participant (ids that begin with ``prefix``) and source."""
    connection = await connect("nestwork_valuation", config, transaction_timeout="0")
    try:
        async with connection.transaction(readonly=True):
            rows = connection.cursor(INVESTED, list(plans), prefix, prefetch=ROWS_AT_A_TIME, timeout=600)
            async for row in rows:
                found(row["participant_id"], row["source"], row["cents"])
    finally:
        await connection.close()

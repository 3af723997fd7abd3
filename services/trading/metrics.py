"""What the trading books say about orders, the custodian's breaks, and the dates that are due."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.runtime import metrics
from shared.runtime.clients import Connection
from shared.runtime.exposition import Value
from shared.runtime.settings import settings
from shared.runtime.snapshot import seconds_of
from shared.values.trading_days import cutoff_at, next_trading_day, trade_date_of_stamp

OPEN_ORDERS = """
SELECT status, count(*) AS orders, coalesce(sum(amount) FILTER (WHERE unit = 'cents'), 0)::bigint AS cents,
       min(recorded_at) AS oldest
FROM (SELECT status, amount, unit, recorded_at FROM orders WHERE status IN ('open', 'pending', 'broken')
      UNION ALL SELECT status, amount, unit, recorded_at FROM orders
      WHERE status = 'rejected' AND carried_to IS NULL) AS unsettled
GROUP BY status"""
# A confirmation that is not believed: of an order without fills, or a correction of one that has them.
BREAKS = """
SELECT substr(c.verdict, 8) AS code, count(*) AS breaks,
       coalesce(sum(o.amount) FILTER (WHERE o.unit = 'cents'), 0)::bigint AS cents, min(c.recorded_at) AS oldest
FROM confirmations AS c JOIN orders AS o USING (order_id)
WHERE c.verdict LIKE 'broken:%'
  AND NOT EXISTS (SELECT FROM confirmations AS later
                  WHERE later.order_id = c.order_id AND later.version > c.version AND later.verdict IS NOT NULL)
GROUP BY code"""
LAST_CUT = "SELECT max(trade_date) FROM day_marks WHERE kind = 'cut'"
MARKET_SINCE = "SELECT since FROM market_since"
UNVALUED = """
SELECT min(cut.marked_at) FROM day_marks AS cut
WHERE cut.kind = 'cut' AND cut.trade_date > coalesce(
    (SELECT max(trade_date) FROM day_marks WHERE kind = 'value'), '0001-01-01')"""
REVERSALS_WAITING = """
SELECT coalesce(sum(r.cents), 0)::bigint AS cents, min(j.recorded_at) AS oldest
FROM reversal_legs AS r
LEFT JOIN journal AS j ON j.trade_date = r.trade_date AND j.lane = r.lane AND j.entry = r.entry
WHERE r.done IS NULL"""
STATES = ("open", "pending", "broken", "rejected")
BREAK_CODES = ("PRICE_MISMATCH", "AMOUNT_MISMATCH", "SHARES_MISMATCH", "SOLD_SINCE")


async def snapshot(connection: Connection) -> list[Value]:
    """Orders without a final answer, breaks, waiting reversals, the next cut-off, the oldest date not valued."""
    values: list[Value] = []
    orders = {row["status"]: row for row in await connection.fetch(OPEN_ORDERS)}
    for state in STATES:
        row = orders.get(state)
        values += [
            (metrics.ORDERS_OPEN, (state,), row["orders"] if row else 0),
            (metrics.ORDERS_CENTS, (state,), row["cents"] if row else 0),
            (metrics.ORDERS_OLDEST, (state,), seconds_of(row["oldest"]) if row else 0.0),
        ]
    breaks = {row["code"]: row for row in await connection.fetch(BREAKS)}
    for code in dict.fromkeys([*BREAK_CODES, *breaks]):
        row = breaks.get(code)
        values += [
            (metrics.BREAKS, (code,), row["breaks"] if row else 0),
            (metrics.BREAKS_CENTS, (code,), row["cents"] if row else 0),
            (metrics.BREAKS_OLDEST, (code,), seconds_of(row["oldest"]) if row else 0.0),
        ]
    waiting = await connection.fetchrow(REVERSALS_WAITING)
    values += [
        (metrics.REVERSALS_WAITING, (), waiting["cents"]),
        (metrics.REVERSALS_OLDEST, (), seconds_of(waiting["oldest"])),
    ]
    unvalued = await connection.fetchval(UNVALUED)
    return [
        *values,
        (metrics.UNVALUED_OLDEST, (), seconds_of(unvalued)),
        (metrics.CUTOFF_DUE, (), seconds_of(await _cutoff_due(connection))),
    ]


async def _cutoff_due(connection: Connection) -> datetime | None:
    """The cut-off instant of the first date that is not cut, when the market's clock closes days."""
    if settings().market_mode != "on":
        return None
    last_cut = await connection.fetchval(LAST_CUT)
    if last_cut is not None:
        return cutoff_at(next_trading_day(last_cut))
    since = await connection.fetchval(MARKET_SINCE) or datetime.now(UTC)
    return cutoff_at(trade_date_of_stamp(int(since.timestamp() * 1000)))

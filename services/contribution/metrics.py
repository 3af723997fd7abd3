"""What the contribution books say about money that waits, and the counters of what was decided."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import orjson

from services.contribution import store
from shared.events.codes import CODES
from shared.runtime import metrics
from shared.runtime.clients import Connection
from shared.runtime.exposition import Value
from shared.runtime.snapshot import suspense
from shared.runtime.work import Work
from shared.values.trading_days import GENESIS, next_trading_day, trading_days_between

HELD_BY_CODE = """
SELECT code, count(*) AS lines, sum(requested)::bigint AS cents, min(recorded_at) AS oldest FROM held_lines
GROUP BY code"""
UNRELEASED = """
SELECT coalesce(w.code, 'AWAITING_CUT') AS reason, count(DISTINCT (p.plan_id, p.payroll_id)) AS runs,
       sum(p.credited)::bigint AS cents, min(p.trade_date) AS oldest_date
FROM run_parts AS p LEFT JOIN run_waits AS w USING (plan_id, payroll_id)
WHERE p.released_for IS NULL AND p.credited > 0 GROUP BY reason"""
# The run itself has no line of its own to ask for: the first line of its date is at most a day older.
FIRST_LINE = """
SELECT min(first.recorded_at) FROM lanes CROSS JOIN LATERAL (
    SELECT recorded_at FROM journal AS j WHERE j.trade_date = $1 AND j.lane = lanes.lane AND j.kind = 'line'
    ORDER BY entry LIMIT 1) AS first"""
LAST_CUT = "SELECT max(trade_date) FROM lane_days WHERE cycle = 'day'"
OLDEST_SHORT = """
SELECT min(p.trade_date) FROM run_waits AS w JOIN run_parts AS p USING (plan_id, payroll_id)
WHERE w.code = 'FUNDING_SHORT' AND p.released_for IS NULL AND p.credited > 0"""
WAITS = "SELECT code, count(*) AS runs, coalesce(sum(short_by), 0)::bigint AS short FROM run_waits GROUP BY code"
OVERDUE = """
SELECT coalesce(sum(short_by), 0)::bigint FROM run_waits
WHERE code IN ('FUNDING_SHORT', 'PAYROLL_TOTALS_MISMATCH') AND deposit_due < trade_date"""
RETURNED = "CASH_RETURNED_AFTER_TRADE"
WAIT_CODES = ("FUNDING_SHORT", "PAYROLL_TOTALS_MISMATCH")
HELD_CODES = (
    "UNKNOWN_PLAN", "UNKNOWN_PARTICIPANT", "LIMITS_NOT_LOADED", "WAITING_FOR_EARLIER_LINE", "WAITING_FOR_ITS_LINE",
    "DUPLICATE_PAYROLL_LINE",
)  # fmt: skip

_KIND, _REQUESTED, _REJECTED, _DETAIL = map(store.JOURNAL_COLUMNS.index, ("kind", "requested", "rejected", "detail"))

for _code in CODES:
    metrics.CENTS_REJECTED.labels(code=_code)  # A rate sees the first cent only if the series was there before it.


def count_lines(work: Work, rows: list[tuple[Any, ...]]) -> None:
    """Count the cents of a batch's journal rows once they are committed: asked for, booked, refused by code."""
    lines = [row for row in rows if row[_KIND] == "line"]
    asked, refused = sum(row[_REQUESTED] for row in lines), sum(row[_REJECTED] for row in lines)
    by_code: Counter[str] = Counter()
    for row in lines:
        if row[_REJECTED] and row[_DETAIL]:
            for _, cents, code in orjson.loads(row[_DETAIL]).get("cuts", ()):
                by_code[code] += cents

    def count() -> None:
        metrics.CENTS_IN.inc(asked)
        metrics.CENTS_POSTED.inc(asked - refused)
        for code, cents in by_code.items():
            metrics.CENTS_REJECTED.labels(code=code).inc(cents)

    work.after_commit(count)


async def snapshot(connection: Connection) -> list[Value]:
    """Held lines, runs that wait, the oldest money that does not trade yet, how long payrolls lack their cash."""
    held = {row["code"]: row for row in await connection.fetch(HELD_BY_CODE)}
    values: list[Value] = []
    for code in dict.fromkeys([*HELD_CODES, *held]):
        row = held.get(code)
        values += suspense(code, row["lines"], row["cents"], row["oldest"]) if row else suspense(code, 0, 0, None)
    last_cut = await connection.fetchval(LAST_CUT)
    return values + await _unreleased(connection, last_cut) + await _waits(connection, last_cut)


async def _unreleased(connection: Connection, last_cut: date | None) -> list[Value]:
    rows = {row["reason"]: row for row in await connection.fetch(UNRELEASED)}
    values: list[Value] = []
    open_date = next_trading_day(last_cut) if last_cut else GENESIS
    oldest = [await connection.fetchval(FIRST_LINE, open_date)]
    for reason in (*WAIT_CODES, "AWAITING_CUT"):
        row = rows.get(reason)
        since = await connection.fetchval(FIRST_LINE, row["oldest_date"]) if row else None
        oldest.append(since)
        values += suspense(reason, row["runs"] if row else 0, row["cents"] if row else 0, since)
    first = min((instant for instant in oldest if instant is not None), default=None)
    return [*values, (metrics.UNTRADED_OLDEST, (), first.timestamp() if first else 0.0)]


async def _waits(connection: Connection, last_cut: date | None) -> list[Value]:
    rows = {row["code"]: row for row in await connection.fetch(WAITS)}
    oldest = await connection.fetchval(OLDEST_SHORT)
    days = 0
    if oldest is not None and last_cut is not None and oldest != GENESIS:
        days = len(trading_days_between(oldest, last_cut)) - 1
    short = sum(rows[code]["short"] for code in WAIT_CODES if code in rows)
    said = (*WAIT_CODES, RETURNED)
    return [
        *((metrics.RUNS_WAITING, (code,), rows[code]["runs"] if code in rows else 0) for code in said),
        (metrics.DEPOSITS_OVERDUE, (), await connection.fetchval(OVERDUE)),
        (metrics.RUNS_SHORT_CENTS, (), short),
        (metrics.FUNDING_AGE, (), max(0, days)),
    ]

"""Gauges that are asked of the books: every few seconds, by one worker of the service, in one read-only transaction.

Which worker: the one that reads the service's first fact topic. When it dies another takes the topic over and goes on
from the same books; what a worker no longer asks for it no longer serves, so a sum over workers counts once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from datetime import time as clock

import orjson

from shared.runtime import metrics
from shared.runtime.clients import DATABASE_TROUBLE, Connection
from shared.runtime.control import Control
from shared.runtime.definition import Service
from shared.runtime.exposition import Exposition, Value
from shared.runtime.logs import get_logger

log = get_logger(__name__)

ASK_SECONDS = 3.0
SHARE_MOST = 0.05
"""A snapshot that takes long is asked for less often: never more than this share of the time."""

Ask = Callable[[Connection], Awaitable[list[Value]]]

PARKED_BY_CODE = """
SELECT count(*) AS items, coalesce(sum(cents), 0)::bigint AS cents, min(recorded_at) AS oldest FROM parked
WHERE freed_for IS NULL"""
LETTERS_BY_CODE = """
SELECT code, count(*) AS letters, coalesce(sum(cents), 0)::bigint AS cents, min(recorded_at) AS oldest
FROM dead_letters WHERE replayed_at IS NULL GROUP BY code"""
DAYS_LOOKED_BACK = 20
"""A date that is open for longer than this is not found any more; it was paged long before."""
RECENT_DATES = f"""
SELECT trade_date, min(read_at) AS since, count(closed_at) = (SELECT count(*) FROM lanes) AS is_closed FROM lane_days
WHERE cycle = $1 AND trade_date > (SELECT max(trade_date) FROM lane_days WHERE cycle = $1) - {DAYS_LOOKED_BACK}
GROUP BY trade_date ORDER BY trade_date"""
STAGE_TOTALS = "SELECT totals -> $3 FROM lane_days WHERE cycle = $1 AND trade_date = $2"
PARKED_REASON = "PARKED"


def seconds_of(instant: datetime | None) -> float:
    """An instant as seconds since 1970; 0 when there is none."""
    return 0.0 if instant is None else instant.timestamp()


def midnight_of(day: date) -> float:
    """A business date as the seconds of its midnight, UTC."""
    return datetime.combine(day, clock(), UTC).timestamp()


async def run_snapshots(control: Control, service: Service, exposition: Exposition) -> None:
    """Ask for ever while this worker is the one that asks."""
    topic = service.facts[0].topic.name
    while True:
        started = time.monotonic()
        if not control.reads(topic):
            exposition.snapshot = []
        else:
            try:
                async with control.pool.acquire() as connection:
                    exposition.snapshot = await take_snapshot(connection, service)
            except DATABASE_TROUBLE as trouble:
                log.warning("snapshot_waits", error=repr(trouble))
        await asyncio.sleep(max(ASK_SECONDS, (time.monotonic() - started) / SHARE_MOST))


async def take_snapshot(connection: Connection, service: Service) -> list[Value]:
    """The service's gauges as its books are now."""
    started = time.monotonic()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        values = [*await _frame(connection, service), *await service.snapshot(connection)]
    values.append((metrics.SNAPSHOT_SECONDS, (), time.monotonic() - started))
    values.append((metrics.SNAPSHOT_AT, (), time.time()))
    return values


async def _frame(connection: Connection, service: Service) -> list[Value]:
    """What the frame keeps in every service's books: parked items, dead letters, closings with their totals."""
    parked = await connection.fetchrow(PARKED_BY_CODE)
    values = suspense(PARKED_REASON, parked["items"], parked["cents"], parked["oldest"])
    for row in await connection.fetch(LETTERS_BY_CODE):
        code = (row["code"],)
        values += [
            (metrics.LETTERS_WAITING, code, row["letters"]),
            (metrics.LETTERS_CENTS, code, row["cents"]),
            (metrics.LETTERS_OLDEST, code, seconds_of(row["oldest"])),
        ]
    for number, cycle in enumerate(service.cycles):
        recent = await connection.fetch(RECENT_DATES, cycle.name)
        since = next((row["since"] for row in recent if not row["is_closed"]), None)
        closed = max((row["trade_date"] for row in recent if row["is_closed"]), default=None)
        values.append((metrics.CLOSING_SINCE, (cycle.name,), seconds_of(since)))
        if closed is not None:
            stage = service.name if number == 0 else f"{service.name}.{cycle.name}"
            values.append((metrics.LAST_CLOSED, (cycle.name,), midnight_of(closed)))
            values += await _totals(connection, cycle.name, closed, stage)
    return values


async def _totals(connection: Connection, cycle: str, day: date, stage: str) -> list[Value]:
    """The cents that the lanes' control totals of a date count, added up."""
    totals: dict[str, int] = {}
    for (text,) in await connection.fetch(STAGE_TOTALS, cycle, day, stage):
        for name, value in orjson.loads(text or "{}").items():
            if name in DAY_TOTALS:
                totals[name] = totals.get(name, 0) + value
    return [(metrics.DAY_CENTS, (name,), value) for name, value in sorted(totals.items())]


DAY_TOTALS = frozenset(
    {
        "submitted", "accepted", "rejected", "credited", "released", "open", "held_cents", "parked_cents", "cents",
        "leg_cents", "ordered_cents", "confirmed_cents", "filled_cents", "posted_cents",
    }
)  # fmt: skip
"""The control totals that are cents: a closed set of label values."""


def suspense(reason: str, items: int, cents: int, oldest: datetime | None) -> list[Value]:
    """Money in suspense for one reason."""
    return [
        (metrics.SUSPENSE_ITEMS, (reason,), items),
        (metrics.SUSPENSE_CENTS, (reason,), cents),
        (metrics.SUSPENSE_OLDEST, (reason,), seconds_of(oldest)),
    ]

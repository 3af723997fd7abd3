"""Ending business days: commands and the market calendar become signed markers in the logs, in order, date by date."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

from services.trading import store_days
from shared.events.topics import DAY_COMMANDS
from shared.runtime.clients import SERVER_TROUBLE, Connection
from shared.runtime.control import Control, append_markers
from shared.runtime.logs import get_logger
from shared.runtime.records import DAY_CUT, VALUE_CUT
from shared.values.trading_days import (
    CalendarUnknown,
    cutoff_at,
    has_next_trading_day,
    is_trading_day,
    next_trading_day,
    trade_date_of_stamp,
    trading_days_between,
)

log = get_logger(__name__)
TICK_SECONDS = 0.5
RETRY_SECONDS = 0.5
CALENDAR_SECONDS = 60.0
NO_NEXT_DATE = "refused: the exchange calendar ends here; load the next year before this date is closed"


async def run_day_clock(control: Control) -> None:
    """Is there a date to cut or to value? Asked when a command came and now and then, where the commands are read."""
    while True:
        await control.news(TICK_SECONDS)
        if not control.reads(DAY_COMMANDS.name):
            continue
        try:
            async with control.pool.acquire() as connection:
                await _tick(control, connection)
        except SERVER_TROUBLE as trouble:
            log.warning("day_clock_waits", error=repr(trouble))
            await asyncio.sleep(RETRY_SECONDS)
        except CalendarUnknown as unknown:
            # No date may be guessed: nothing is closed until a release knows the year. Everything else goes on.
            log.error("calendar_unknown", error=str(unknown), what_to_do="install a release that knows the year")
            await asyncio.sleep(CALENDAR_SECONDS)


async def _tick(control: Control, connection: Connection) -> None:
    await _append_missing(control, connection)
    for command in await connection.fetch(store_days.PENDING_COMMANDS):
        outcome = await _obey(connection, command["kind"], command["trade_date"])
        await connection.execute(store_days.FINISH_COMMAND, command["version"], outcome)
        await _append_missing(control, connection)
    if control.config.market_mode == "on":
        await _follow_market(control, connection, datetime.now(UTC))


async def _obey(connection: Connection, kind: str, day: date) -> str:
    """Mark what a command asks for; returns its outcome."""
    if not is_trading_day(day) or not has_next_trading_day(day):
        return NO_NEXT_DATE if is_trading_day(day) else "refused: not a trading day"
    last_cut = await connection.fetchval(store_days.LAST_MARK, "cut")
    if kind == "close":
        if last_cut is not None and day <= last_cut:
            return "refused: closed before"
        for due in [day] if last_cut is None else trading_days_between(next_trading_day(last_cut), day):
            await mark_cut(connection, due)
        return "done"
    if last_cut is None or day > last_cut:
        return "refused: not closed yet"  # Waiting for its cut it would value the date before its orders are answered.
    last_value = await connection.fetchval(store_days.LAST_MARK, "value")
    if last_value is not None and day <= last_value:
        return "refused: valued before"
    await mark_value(connection, day)
    return "done"


async def mark_cut(connection: Connection, day: date) -> None:
    """Cut ``day``; the date before is valued first, with what is there (its deadline is the next cut).

    A clock that stood still since it asked may find ``day`` cut by another: to value that one now would be before its
    orders are answered.
    """
    last_cut = await connection.fetchval(store_days.LAST_MARK, "cut")
    if last_cut is not None and last_cut >= day:
        return
    if last_cut is not None:
        await mark_value(connection, last_cut)
    await connection.execute(store_days.INSERT_MARK, "cut", day)


async def mark_value(connection: Connection, day: date) -> None:
    """Value every cut date up to ``day`` that is not valued yet, in order."""
    for row in await connection.fetch(store_days.UNVALUED_CUTS, day):
        await connection.execute(store_days.INSERT_MARK, "value", row["trade_date"])


async def _append_missing(control: Control, connection: Connection) -> None:
    """Append the markers of every mark not known to be in the logs; a repeat is harmless, the first counts."""
    for row in await connection.fetch(store_days.UNAPPENDED):
        ce_type = DAY_CUT if row["kind"] == "cut" else VALUE_CUT
        await append_markers(control.config, ce_type, row["trade_date"])
        await connection.execute(store_days.NOTE_APPENDED, row["kind"], row["trade_date"])
        log.info("day_marked", kind=row["kind"], trade_date=row["trade_date"].isoformat())


async def _follow_market(control: Control, connection: Connection, now: datetime) -> None:
    """Market mode: past a date's cut-off and not cut? Everything answered and not valued?"""
    last_cut = await connection.fetchval(store_days.LAST_MARK, "cut")
    if last_cut is None:
        since = await connection.fetchval(store_days.MARKET_SINCE, now)
        due = trade_date_of_stamp(int(since.timestamp() * 1000))
    else:
        due = next_trading_day(last_cut)
    if now >= cutoff_at(due):
        next_trading_day(due)  # What comes after the cut needs a date; raises before anything is marked.
        await mark_cut(connection, due)
        await _append_missing(control, connection)
    elif last_cut is not None and await connection.fetchval(store_days.READY_TO_VALUE, last_cut):
        await mark_value(connection, last_cut)
        await _append_missing(control, connection)

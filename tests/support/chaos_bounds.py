"""How long and how fast a long run may be, so that it meets neither the end of the calendar nor the made-up law."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

from shared.values.trading_days import next_trading_day

PATIENCE = float(os.environ.get("CHAOS_PATIENCE", "1"))
"""Stretches all limits of time on a machine that is busy with other things."""
HEAD_DAY = date(2026, 12, 29)
"""The day before the first; a run of minutes goes on into a year whose limits it loads itself."""
DAY_SECONDS = 30.0
"""A date's lines are streamed so long; closing and valuing it come on top."""
MINUTES_MAX = 240.0
RATE_MAX = 200.0
OVERTIME_SECONDS = 1_800.0
"""Lines still come while the last fault heals and the last dates are closed."""
LINE_CENTS_MAX = 9_000
"""Of each source of a line."""
LINES_MAX = int(RATE_MAX * (MINUTES_MAX * 60 + OVERTIME_SECONDS))
DATES_MAX = int(MINUTES_MAX * 60 / DAY_SECONDS) + 1
"""The last one is taken without faults, when the time is over."""
NEVER_REACHED_CENTS = 1_000_000_000_000
"""Of all lines of the longest and fastest run not one is cut, were they all one person's of one year."""


def dates() -> list[date]:
    """The day before the first, and every trading date that a run can reach."""
    found = [HEAD_DAY]
    for _ in range(DATES_MAX):
        found.append(next_trading_day(found[-1]))
    return found


def made_up_limits() -> list[dict[str, Any]]:
    """The limits of every year that a run can reach; the first replaces the real ones from the first date on."""
    names = ("elective_deferral_cents", "catch_up_cents", "annual_additions_cents", "compensation_cents")
    return [
        {"year": year, "notice": "made up"} | dict.fromkeys(names, NEVER_REACHED_CENTS)
        for year in sorted({day.year for day in dates()})
    ]


def refusal(minutes: float, rate: float) -> str | None:
    """Why a run can't be as long or as fast as that."""
    if minutes > MINUTES_MAX:
        return f"a run of {minutes:g} minutes would come to the end of the exchange calendar; {MINUTES_MAX:g} can be"
    if rate > RATE_MAX:
        return f"{rate:g} records a second would come near the made-up limits; {RATE_MAX:g} can be"
    return None

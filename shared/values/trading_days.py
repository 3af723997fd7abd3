"""Business dates: the days the New York Stock Exchange trades, when each ends, and the federal business days.

Dates are New York dates; instants are aware UTC. The calendar is data of known years; asking beyond them is an error,
because guessing a holiday would price money on the wrong day. Source: NYSE holiday notices; domain notes 6.7.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from shared.values.nyse_calendar import CLOSED_DAYS, EARLY_CLOSES, EXTRA_CLOSES, FIRST_YEAR, LAST_YEAR

NEW_YORK = ZoneInfo("America/New_York")
CUTOFF = time(16, 0)
EARLY_CUTOFF = time(13, 0)

GENESIS = date(1, 1, 1)
"""The label of everything before the first cut of an empty cluster."""

AFTER_GENESIS = date(1, 1, 2)
"""Where facts received before the first cut, and then changed, take effect: before any real date."""


class CalendarUnknown(ValueError):
    """The exchange's calendar holds no such year: load it before trading there."""


def _all_trading_days() -> tuple[date, ...]:
    first, last = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)
    closed = CLOSED_DAYS | EXTRA_CLOSES.keys()
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return tuple(day for day in days if day.weekday() < 5 and day not in closed)


_DAYS = _all_trading_days()
_DAY_SET = frozenset(_DAYS)


def _require_known(day: date) -> None:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise CalendarUnknown(f"the exchange calendar covers {FIRST_YEAR} to {LAST_YEAR}, not {day}")


def is_trading_day(d: date) -> bool:
    """Say whether the exchange trades on ``d``. Raises ``CalendarUnknown`` outside the known years."""
    _require_known(d)
    return d in _DAY_SET


def next_trading_day(d: date) -> date:
    """Return the first trading day strictly after ``d``. Raises ``CalendarUnknown`` outside the known years."""
    _require_known(d)
    index = bisect_right(_DAYS, d)
    if index == len(_DAYS):
        raise CalendarUnknown(f"the exchange calendar ends before the trading day after {d}")
    return _DAYS[index]


def has_next_trading_day(d: date) -> bool:
    """Say whether the calendar knows a trading day after ``d``: only then may ``d`` be closed."""
    return d < _DAYS[-1]


def previous_trading_day(d: date) -> date:
    """Return the last trading day strictly before ``d``. Raises ``CalendarUnknown`` outside the known years."""
    _require_known(d)
    index = bisect_left(_DAYS, d)
    if index == 0:
        raise CalendarUnknown(f"the exchange calendar begins after the trading day before {d}")
    return _DAYS[index - 1]


def trading_days_between(first: date, last: date) -> list[date]:
    """Return the trading days from ``first`` to ``last``, both included; none when ``last`` is earlier."""
    _require_known(first)
    _require_known(last)
    return list(_DAYS[bisect_left(_DAYS, first) : bisect_right(_DAYS, last)])


def cutoff_at(d: date) -> datetime:
    """Return the instant (UTC) at which trading day ``d`` takes no more orders: 16:00, or 13:00 on early closes.

    Raises ``ValueError`` when the exchange does not trade on ``d``.
    """
    if not is_trading_day(d):
        raise ValueError(f"{d} is not a trading day")
    at = EARLY_CUTOFF if d in EARLY_CLOSES else CUTOFF
    return datetime.combine(d, at, tzinfo=NEW_YORK).astimezone(UTC)


@cache
def _cutoffs_ms() -> tuple[int, ...]:
    return tuple(int(cutoff_at(day).timestamp()) * 1000 for day in _DAYS)


def trade_date_of_stamp(ts_ms: int) -> date:
    """Return the trading day whose NAV prices what was stamped ``ts_ms`` (milliseconds since 1970, UTC).

    A stamp at or after a day's cut-off belongs to the next trading day. Raises ``CalendarUnknown`` outside the years.
    """
    cutoffs = _cutoffs_ms()
    index = bisect_right(cutoffs, ts_ms)
    if index == len(cutoffs) or (index == 0 and _new_york_date(ts_ms).year < FIRST_YEAR):
        raise CalendarUnknown(f"the exchange calendar covers {FIRST_YEAR} to {LAST_YEAR}, not the stamp {ts_ms}")
    return _DAYS[index]


def _new_york_date(ts_ms: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ts_ms)).astimezone(NEW_YORK).date()


def day_after(label: date) -> date:
    """Return the business period that follows ``label``: the next trading day, or what follows ``GENESIS``."""
    return AFTER_GENESIS if label == GENESIS else next_trading_day(label)


def date_text(label: date) -> str | None:
    """Return a business date for outsiders; ``None`` for ``GENESIS``, which no calendar of theirs knows."""
    return None if label == GENESIS else label.isoformat()


@cache
def _federal_holidays(year: int) -> frozenset[date]:
    """Observed legal holidays, 5 U.S.C. 6103: a Saturday is kept on Friday, a Sunday on Monday."""
    fixed = [date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    shift = {5: -1, 6: 1}
    # A 1 January on a Saturday is kept on 31 December of the year before.
    observed = {day + timedelta(days=shift.get(day.weekday(), 0)) for day in [*fixed, date(year + 1, 1, 1)]}
    return frozenset(
        observed
        | {
            _nth_monday(year, 1, 3),
            _nth_monday(year, 2, 3),
            _nth_monday(year, 6, 1) - timedelta(days=7),  # The last Monday of May.
            _nth_monday(year, 9, 1),
            _nth_monday(year, 10, 2),
            _nth_thursday_of_november(year, 4),
        }
    )


def _nth_monday(year: int, month: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7 + 7 * (n - 1))


def _nth_thursday_of_november(year: int, n: int) -> date:
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 7 * (n - 1))


def is_federal_business_day(d: date) -> bool:
    """Say whether ``d`` counts as a business day of 29 CFR 2510.3-102(e): no weekend, no federal holiday."""
    return d.weekday() < 5 and d not in _federal_holidays(d.year)


def federal_business_day_after(d: date, n: int) -> date:
    """Return the ``n``-th federal business day after ``d`` (n from 1), as deposit deadlines count them."""
    if n < 1:
        raise ValueError("count business days from 1")
    for _ in range(n):
        d += timedelta(days=1)
        while not is_federal_business_day(d):
            d += timedelta(days=1)
    return d

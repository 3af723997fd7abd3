"""The exchange's calendar against an independent one, and the instants between two dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import exchange_calendars
import pytest

from shared.values.nyse_calendar import CLOSED_DAYS, EARLY_CLOSES, EXTRA_CLOSES
from shared.values.trading_days import (
    GENESIS,
    CalendarUnknown,
    cutoff_at,
    date_text,
    day_after,
    federal_business_day_after,
    is_federal_business_day,
    is_trading_day,
    next_trading_day,
    previous_trading_day,
    trade_date_of_stamp,
    trading_days_between,
)

NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = date(2022, 1, 1), date(2028, 12, 31)


def stamp(text: str) -> int:
    """A New York wall-clock time as Kafka stamps it."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp() * 1000)


@pytest.mark.filterwarnings("ignore:Series.values:Warning")  # Inside the calendar library.
def test_days_and_cutoffs_are_those_of_an_independent_calendar() -> None:
    schedule = exchange_calendars.get_calendar("XNYS", start=str(FIRST), end=str(LAST)).schedule
    closes = {day.date(): close.to_pydatetime() for day, close in schedule["close"].items()}
    ours = {day: cutoff_at(day) for day in trading_days_between(FIRST, LAST)}
    assert ours == closes


def test_every_closed_day_of_the_data_would_else_be_a_trading_day() -> None:
    assert all(day.weekday() < 5 for day in CLOSED_DAYS | EARLY_CLOSES | EXTRA_CLOSES.keys())
    assert all(is_trading_day(day) for day in EARLY_CLOSES)
    assert not EXTRA_CLOSES.keys() & CLOSED_DAYS


def test_the_day_after_thanksgiving_follows_the_day_before_it() -> None:
    assert next_trading_day(date(2026, 11, 25)) == date(2026, 11, 27)
    assert previous_trading_day(date(2026, 11, 27)) == date(2026, 11, 25)
    assert next_trading_day(date(2026, 11, 27)) == date(2026, 11, 30)
    assert trading_days_between(date(2026, 11, 25), date(2026, 11, 30)) == [
        date(2026, 11, 25),
        date(2026, 11, 27),
        date(2026, 11, 30),
    ]
    assert trading_days_between(date(2026, 11, 30), date(2026, 11, 25)) == []


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-25T15:59:59", date(2026, 11, 25)),
        ("2026-11-25T16:00:00", date(2026, 11, 27)),
        ("2026-11-26T12:00:00", date(2026, 11, 27)),
        ("2026-11-27T12:59:59", date(2026, 11, 27)),
        ("2026-11-27T13:00:00", date(2026, 11, 30)),
        ("2026-11-28T09:00:00", date(2026, 11, 30)),
        ("2026-03-06T16:00:00", date(2026, 3, 9)),  # Over the weekend on which summer time begins.
        ("2026-03-09T15:59:59", date(2026, 3, 9)),
        ("2022-01-01T09:00:00", date(2022, 1, 3)),
    ],
)
def test_a28_a_stamp_at_or_after_the_cutoff_belongs_to_the_next_date(at: str, day: date) -> None:
    assert trade_date_of_stamp(stamp(at)) == day


def test_the_cutoff_is_an_instant_and_moves_with_summer_time() -> None:
    assert cutoff_at(date(2026, 1, 5)) == datetime(2026, 1, 5, 21, tzinfo=UTC)
    assert cutoff_at(date(2026, 7, 6)) == datetime(2026, 7, 6, 20, tzinfo=UTC)
    assert cutoff_at(date(2026, 11, 27)) == datetime(2026, 11, 27, 18, tzinfo=UTC)


def test_a_closed_day_has_no_cutoff() -> None:
    with pytest.raises(ValueError, match="not a trading day"):
        cutoff_at(date(2026, 11, 26))


@pytest.mark.parametrize("day", [date(2021, 12, 31), date(2029, 1, 2)])
def test_years_without_data_are_an_error_and_not_a_guess(day: date) -> None:
    for ask in (is_trading_day, next_trading_day, previous_trading_day, cutoff_at):
        with pytest.raises(CalendarUnknown):
            ask(day)
    with pytest.raises(CalendarUnknown):
        trade_date_of_stamp(stamp(f"{day}T12:00:00"))
    with pytest.raises(CalendarUnknown):
        trading_days_between(day, day)


def test_the_edges_of_the_data_are_an_error_too() -> None:
    with pytest.raises(CalendarUnknown):
        next_trading_day(date(2028, 12, 29))
    with pytest.raises(CalendarUnknown):
        previous_trading_day(date(2022, 1, 3))


def test_the_time_before_the_first_cut_has_its_own_labels() -> None:
    assert day_after(GENESIS) == date(1, 1, 2)
    assert GENESIS < day_after(GENESIS) < date(2022, 1, 3)
    assert day_after(date(2026, 11, 25)) == date(2026, 11, 27)


def test_the_label_of_the_beginning_is_not_told_to_outsiders() -> None:
    assert date_text(GENESIS) is None
    assert date_text(date(2026, 11, 20)) == "2026-11-20"


def test_a28_deposit_deadlines_count_federal_business_days() -> None:
    assert federal_business_day_after(date(2026, 11, 20), 7) == date(2026, 12, 2)
    assert federal_business_day_after(date(2026, 11, 30), 15) == date(2026, 12, 21)


@pytest.mark.parametrize(
    ("day", "is_open"),
    [
        (date(2026, 4, 3), True),  # Good Friday: the exchange is closed, the government is not.
        (date(2026, 10, 12), False),  # Columbus Day: the other way round.
        (date(2026, 11, 11), False),
        (date(2026, 7, 3), False),  # 4 July on a Saturday.
        (date(2021, 12, 31), False),  # 1 January 2022 on a Saturday, kept in the year before.
        (date(2023, 1, 2), False),  # 1 January on a Sunday.
        (date(2026, 1, 19), False),
        (date(2026, 2, 16), False),
        (date(2026, 5, 25), False),
        (date(2027, 5, 31), False),
        (date(2026, 9, 7), False),
        (date(2026, 11, 26), False),
        (date(2026, 11, 21), False),
        (date(2026, 6, 19), False),
    ],
)
def test_federal_business_days_are_not_trading_days(day: date, is_open: bool) -> None:
    assert is_federal_business_day(day) is is_open


def test_business_days_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        federal_business_day_after(date(2026, 11, 20), 0)


def test_a_year_has_eleven_federal_holidays_on_weekdays() -> None:
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert sum(day.weekday() < 5 and not is_federal_business_day(day) for day in year) == 11

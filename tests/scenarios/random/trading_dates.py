"""The dates on which the exchange is open, from the table of closings in the reference on the domain."""

from __future__ import annotations

from datetime import date, timedelta

CLOSED_BY_YEAR = {
    2022: "1/17 2/21 4/15 5/30 6/20 7/4 9/5 11/24 12/26",
    2023: "1/2 1/16 2/20 4/7 5/29 6/19 7/4 9/4 11/23 12/25",
    2024: "1/1 1/15 2/19 3/29 5/27 6/19 7/4 9/2 11/28 12/25",
    2025: "1/1 1/20 2/17 4/18 5/26 6/19 7/4 9/1 11/27 12/25",
    2026: "1/1 1/19 2/16 4/3 5/25 6/19 7/3 9/7 11/26 12/25",
    2027: "1/1 1/18 2/15 3/26 5/31 6/18 7/5 9/6 11/25 12/24",
}


def is_open(day: date) -> bool:
    """True when funds are priced on ``day``."""
    return day.weekday() < 5 and f"{day.month}/{day.day}" not in CLOSED_BY_YEAR[day.year].split()


def open_dates(first: date, count: int) -> list[date]:
    """The first ``count`` open dates from ``first`` on."""
    found: list[date] = []
    day = first
    while len(found) < count:
        if is_open(day):
            found.append(day)
        day += timedelta(days=1)
    return found

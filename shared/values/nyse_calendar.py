"""The days the New York Stock Exchange is closed or closes at 13:00, as published. Data only.

Source: NYSE "Holidays and Trading Hours" notices of 2022, 2025 and 2026, which cover these years.
"""

from __future__ import annotations

from datetime import date

FIRST_YEAR, LAST_YEAR = 2022, 2028

_CLOSED = {
    2022: "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26",
    2023: "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25",
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    2025: "01-01 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
    2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
    2028: "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
}
_EARLY = {
    2022: "11-25",
    2023: "07-03 11-24",
    2024: "07-03 11-29 12-24",
    2025: "07-03 11-28 12-24",
    2026: "11-27 12-24",
    2027: "11-26",
    2028: "07-03 11-24",
}


def _dates(texts_by_year: dict[int, str]) -> frozenset[date]:
    return frozenset(
        date.fromisoformat(f"{year}-{text}") for year, texts in texts_by_year.items() for text in texts.split()
    )


CLOSED_DAYS = _dates(_CLOSED)
"""Scheduled full closes that fall on a weekday."""

EARLY_CLOSES = _dates(_EARLY)
"""Days on which trading, and with it the cut-off, ends at 13:00."""

EXTRA_CLOSES = {date(2025, 1, 9): "National day of mourning for James Earl Carter Jr."}
"""Closes announced at short notice, with the reason: a storm or a day of mourning is added here and released."""

"""Yearly limits of years that nobody has announced any for: made up, so that load may go on into them.

A line of a year without limits is held. The engine ships the announced years as a table; its last figures are repeated
for the years after it, and the fact says of itself that it is made up.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from shared.values.nyse_calendar import LAST_YEAR

TABLES = Path(__file__).resolve().parents[2] / "services" / "contribution" / "rules"
"""Read as data: what surrounds the services imports nothing of them."""
FIGURES = ("elective_deferral", "catch_up", "catch_up_60_63", "annual_additions", "compensation", "roth_catch_up_wages")
NOTICE = "made up for load: the figures of {year}, the last year that is announced"


@cache
def _announced() -> dict[int, dict[str, Any]]:
    (table,) = TABLES.glob("limits_*.json")
    return {int(year): figures for year, figures in json.loads(table.read_text(encoding="utf-8"))["years"].items()}


def is_unannounced(year: int) -> bool:
    """Say whether the engine knows no limits of ``year`` by itself."""
    return year not in _announced()


def unannounced_years() -> list[int]:
    """The years the exchange's calendar knows after the last announced one."""
    return list(range(max(_announced()) + 1, LAST_YEAR + 1))


def made_up(year: int) -> dict[str, Any]:
    """The body of a ``limits.v1`` fact for ``year``, in cents: the figures of the last announced year."""
    last = max(_announced())
    figures = {f"{name}_cents": dollars * 100 for name in FIGURES if (dollars := _announced()[last][name]) is not None}
    return {"year": year, **figures, "notice": NOTICE.format(year=last)}

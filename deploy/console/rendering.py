"""Templates: escaping is always on, a missing value is an error, figures are written for people."""

from __future__ import annotations

from datetime import date, datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from shared.values.money import dollars_text

NOTHING = "–"
MONEY_FIELDS = frozenset({"cents", "credited", "own_legs", "requested", "limits", "cuts"})
"""Fields of an explanation whose figures, also those below them, are cents."""


def dollars(cents: Any) -> str:
    """Cents as dollars with thousands apart: 1234567 is "12,345.67"."""
    if cents is None:
        return NOTHING
    whole, _, part = dollars_text(abs(int(cents))).partition(".")
    return f"{'-' if int(cents) < 0 else ''}{int(whole):,}.{part}"


def said(value: Any) -> str:
    """A value as text: instants to the second in UTC, dates in ISO form, nothing as a dash."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def words(name: Any) -> str:
    """A field's name as words: "funded_cents" is "funded", its figure is shown in dollars."""
    return str(name).removesuffix("_cents").replace("_", " ")


def is_money(name: Any) -> bool:
    """Whether a field of this name holds cents."""
    return str(name) in MONEY_FIELDS or str(name).endswith("_cents")


def make_environment() -> Environment:
    """The one environment of the pages."""
    made = Environment(
        loader=PackageLoader("deploy.console"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(dollars=dollars, said=said, words=words)
    made.tests["money"] = is_money
    return made


def stylesheet() -> bytes:
    """The one static file."""
    return files("deploy.console").joinpath("static/console.css").read_bytes()

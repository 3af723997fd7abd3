"""Is this a payroll line, and what does the plan take of it? Limits and match come after (see the other rules)."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import msgspec

from shared.events.sources import SOURCES

AMOUNTS_MAX = 64
ID_CHARACTERS_MAX = 128
EMPLOYER_MONEY = ("true_up", "nonelective", "discretionary", "restoration")
CENTS_MAX = 10**13
"""A hundred billion dollars on one line is a unit mistake, not a deferral."""

MISSPELT_MAX = 8
MISSPELT_CHARACTERS_MAX = 64
"""An answer names a few typos, shortened: one as long as the record itself would not fit in a record."""

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_ISO_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Line(msgspec.Struct, gc=False):
    """What a payroll line says, checked for shape only. Cents are integers and may be negative here."""

    plan_id: str
    participant_id: str
    payroll_id: str
    pay_date: date
    compensation: int
    amounts: list[tuple[str, int]]
    misspelt: list[str]
    employer_money: str | None = None
    """Set on what the employer gives for a whole year: `true_up`, `nonelective`, `discretionary`;
    or gives back: `restoration`."""


class Broken(Exception):
    """The body is not a payroll line; the text says where."""

    def __init__(self, detail: str, code: str = "WRONG_SHAPE") -> None:
        super().__init__(detail)
        self.code = code


def read_line(body: dict[str, Any]) -> Line:
    """Check a body's shape. Raises ``Broken``; plain Python, since every line passes here."""
    plan, participant, payroll = body.get("plan_id"), body.get("participant_id"), body.get("payroll_id")
    for name, value in (("plan_id", plan), ("participant_id", participant), ("payroll_id", payroll)):
        if type(value) is not str or not _is_id(value):
            raise Broken(f"{name} must be text of 1 to {ID_CHARACTERS_MAX} characters without control characters")
    compensation = body.get("compensation_cents")
    if type(compensation) is not int or not 0 <= compensation <= CENTS_MAX:
        raise Broken("compensation_cents must be a whole number of cents, zero or more")
    raw = body.get("amounts")
    if type(raw) is not list:
        raise Broken("amounts must be a list of {source, cents}")
    if len(raw) > AMOUNTS_MAX:
        raise Broken(f"at most {AMOUNTS_MAX} amounts on a line", "TOO_MANY_SOURCES")
    amounts = [_amount(entry) for entry in raw]
    if len({source for source, _ in amounts}) != len(amounts) and all(cents >= 0 for _, cents in amounts):
        amounts = _merged(amounts)
    misspelt = [] if body.keys() <= _KNOWN_FIELDS else _misspelt(body)
    given = body.get("employer_money")
    if given is not None and given not in EMPLOYER_MONEY:
        raise Broken(f"employer_money must be one of {', '.join(EMPLOYER_MONEY)}")
    return Line(plan, participant, payroll, _pay_date(body.get("pay_date")), compensation, amounts, misspelt, given)  # type: ignore[arg-type]


def _is_id(text: str) -> bool:
    # Nearly every id is printable; only the rest is searched for control characters.
    return 0 < len(text) <= ID_CHARACTERS_MAX and (text.isprintable() or _CONTROL.search(text) is None)


def _amount(entry: Any) -> tuple[str, int]:
    if type(entry) is not dict:
        raise Broken("each amount is an object with source and cents")
    source, cents = entry.get("source"), entry.get("cents")
    if type(source) is not str or not (source in SOURCES or _is_id(source)):
        raise Broken("each amount names its source")
    if type(cents) is not int or not -CENTS_MAX <= cents <= CENTS_MAX:
        raise Broken(f"cents of {source} must be a whole number")
    return source, cents


def _merged(amounts: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """A source named twice on a line means the sum; a negative part is not hidden in one, it rejects the line."""
    total: dict[str, int] = {}
    for source, cents in amounts:
        total[source] = total.get(source, 0) + cents
    return list(total.items())


_DATES: dict[str, date] = {}


def _pay_date(text: Any) -> date:
    known = _DATES.get(text) if type(text) is str else None
    if known is not None:
        return known
    # fromisoformat takes weeks, compact dates and blanks behind them too.
    if type(text) is not str or _ISO_DATE.fullmatch(text) is None:
        raise Broken("pay_date must be an ISO date, like 2026-11-20")
    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        raise Broken("pay_date is not in the calendar") from None
    if not 1900 <= parsed.year <= 2200:
        raise Broken("pay_date must lie between 1900 and 2200")
    if len(_DATES) < 10_000:
        _DATES[text] = parsed
    return parsed


_KNOWN_FIELDS = frozenset(
    {
        "plan_id", "participant_id", "payroll_id", "pay_date", "compensation_cents", "hours", "amounts", "ytd",
        "line_no", "employer_money",
    }
)  # fmt: skip


def _misspelt(body: dict[str, Any]) -> list[str]:
    """Unknown fields that look like a money field: a typo there must not be ignored in silence."""
    names = sorted(
        name
        for name in body.keys() - _KNOWN_FIELDS
        if name.startswith(("amount", "comp", "cents")) or name.endswith("_cents")
    )
    return [name[:MISSPELT_CHARACTERS_MAX] for name in names[:MISSPELT_MAX]]


def requested_cents(line: Line) -> int:
    """What the line asks for; a line with a negative amount asks for its positive ones."""
    return sum(cents for _, cents in line.amounts if cents > 0)


def has_negative(line: Line) -> bool:
    """A negative amount rejects the line: money is taken back by a reversal, which names what it reverses."""
    return any(cents < 0 for _, cents in line.amounts)

"""The custodian's holdings of a date, part by part: the first statement of a part counts, no other is mixed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import NamedTuple

NEW, REPEATED, CONFLICT = "new", "repeated", "conflict"
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Sums of decimal text of any length, without rounding."""
NOTHING = Decimal(0)

Place = tuple[str, str]
"""Plan and fund."""


class Part(NamedTuple):
    """One part as the custodian stated it. 10.0 and 10.00 shares are the same statement, whatever their order."""

    date: date
    part: int
    parts: int
    shares: Mapping[Place, Decimal]


def added_up(positions: Iterable[tuple[str, str, str]]) -> dict[Place, Decimal]:
    """Shares by plan and fund of positions (plan, fund, shares).

    A plan and fund that is named twice is added up, as it is over several parts: a custodian may book sub-accounts, and
    one that repeats itself is found by the proof, while a refused part would keep the date from ever being proven.
    """
    shares: dict[Place, Decimal] = {}
    for plan_id, fund_id, text in positions:
        shares[plan_id, fund_id] = EXACT.add(shares.get((plan_id, fund_id), NOTHING), Decimal(text))
    return shares


def judge_parts(said: Iterable[Part], known: Iterable[Part]) -> list[str]:
    """What each part is beside those before it: new, a repetition, or in conflict with the first of its name.

    Parts of one date that number them differently are in conflict, too: nobody could tell when all are there.
    """
    stated = {(one.date, one.part): one for one in known}
    parts_of = {one.date: one.parts for one in stated.values()}
    verdicts = []
    for one in said:
        before = stated.get((one.date, one.part))
        agrees = parts_of.setdefault(one.date, one.parts) == one.parts
        if not agrees or (before is not None and before.shares != one.shares):
            verdicts.append(CONFLICT)
        elif before is None:
            stated[one.date, one.part] = one
            verdicts.append(NEW)
        else:
            verdicts.append(REPEATED)
    return verdicts

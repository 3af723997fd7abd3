"""What a decision reads and writes: the year's accumulators, cuts, the limit ledger, a line's record.

All amounts are integer cents.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from services.contribution.rules.limits import Limits
from services.contribution.rules.participant import Participant


class YearToDate(msgspec.Struct, frozen=True, gc=False):
    """The accumulators of one participant, plan and calendar year. None is ever negative.

    `relabelled_…`: the part of `catch_up_cents` that was regular once and became catch-up because of 415(c).
    `other_additions_cents`: after-tax and all employer money. `match_cents`: the engine's match alone.
    """

    regular_pre_tax_cents: int = 0
    regular_roth_cents: int = 0
    catch_up_cents: int = 0
    relabelled_pre_tax_cents: int = 0
    relabelled_roth_cents: int = 0
    other_additions_cents: int = 0
    compensation_cents: int = 0
    match_cents: int = 0

    @property
    def regular_cents(self) -> int:
        """Deferrals that count toward 402(g)."""
        return self.regular_pre_tax_cents + self.regular_roth_cents

    @property
    def additions_cents(self) -> int:
        """Annual additions, 415(c)(2): deferrals without catch-up, after-tax and employer money."""
        return self.regular_pre_tax_cents + self.regular_roth_cents + self.other_additions_cents


NOTHING_YET = YearToDate()


def year_to_date_at_start(participant: Participant, year: int) -> YearToDate:
    """Return the accumulators before the first line of `year`: the opening of that year, else nothing.

    An opening's regular deferrals have no tax type; they count as pre-tax. They count toward 415(c) too, since
    before a conversion they were made in this plan.
    """
    opening = participant.opening
    if opening is None or opening.year != year:
        return NOTHING_YET
    return YearToDate(
        regular_pre_tax_cents=opening.regular_cents,
        catch_up_cents=opening.catch_up_cents,
        compensation_cents=opening.compensation_cents,
    )


class Cut(NamedTuple):
    """Cents of one source that were refused, and the code that refused them."""

    source: str
    cents: int
    code: str


class LimitUse(NamedTuple):
    """One entry of the limit ledger: how much of a limit's room a decision used.

    `cents` = `room_before` - `room_after`, negative where room came back. Room may be negative when more than the
    limit was already deferred before the engine kept the books.
    """

    limit: str
    room_before: int
    room_after: int
    cents: int


class Relabel(NamedTuple):
    """Regular deferrals that became catch-up because of 415(c), or back (negative). It moves no shares."""

    source: str
    cents: int


class RecordedPart(NamedTuple):
    """What is left in the books of one source of a line; `catch_up_cents` of its `cents` are catch-up."""

    source: str
    cents: int
    catch_up_cents: int


class LineRecord(msgspec.Struct, frozen=True, gc=False):
    """What is left in the books of one line, kept for its reversal.

    `parts`: what payroll sent, by source as invested. `match_cents`: the engine's match on it, in `match_source`
    (empty when the plan has no formula), made on `counted_compensation_cents` of pay.
    """

    parts: tuple[RecordedPart, ...]
    match_source: str
    match_cents: int
    counted_compensation_cents: int
    compensation_cents: int


def limit_uses(
    limits: Limits, catch_up_limit_cents: int, before: YearToDate, after: YearToDate
) -> tuple[LimitUse, ...]:
    """Return the entries of the limit ledger for what changed between two states of the accumulators."""
    uses = []
    for name, limit, used_before, used_after in (
        ("402g", limits.elective_deferral_cents, before.regular_cents, after.regular_cents),
        ("catch_up", catch_up_limit_cents, before.catch_up_cents, after.catch_up_cents),
        ("415c", limits.annual_additions_cents, before.additions_cents, after.additions_cents),
    ):
        if used_after != used_before:
            uses.append(LimitUse(name, limit - used_before, limit - used_after, used_after - used_before))
    return tuple(uses)

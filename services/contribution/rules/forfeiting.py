"""Forfeit the unvested part of what somebody has who left, and restore it when he comes back.

Law: IRC 411(a)(6)(C) (five one-year breaks), 411(a)(7)(B)-(C) (cash-out and restoration); Reg. 1.415(c)-1(b)(2)(ii)(B):
a restored forfeiture is no annual addition. So nothing here moves a limit or an accumulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from services.contribution.rules.eligibility import add_months
from services.contribution.rules.line import ACCEPTED, INVALID_AMOUNT, PARTIALLY_ACCEPTED, REJECTED
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PlanRules
from services.contribution.rules.records import Cut, LineRecord, RecordedPart, YearToDate
from services.contribution.rules.reversals import REVERSES_TOO_MUCH, Amounts, ReversalDecision, refuse_reversal
from services.contribution.rules.sources import SCHEDULED
from services.contribution.rules.vesting import (
    BREAKS_THAT_FORFEIT,
    breaks_in_service,
    is_forfeited,
    vested_percent,
    vested_split,
)
from shared.values.split import split_largest_remainder

NOT_FORFEITABLE = "NOT_FORFEITABLE"
CASH_OUT, BREAKS = "cash_out", "breaks"
FIVE_YEARS_MONTHS = 12 * BREAKS_THAT_FORFEIT


def forfeit_part(
    record: LineRecord,
    amounts: Amounts,
    because: str,
    plan: PlanRules,
    participant: Participant,
    day: date,
    year_to_date: YearToDate,
) -> ReversalDecision:
    """Forfeit `amounts` of a line that has `record` left, by the census and the vesting in force on `day`.

    At most the unvested part, rounded up to the cent: how the cents of a source are divided over its lines is worked
    out by who sends the forfeitures. `because` a cash-out is taken on trust, since nothing here pays out.
    """
    if any(cents < 0 for _, cents in amounts):
        return refuse_reversal(amounts, INVALID_AMOUNT, year_to_date, record)
    if not may_forfeit(participant, day, because):
        return refuse_reversal(amounts, NOT_FORFEITABLE, year_to_date, record)
    have = recorded_by_source(record)
    most = {source: _unvested_at_most(plan, source, cents, participant, day) for source, cents in have.items()}
    return take_uncounted(record, amounts, year_to_date, most)


def _unvested_at_most(plan: PlanRules, source: str, cents: int, participant: Participant, day: date) -> int:
    if source not in SCHEDULED:
        return 0
    unvested = 100 - vested_percent(plan.vesting, source, participant, day)
    return min(cents, cents * unvested // 100 + 1) if unvested else 0


def may_forfeit(participant: Participant, day: date, because: str) -> bool:
    """Say whether somebody has left, and was cashed out or has five one-year breaks, by hours or by elapsed time."""
    ended = participant.employment[-1].ended
    if ended is None or ended >= day:
        return False
    breaks = years_away(participant, day)
    return is_forfeited(has_cashed_out=because == CASH_OUT, consecutive_breaks=breaks)


def years_away(participant: Participant, day: date) -> int:
    """Return the one-year breaks since the last spell of employment ended, up to `day`."""
    ended = participant.employment[-1].ended
    if ended is None:
        return 0
    if participant.hours_by_year:
        return breaks_in_service(participant.hours_by_year, ended.year, day.year - 1)
    whole = day.year - ended.year
    return whole if add_months(ended, 12 * whole) < day else whole - 1


def may_restore(participant: Participant, day: date) -> bool:
    """Say whether somebody works again after less than five years away: IRC 411(a)(7)(C), Reg. 1.411(a)-7(d)(4)."""
    if len(participant.employment) < 2:
        return False
    before, now = participant.employment[-2:]
    if before.ended is None or now.hired > day or (now.ended is not None and now.ended < day):
        return False
    return now.hired < add_months(before.ended, FIVE_YEARS_MONTHS)


def take_uncounted(
    record: LineRecord, amounts: Amounts | None, year_to_date: YearToDate, most: Mapping[str, int] | None = None
) -> ReversalDecision:
    """Take from a line what no limit counts or uncounts: `amounts` (None = all), at most what is left and `most`."""
    have = recorded_by_source(record)
    if amounts is None and not have:
        return refuse_reversal((("", 0),), REVERSES_TOO_MUCH, year_to_date, record)
    taken: dict[str, int] = {}
    cuts: list[Cut] = []
    for source, asked in tuple(have.items()) if amounts is None else amounts:
        left = have.get(source, 0) - taken.get(source, 0)
        allowed = left if most is None else min(left, most.get(source, 0) - taken.get(source, 0))
        cents = min(asked, allowed)
        if cents:
            taken[source] = taken.get(source, 0) + cents
        if asked > cents:
            cuts.append(Cut(source, asked - cents, REVERSES_TOO_MUCH if allowed == left else NOT_FORFEITABLE))
    accepted, rejected = sum(taken.values()), sum(cut.cents for cut in cuts)
    return ReversalDecision(
        ACCEPTED if not rejected else PARTIALLY_ACCEPTED if accepted else REJECTED,
        accepted,
        rejected,
        tuple(sorted(taken.items())),
        tuple(cuts),
        year_to_date,
        record=_less(record, taken),
    )


def recorded_by_source(record: LineRecord) -> dict[str, int]:
    """What is left of a line by source, the engine's match included."""
    have = {part.source: part.cents for part in record.parts}
    if record.match_cents:
        have[record.match_source] = have.get(record.match_source, 0) + record.match_cents
    return have


def _less(record: LineRecord, taken: Mapping[str, int]) -> LineRecord:
    left = dict(taken)
    match = min(record.match_cents, left.get(record.match_source, 0))
    if match:
        left[record.match_source] -= match
    parts = tuple(
        RecordedPart(source, cents - left.get(source, 0), min(catch_up, cents - left.get(source, 0)))
        for source, cents, catch_up in record.parts
        if cents > left.get(source, 0)
    )
    return LineRecord(
        parts, record.match_source, record.match_cents - match, record.counted_compensation_cents,
        record.compensation_cents,
    )  # fmt: skip


class Holding(NamedTuple):
    """What one line has of one source: cents left, and cents forfeited of it since the last restoration."""

    left: int
    forfeited: int


def unvested_by_line(holdings: Mapping[str, Holding], percent: int) -> dict[str, int]:
    """Return the cents that each line still has to give, so that the vested part of all of them is rounded once.

    The forfeiture of the source is its balance less the vested part (A12), divided over the lines by largest
    remainder, ties to the lowest identity; what a line gave before counts, so the same question again takes nothing.
    """
    names = sorted(holdings)
    balances = [sum(holdings[name]) for name in names]
    if not any(balances):
        return {}
    shares = split_largest_remainder(vested_split(sum(balances), percent).forfeited, balances)
    owed = {name: share - holdings[name].forfeited for name, share in zip(names, shares, strict=True)}
    return {name: min(cents, holdings[name].left) for name, cents in owed.items() if cents > 0}

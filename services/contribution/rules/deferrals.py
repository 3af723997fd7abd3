"""402(g), catch-up and Roth catch-up: what of a line's deferrals is regular, what is catch-up, what is refused.

Law: IRC 402(g)(1), 414(v); Reg. 1.414(v)-1: a deferral is catch-up only by exceeding a limit. The order of sharing is
the house rule: room first, then catch-up, each by largest remainder over the deferral sources.
"""

from __future__ import annotations

from typing import NamedTuple

from services.contribution.rules.limits import Limits, catch_up_limit, must_be_roth
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PRE_TAX_FIRST, PlanRules
from services.contribution.rules.records import Cut, YearToDate
from shared.values.split import split_largest_remainder

LIMIT_402G, LIMIT_CATCH_UP, ROTH_CATCH_UP_REQUIRED = "LIMIT_402G", "LIMIT_CATCH_UP", "ROTH_CATCH_UP_REQUIRED"


class DeferralShares(NamedTuple):
    """A line's deferrals after the limits of the year, in cents, named by the source they are invested as.

    `deemed_roth`: the part of `catch_up_roth` that payroll sent as pre-tax (414(v)(7), deemed election).
    """

    regular_pre_tax: int
    regular_roth: int
    catch_up_pre_tax: int = 0
    catch_up_roth: int = 0
    deemed_roth: int = 0
    cuts: tuple[Cut, ...] = ()

    @property
    def cents(self) -> int:
        """All deferrals, catch-up included: what the match is made on."""
        return self.regular_pre_tax + self.regular_roth + self.catch_up_pre_tax + self.catch_up_roth


def catch_up_limit_of(plan: PlanRules, participant: Participant, limits: Limits) -> int:
    """Return the year's catch-up limit of this participant, in cents; 0 below age 50 at 31 December."""
    return catch_up_limit(limits, age_at_year_end(participant, limits), has_higher_catch_up=plan.has_higher_catch_up)


def catch_up_room(plan: PlanRules, participant: Participant, limits: Limits, year_to_date: YearToDate) -> int:
    """Return the catch-up still open this year, in cents; never negative."""
    return max(0, catch_up_limit_of(plan, participant, limits) - year_to_date.catch_up_cents)


def age_at_year_end(participant: Participant, limits: Limits) -> int:
    """Return the age attained by 31 December of the limits' year."""
    return limits.year - participant.birth_date.year


def share_deferrals(
    pre_tax: int, roth: int, plan: PlanRules, participant: Participant, limits: Limits, year_to_date: YearToDate
) -> DeferralShares:
    """Share a line's deferrals over the regular room, then over catch-up; what fits neither is cut."""
    room = limits.elective_deferral_cents - year_to_date.regular_cents
    if pre_tax + roth <= room:
        return DeferralShares(pre_tax, roth)
    regular_pre_tax, regular_roth = _regular_parts(pre_tax, roth, max(0, room), plan.deferral_overflow)
    excess_pre_tax, excess_roth = pre_tax - regular_pre_tax, roth - regular_roth
    if age_at_year_end(participant, limits) < 50:
        return DeferralShares(regular_pre_tax, regular_roth, cuts=cuts_of(excess_pre_tax, excess_roth, LIMIT_402G))
    catch_up = _catch_up(excess_pre_tax, excess_roth, plan, participant, limits, year_to_date)
    return catch_up._replace(regular_pre_tax=regular_pre_tax, regular_roth=regular_roth)


def _regular_parts(pre_tax: int, roth: int, room: int, overflow: str) -> tuple[int, int]:
    if overflow == PRE_TAX_FIRST:
        first = min(pre_tax, room)
        return first, min(roth, room - first)
    regular_pre_tax, regular_roth = split_largest_remainder(room, (pre_tax, roth))
    return regular_pre_tax, regular_roth


def _catch_up(
    pre_tax: int, roth: int, plan: PlanRules, participant: Participant, limits: Limits, year_to_date: YearToDate
) -> DeferralShares:
    """Share the excess over the catch-up room; pre-tax that may not be catch-up is refused before the sharing."""
    is_roth_only = must_be_roth(limits, participant.prior_year_wages_cents)
    refused: tuple[Cut, ...] = ()
    if is_roth_only and not plan.may_deem_roth:
        refused = cuts_of(pre_tax, 0, ROTH_CATCH_UP_REQUIRED)
        pre_tax = 0
    room = catch_up_room(plan, participant, limits, year_to_date)
    caught_pre_tax, caught_roth = (pre_tax, roth)
    if pre_tax + roth > room:
        caught_pre_tax, caught_roth = split_largest_remainder(room, (pre_tax, roth))
    cuts = refused + cuts_of(pre_tax - caught_pre_tax, roth - caught_roth, LIMIT_CATCH_UP)
    deemed = caught_pre_tax if is_roth_only else 0
    return DeferralShares(0, 0, caught_pre_tax - deemed, caught_roth + deemed, deemed, cuts)


def cuts_of(pre_tax: int, roth: int, code: str) -> tuple[Cut, ...]:
    """Return the cuts of the two deferral sources, without empty ones."""
    return tuple(Cut(source, cents, code) for source, cents in (("pre_tax", pre_tax), ("roth", roth)) if cents)

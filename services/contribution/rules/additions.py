"""415(c): a year's annual additions stay within the dollar limit; what does not fit is relabelled, then cut.

Law: IRC 415(c)(1)(A), (c)(2); catch-up is no annual addition (414(v)(3)(A)), so deferrals may become catch-up first.
Live only the dollar limit counts; the test against 100 % of pay is a year-end job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.contribution.rules.deferrals import DeferralShares, catch_up_room, cuts_of
from services.contribution.rules.limits import Limits, must_be_roth
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PlanRules
from services.contribution.rules.records import Cut, Relabel, YearToDate
from shared.values.split import split_largest_remainder

LIMIT_415C = "LIMIT_415C"


class FittedAdditions(NamedTuple):
    """A line's money after 415(c): deferrals, after-tax and employer cents, the year's relabels, and the cuts."""

    deferrals: DeferralShares
    after_tax: int
    employer: dict[str, int]
    relabels: tuple[Relabel, ...]
    cuts: tuple[Cut, ...]


def fit_additions(
    deferrals: DeferralShares,
    after_tax: int,
    employer: Mapping[str, int],
    plan: PlanRules,
    participant: Participant,
    limits: Limits,
    year_to_date: YearToDate,
) -> FittedAdditions:
    """Fit a line that exceeds the limit: relabel into unused catch-up, then cut employer money, after-tax, deferrals.

    Within employer money and within deferrals the cut is by largest remainder over the line's sources.
    """
    asked = deferrals.regular_pre_tax + deferrals.regular_roth + after_tax + sum(employer.values())
    excess = year_to_date.additions_cents + asked - limits.annual_additions_cents
    room = catch_up_room(plan, participant, limits, year_to_date)
    room -= deferrals.catch_up_pre_tax + deferrals.catch_up_roth
    deferrals, relabels, relabelled = _relabel(
        deferrals, min(excess, room), must_be_roth(limits, participant.prior_year_wages_cents), plan, year_to_date
    )
    excess -= relabelled
    fitted_employer, cuts = _cut_employer(employer, excess)
    excess -= sum(cut.cents for cut in cuts)
    cut_after_tax = min(after_tax, excess)
    if cut_after_tax:
        cuts += (Cut("after_tax", cut_after_tax, LIMIT_415C),)
    deferrals, deferral_cuts = _cut_deferrals(deferrals, excess - cut_after_tax, relabels, year_to_date)
    return FittedAdditions(deferrals, after_tax - cut_after_tax, fitted_employer, relabels, cuts + deferral_cuts)


def _relabel(
    deferrals: DeferralShares, wanted: int, is_roth_only: bool, plan: PlanRules, year_to_date: YearToDate
) -> tuple[DeferralShares, tuple[Relabel, ...], int]:
    """Turn regular deferrals of the year into catch-up: the deferrals, the relabels, and the cents that left 415(c).

    A relabel moves no shares, so for a person whose catch-up must be Roth (414(v)(7)) only Roth deferrals can take
    one; after them this line's own pre-tax may still be recorded as Roth, by the plan's deemed election.
    """
    pre_tax = 0 if is_roth_only else year_to_date.regular_pre_tax_cents + deferrals.regular_pre_tax
    roth = year_to_date.regular_roth_cents + deferrals.regular_roth
    in_place = max(0, min(wanted, pre_tax + roth))
    from_pre_tax, from_roth = split_largest_remainder(in_place, (pre_tax, roth)) if in_place else (0, 0)
    relabels = tuple(Relabel(name, cents) for name, cents in (("pre_tax", from_pre_tax), ("roth", from_roth)) if cents)
    if not is_roth_only or not plan.may_deem_roth:
        return deferrals, relabels, in_place
    deemed = max(0, min(wanted - in_place, deferrals.regular_pre_tax))
    deferrals = deferrals._replace(
        regular_pre_tax=deferrals.regular_pre_tax - deemed,
        catch_up_roth=deferrals.catch_up_roth + deemed,
        deemed_roth=deferrals.deemed_roth + deemed,
    )
    return deferrals, relabels, in_place + deemed


def _cut_employer(employer: Mapping[str, int], excess: int) -> tuple[dict[str, int], tuple[Cut, ...]]:
    names = sorted(employer)
    cents = [employer[name] for name in names]
    cut_cents = split_largest_remainder(max(0, min(excess, sum(cents))), cents) if names else []
    fitted = {name: have - cut for name, have, cut in zip(names, cents, cut_cents, strict=True)}
    return fitted, tuple(Cut(name, cut, LIMIT_415C) for name, cut in zip(names, cut_cents, strict=True) if cut)


def _cut_deferrals(
    deferrals: DeferralShares, excess: int, relabels: tuple[Relabel, ...], year_to_date: YearToDate
) -> tuple[DeferralShares, tuple[Cut, ...]]:
    """Cut the line's regular deferrals, never those a relabel has just made catch-up."""
    if excess <= 0:
        return deferrals, ()
    relabelled = dict(relabels)
    pre_tax_left = year_to_date.regular_pre_tax_cents + deferrals.regular_pre_tax - relabelled.get("pre_tax", 0)
    roth_left = year_to_date.regular_roth_cents + deferrals.regular_roth - relabelled.get("roth", 0)
    weights = (min(deferrals.regular_pre_tax, pre_tax_left), min(deferrals.regular_roth, roth_left))
    pre_tax, roth = split_largest_remainder(min(excess, sum(weights)), weights)
    fitted = deferrals._replace(
        regular_pre_tax=deferrals.regular_pre_tax - pre_tax, regular_roth=deferrals.regular_roth - roth
    )
    return fitted, cuts_of(pre_tax, roth, LIMIT_415C)


def relabel_back(limits: Limits, year_to_date: YearToDate) -> tuple[YearToDate, tuple[Relabel, ...]]:
    """Undo relabels of 415(c) as far as a reversal made room under both limits again.

    By largest remainder over what was relabelled; the entries are negative.
    """
    pre_tax, roth = year_to_date.relabelled_pre_tax_cents, year_to_date.relabelled_roth_cents
    room = min(
        limits.annual_additions_cents - year_to_date.additions_cents,
        limits.elective_deferral_cents - year_to_date.regular_cents,
        pre_tax + roth,
    )
    if room <= 0:
        return year_to_date, ()
    back_pre_tax, back_roth = split_largest_remainder(room, (pre_tax, roth))
    relabels = tuple(Relabel(name, -cents) for name, cents in (("pre_tax", back_pre_tax), ("roth", back_roth)) if cents)
    return with_relabels(year_to_date, relabels), relabels


def with_relabels(year_to_date: YearToDate, relabels: tuple[Relabel, ...]) -> YearToDate:
    """Return the accumulators after relabels: from regular to catch-up, or back where negative."""
    if not relabels:
        return year_to_date
    cents = dict(relabels)
    pre_tax, roth = cents.get("pre_tax", 0), cents.get("roth", 0)
    return YearToDate(
        regular_pre_tax_cents=year_to_date.regular_pre_tax_cents - pre_tax,
        regular_roth_cents=year_to_date.regular_roth_cents - roth,
        catch_up_cents=year_to_date.catch_up_cents + pre_tax + roth,
        relabelled_pre_tax_cents=year_to_date.relabelled_pre_tax_cents + pre_tax,
        relabelled_roth_cents=year_to_date.relabelled_roth_cents + roth,
        other_additions_cents=year_to_date.other_additions_cents,
        compensation_cents=year_to_date.compensation_cents,
        match_cents=year_to_date.match_cents,
    )


def additions_excess_at_year_end(limits: Limits, additions_cents: int, pay_cents: int) -> int:
    """Return the cents above the lesser of the dollar limit and 100 % of pay (415(c)(1), year-end test, A3)."""
    return max(0, additions_cents - min(limits.annual_additions_cents, pay_cents))

"""The true-up of an annual match at the year's end, within 415(c)."""

from __future__ import annotations

import msgspec

from services.contribution.rules.additions import fit_additions, with_relabels
from services.contribution.rules.deferrals import DeferralShares, catch_up_limit_of
from services.contribution.rules.limits import Limits
from services.contribution.rules.match import ANNUAL, true_up
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PlanRules
from services.contribution.rules.records import LimitUse, Relabel, YearToDate, limit_uses, year_to_date_at_start


class TrueUpDecision(msgspec.Struct, frozen=True, gc=False):
    """What the year's end adds to the match, in cents.

    `cut_cents`: what the annual formula gives but 415(c) leaves no room for. `drift_cents` (zero or negative): what
    the roundings of the year paid above the annual formula; it is logged and never taken back (A5).
    """

    source: str
    cents: int
    cut_cents: int
    drift_cents: int
    year_to_date: YearToDate
    limit_uses: tuple[LimitUse, ...] = ()
    relabels: tuple[Relabel, ...] = ()


def decide_true_up(
    plan: PlanRules, participant: Participant, limits: Limits, year_to_date: YearToDate
) -> TrueUpDecision | None:
    """Decide the true-up of the year, or None when the plan has no annual match.

    Deferrals and pay of the opening were matched by somebody else, so they stay out; they do use the caps.
    """
    if plan.match is None or plan.match.period != ANNUAL:
        return None
    opening = year_to_date_at_start(participant, limits.year)
    deferred = year_to_date.regular_cents + year_to_date.catch_up_cents
    deferred -= opening.regular_cents + opening.catch_up_cents
    counted = min(year_to_date.compensation_cents, limits.compensation_cents) - opening.compensation_cents
    owed = true_up(plan.match, deferred, max(0, counted), year_to_date.match_cents)
    cents = owed.cents
    relabels: tuple[Relabel, ...] = ()
    if year_to_date.additions_cents + cents > limits.annual_additions_cents:
        employer = {plan.match.source: cents}
        fitted = fit_additions(DeferralShares(0, 0), 0, employer, plan, participant, limits, year_to_date)
        cents, relabels = fitted.employer[plan.match.source], fitted.relabels
    after = msgspec.structs.replace(
        with_relabels(year_to_date, relabels),
        other_additions_cents=year_to_date.other_additions_cents + cents,
        match_cents=year_to_date.match_cents + cents,
    )
    uses = limit_uses(limits, catch_up_limit_of(plan, participant, limits), year_to_date, after)
    return TrueUpDecision(plan.match.source, cents, owed.cents - cents, owed.drift_cents, after, uses, relabels)

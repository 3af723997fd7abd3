"""Lines, plans and people that are unremarkable unless a test says otherwise."""

from __future__ import annotations

from datetime import date

from services.contribution.rules.intake import Line
from services.contribution.rules.limits import Limits, reviewed_limits
from services.contribution.rules.participant import Employment, Opening, Participant
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from shared.values.money import cents_of

BASIC_MATCH = {"tiers": [["3", "100"], ["2", "50"]], "period": "per_pay"}


def a_line(
    *amounts: tuple[str, str], compensation: str = "6250.00", pay_date: date = date(2026, 11, 20), payroll: str = "R1"
) -> Line:
    """A payroll line of participant P in plan ACME; amounts are (source, dollars)."""
    return Line(
        "ACME",
        "P",
        payroll,
        pay_date,
        cents_of(compensation),
        [(source, cents_of(dollars)) for source, dollars in amounts],
        [],
    )


def a_plan(**fact: object) -> PlanRules:
    """A plan with every employee source, match sent by payroll, and the default settings."""
    sources = ["pre_tax", "roth", "after_tax", "match", "profit_sharing", "rollover_pre_tax", "loan_repayment"]
    return plan_rules_of("ACME", {"sources": sources, **fact})


def a_participant(
    *,
    born: date = date(1986, 3, 2),
    employment: tuple[Employment, ...] = (Employment(date(2020, 1, 6)),),
    wages: str | None = None,
    opening: Opening | None = None,
    hours_by_year: dict[int, int] | None = None,
    group: str | None = None,
) -> Participant:
    """A person of 40 in 2026, employed since 2020."""
    return Participant(
        birth_date=born,
        employment=employment,
        prior_year_wages_cents=None if wages is None else cents_of(wages),
        hours_by_year=hours_by_year or {},
        group=group,
        opening=opening,
    )


def limits_2026() -> Limits:
    """The figures of Notice 2025-67."""
    return reviewed_limits()[2026]

"""Facts as they stand on the wire become what the rules read."""

from __future__ import annotations

from datetime import date

from services.contribution.rules.eligibility import EligibilityRule
from services.contribution.rules.participant import Employment, Opening, Participant, participant_of_census
from services.contribution.rules.plan_rules import plan_rules_of
from services.contribution.rules.vesting import GRADED_2_6, VestingSchedule, VestingTerms
from shared.events.census import Census
from shared.events.plan import PlanFact


def a_census(**fields: object) -> dict[str, object]:
    body = {"plan_id": "ACME", "participant_id": "P", "birth_date": "1976-12-31", "hire_date": "2020-01-06", **fields}
    return Census.model_validate(body).model_dump(mode="json")


def test_a_census_fact_becomes_a_participant() -> None:
    opening = {"year": 2026, "regular_cents": 2_430_000}
    census = a_census(prior_year_wages_cents=15_000_001, hours_by_year={"2025": 2080}, opening=opening)
    expected = Participant(
        birth_date=date(1976, 12, 31),
        employment=(Employment(date(2020, 1, 6)),),
        prior_year_wages_cents=15_000_001,
        hours_by_year={2025: 2080},
        opening=Opening(2026, 2_430_000),
    )
    assert participant_of_census(census) == expected


def test_a_later_census_fact_adds_to_the_employment_history() -> None:
    person = participant_of_census(a_census(termination_date="2022-03-31"))
    person = participant_of_census(a_census(termination_date="2022-03-31", rehire_date="2024-05-01"), person)
    assert person.employment == (Employment(date(2020, 1, 6), date(2022, 3, 31)), Employment(date(2024, 5, 1)))


def test_a_plan_fact_becomes_plan_rules() -> None:
    body = {
        "plan_id": "ACME",
        "sources": ["pre_tax", "roth", "match", "profit_sharing"],
        "default_fund": "F1",
        "match": {"tiers": [["3", "100"], ["2", "50"]], "period": "annual"},
        "deferral_overflow": "pre_tax_first",
        "roth_catch_up": "reject",
        "catch_up_60_63": False,
        "vesting": {"match": "graded_2_6", "profit_sharing": ["25", "50", "100"]},
        "eligibility": {"age": 21, "service_months": 12, "entry": "quarterly"},
    }
    plan = plan_rules_of("ACME", PlanFact.model_validate(body).model_dump(mode="json"))
    assert plan.admitted == {"pre_tax", "roth", "profit_sharing"}
    assert (plan.deferral_overflow, plan.roth_catch_up, plan.has_higher_catch_up) == ("pre_tax_first", "reject", False)
    assert plan.match is not None
    assert plan.match.period == "annual"
    assert plan.vesting == VestingTerms({"match": GRADED_2_6, "profit_sharing": VestingSchedule((25, 50, 100))})
    assert plan.eligibility == EligibilityRule(21, 12, "quarterly")


def test_the_least_plan_fact_means_the_house_rules() -> None:
    body = {"plan_id": "ACME", "sources": ["pre_tax", "match"], "default_fund": "F1"}
    plan = plan_rules_of("ACME", PlanFact.model_validate(body).model_dump(mode="json"))
    assert plan == plan_rules_of("ACME", {"sources": ["pre_tax", "match"]})
    assert (plan.deferral_overflow, plan.roth_catch_up, plan.match) == ("pro_rata", "deemed", None)
    assert (plan.eligibility, plan.post_severance_days, plan.vesting) == (None, None, VestingTerms())
    assert plan.admitted == plan.sources
    assert not plan.may_deem_roth

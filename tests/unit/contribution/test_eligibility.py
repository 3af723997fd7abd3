"""Employment as a history, and the plan's age, service and entry-date rule."""

from __future__ import annotations

from datetime import date

import pytest

from services.contribution.rules.eligibility import EligibilityRule, eligibility_rule_of, entry_date, refusal
from services.contribution.rules.participant import Employment, Participant, with_census_dates
from tests.unit.contribution.builders import a_participant, a_plan

HIRED = date(2020, 1, 6)


def refused(participant: Participant, pay_date: date, rule: EligibilityRule | None = None) -> str | None:
    return refusal(rule, None, participant, pay_date)


def test_without_a_rule_every_employee_is_in_from_the_first_day() -> None:
    assert refused(a_participant(), HIRED) is None
    assert refused(a_participant(), date(2020, 1, 5)) == "NOT_ELIGIBLE"


def test_a_last_pay_may_come_two_and_a_half_months_after_the_last_day() -> None:
    left = a_participant(employment=(Employment(HIRED, date(2026, 6, 30)),))
    assert refused(left, date(2026, 9, 14)) is None
    assert refused(left, date(2026, 9, 15)) == "TERMINATED"


def test_a_plan_may_set_the_days_of_a_last_pay() -> None:
    assert a_plan(post_severance_days=0).post_severance_days == 0
    left = a_participant(employment=(Employment(HIRED, date(2026, 6, 30)),))
    assert refusal(None, 0, left, date(2026, 6, 30)) is None
    assert refusal(None, 0, left, date(2026, 7, 1)) == "TERMINATED"


def test_a_rehired_person_is_an_employee_again() -> None:
    spells = (Employment(HIRED, date(2022, 3, 31)), Employment(date(2024, 5, 1)))
    back = a_participant(employment=spells)
    assert refused(back, date(2023, 1, 6)) == "TERMINATED"
    assert refused(back, date(2024, 5, 1)) is None


@pytest.mark.parametrize(
    ("entry", "day"),
    [
        ("immediate", date(2026, 2, 10)),
        ("monthly", date(2026, 3, 1)),
        ("quarterly", date(2026, 4, 1)),
        ("semi_annual", date(2026, 7, 1)),
        ("annual", date(2027, 1, 1)),
    ],
)
def test_entry_is_the_next_entry_date_after_age_and_service(entry: str, day: date) -> None:
    person = a_participant(employment=(Employment(date(2025, 2, 10)),))
    rule = EligibilityRule(age=21, service_months=12, entry=entry)
    assert day == entry_date(rule, person)
    assert refused(person, date(day.year - 1, 12, 31), rule) == "NOT_ELIGIBLE"
    assert refused(person, day, rule) is None


def test_age_is_reached_on_the_birthday() -> None:
    person = a_participant(born=date(2005, 5, 20), employment=(Employment(date(2024, 1, 2)),))
    assert date(2026, 5, 20) == entry_date(EligibilityRule(age=21), person)


def test_service_before_a_rehire_counts_again() -> None:
    spells = (Employment(date(2020, 1, 1), date(2020, 6, 30)), Employment(date(2024, 1, 1)))
    person = a_participant(employment=spells)
    assert date(2024, 7, 3) == entry_date(EligibilityRule(service_months=12), person)


def test_a_short_absence_counts_as_service() -> None:
    spells = (Employment(date(2020, 1, 1), date(2020, 6, 30)), Employment(date(2020, 12, 1)))
    assert date(2021, 1, 1) == entry_date(EligibilityRule(service_months=12), a_participant(employment=spells))


def test_a_former_participant_is_in_again_on_the_day_of_the_rehire() -> None:
    spells = (Employment(date(2018, 1, 1), date(2021, 6, 30)), Employment(date(2024, 5, 6)))
    rule = EligibilityRule(age=21, service_months=12, entry="semi_annual")
    assert refused(a_participant(employment=spells), date(2024, 5, 6), rule) is None


def test_an_entry_date_while_away_waits_for_the_rehire() -> None:
    spells = (Employment(date(2020, 3, 1), date(2021, 4, 30)), Employment(date(2024, 5, 6)))
    rule = EligibilityRule(service_months=12, entry="semi_annual")
    assert date(2024, 5, 6) == entry_date(rule, a_participant(employment=spells))


def test_no_service_yet_means_no_entry() -> None:
    spells = (Employment(date(2026, 1, 5), date(2026, 2, 27)),)
    assert entry_date(EligibilityRule(service_months=12), a_participant(employment=spells)) is None


def test_hours_count_a_year_of_a_thousand_or_two_of_five_hundred() -> None:
    rule = EligibilityRule(service_months=12, requires_hours=True)
    assert date(2025, 1, 1) == entry_date(rule, a_participant(hours_by_year={2023: 900, 2024: 1000}))
    assert date(2025, 1, 1) == entry_date(rule, a_participant(hours_by_year={2023: 500, 2024: 500}))
    assert entry_date(rule, a_participant(hours_by_year={2022: 500, 2024: 999})) is None


def test_an_excluded_group_is_out() -> None:
    rule = eligibility_rule_of({"excluded_groups": ["union"]})
    assert refused(a_participant(group="union"), date(2026, 1, 2), rule) == "NOT_ELIGIBLE"
    assert refused(a_participant(group="office"), date(2026, 1, 2), rule) is None


@pytest.mark.parametrize(
    "fact",
    [[], {"entry": "weekly"}, {"age": 22}, {"service_months": 13}, {"excluded_groups": "union"}],
)
def test_a_rule_stricter_than_the_law_or_unreadable_is_refused(fact: object) -> None:
    with pytest.raises(ValueError, match=r"eligibility|entry|410|excluded"):
        eligibility_rule_of(fact)


def test_census_records_add_rehires_to_a_history() -> None:
    first, left, back, gone = date(2015, 1, 5), date(2018, 3, 30), date(2020, 6, 1), date(2022, 9, 30)
    history = with_census_dates((), first, None, None)
    assert (Employment(first),) == history
    history = with_census_dates(history, first, left, None)
    assert (Employment(first, left),) == history
    history = with_census_dates(history, first, left, back)
    assert (Employment(first, left), Employment(back)) == history
    history = with_census_dates(history, first, gone, back)
    assert (Employment(first, left), Employment(back, gone)) == history
    again = date(2024, 1, 2)
    history = with_census_dates(history, first, gone, again)
    assert (Employment(first, left), Employment(back, gone), Employment(again)) == history


def test_a_census_record_may_correct_the_hire_date() -> None:
    corrected = with_census_dates((Employment(date(2020, 1, 6)),), date(2019, 1, 6), None, None)
    assert (Employment(date(2019, 1, 6)),) == corrected


def test_a_rehire_without_a_known_end_ends_the_spell_before_it() -> None:
    history = with_census_dates((), date(2015, 1, 5), None, date(2020, 6, 1))
    assert (Employment(date(2015, 1, 5), date(2020, 5, 31)), Employment(date(2020, 6, 1))) == history


def test_left_and_rehired_on_one_day_means_employed() -> None:
    history = with_census_dates((), date(2015, 1, 5), date(2020, 6, 1), date(2020, 6, 1))
    assert (Employment(date(2015, 1, 5), date(2020, 5, 31)), Employment(date(2020, 6, 1))) == history

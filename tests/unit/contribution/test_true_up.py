"""The year-end true-up of an annual match (A5), with the opening left out and 415(c) kept."""

from __future__ import annotations

from services.contribution.rules.additions import additions_excess_at_year_end
from services.contribution.rules.line import decide_line
from services.contribution.rules.participant import Opening
from services.contribution.rules.records import NOTHING_YET, LimitUse, YearToDate, year_to_date_at_start
from services.contribution.rules.true_up import decide_true_up
from shared.values.money import cents_of
from tests.unit.contribution.builders import BASIC_MATCH, a_line, a_participant, a_plan, limits_2026

ANNUAL = a_plan(match={**BASIC_MATCH, "period": "annual"})


def test_a5_front_loaded_deferrals_get_the_annual_match() -> None:
    year_to_date = NOTHING_YET
    for deferral in ("5000.00", "5000.00", "5000.00", "5000.00", "4500.00", *["0.00"] * 7):
        line = a_line(("pre_tax", deferral), compensation="10000.00")
        year_to_date = decide_line(line, ANNUAL, a_participant(), limits_2026(), year_to_date).year_to_date
    decision = decide_true_up(ANNUAL, a_participant(), limits_2026(), year_to_date)
    assert decision is not None
    assert (decision.source, decision.cents, decision.cut_cents, decision.drift_cents) == ("match", 280_000, 0, 0)
    assert decision.year_to_date.match_cents == 480_000


def test_a_per_pay_match_has_no_true_up() -> None:
    assert decide_true_up(a_plan(match=BASIC_MATCH), a_participant(), limits_2026(), NOTHING_YET) is None
    assert decide_true_up(a_plan(), a_participant(), limits_2026(), NOTHING_YET) is None


def test_what_was_deferred_elsewhere_earns_no_true_up() -> None:
    person = a_participant(opening=Opening(2026, regular_cents=1_000_000, compensation_cents=10_000_000))
    line = a_line(("pre_tax", "100.00"), compensation="10000.00")
    before = year_to_date_at_start(person, 2026)
    decision = decide_true_up(
        ANNUAL, person, limits_2026(), decide_line(line, ANNUAL, person, limits_2026(), before).year_to_date
    )
    assert decision is not None
    assert (decision.cents, decision.year_to_date.match_cents) == (0, 10_000)


def test_a_true_up_stays_within_annual_additions() -> None:
    before = YearToDate(
        regular_pre_tax_cents=2_450_000,
        other_additions_cents=4_700_000,
        compensation_cents=36_000_000,
        match_cents=1_300_000,
    )
    decision = decide_true_up(ANNUAL, a_participant(), limits_2026(), before)
    assert decision is not None
    assert (decision.cents, decision.cut_cents) == (50_000, 90_000)
    assert (LimitUse("415c", 50_000, 0, 50_000),) == decision.limit_uses


def test_a3_the_year_end_test_takes_the_lesser_of_the_limit_and_pay() -> None:
    additions = cents_of("15000.00") + cents_of("720.00") + cents_of("3000.00")
    assert cents_of("720.00") == additions_excess_at_year_end(limits_2026(), additions, cents_of("18000.00"))
    assert additions_excess_at_year_end(limits_2026(), additions, cents_of("100000.00")) == 0

"""What the employer gives for a year: the true-up (A5), a share of pay, an amount divided; 415(c) is kept (A3)."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contribution.rules.additions import additions_excess_at_year_end
from services.contribution.rules.eligibility import NOT_ELIGIBLE, TERMINATED
from services.contribution.rules.employer_money import (
    YearOfWork,
    discretionary,
    nonelective,
    true_ups,
    year_of_work,
)
from services.contribution.rules.line import decide_line
from services.contribution.rules.match import match_formula_of
from services.contribution.rules.participant import Employment, Opening
from services.contribution.rules.records import NOTHING_YET, YearToDate, year_to_date_at_start
from shared.values.money import cents_of
from tests.unit.contribution.builders import BASIC_MATCH, a_line, a_participant, a_plan, limits_2026

ANNUAL = a_plan(match={**BASIC_MATCH, "period": "annual"})
FORMULA = match_formula_of({**BASIC_MATCH, "period": "annual"})


def a_year(pay: str, deferrals: list[str]) -> YearOfWork:
    """The year of somebody with so many pay cheques."""
    year_to_date = NOTHING_YET
    for deferral in deferrals:
        line = a_line(("pre_tax", deferral), compensation=pay)
        year_to_date = decide_line(line, ANNUAL, a_participant(), limits_2026(), year_to_date).year_to_date
    return year_of_work(year_to_date, NOTHING_YET, limits_2026().compensation_cents, year_to_date.match_cents)


@pytest.mark.parametrize(
    ("pay", "deferrals", "paid", "owed", "drift"),
    [
        ("10000.00", [*["5000.00"] * 4, "4500.00", *["0.00"] * 7], 200_000, 280_000, 0),
        ("5000.00", [*["500.00"] * 6, *["0.00"] * 6], 120_000, 120_000, 0),
        ("4230.77", ["169.23"] * 26, 385_008, 0, -9),
    ],
    ids=["A5a", "A5b", "A5c"],
)
def test_a5_the_true_up_is_the_annual_formula_less_what_was_paid(
    pay: str, deferrals: list[str], paid: int, owed: int, drift: int
) -> None:
    year = a_year(pay, deferrals)
    assert year.paid == paid
    assert true_ups(FORMULA, {"P": year}) == ({"P": owed} if owed else {}, drift)


def test_what_was_deferred_and_earned_elsewhere_earns_nothing_here() -> None:
    person = a_participant(opening=Opening(2026, regular_cents=1_000_000, compensation_cents=10_000_000))
    before = year_to_date_at_start(person, 2026)
    after = decide_line(
        a_line(("pre_tax", "100.00"), compensation="10000.00"), ANNUAL, person, limits_2026(), before
    ).year_to_date
    year = year_of_work(after, before, limits_2026().compensation_cents, after.match_cents)
    assert year == YearOfWork(10_000, 1_000_000, 10_000)
    assert true_ups(FORMULA, {"P": year}) == ({}, 0)


def test_a_line_of_employer_money_may_carry_what_the_engine_matches_into_and_earns_no_match() -> None:
    line = msgspec.structs.replace(a_line(("match", "2800.00"), compensation="0.00"), employer_money="true_up")
    before = YearToDate(regular_pre_tax_cents=2_450_000, compensation_cents=12_000_000, match_cents=200_000)
    decision = decide_line(line, ANNUAL, a_participant(), limits_2026(), before)
    assert (decision.status, decision.credited) == ("accepted", (("match", 280_000),))
    assert decision.year_to_date.other_additions_cents == before.other_additions_cents + 280_000
    sent = decide_line(a_line(("match", "2800.00")), ANNUAL, a_participant(), limits_2026(), before)
    assert sent.codes == ("SOURCE_NOT_IN_PLAN",)


def test_a_line_of_employer_money_carries_nothing_else() -> None:
    line = msgspec.structs.replace(
        a_line(("pre_tax", "1.00"), ("profit_sharing", "2.00")), employer_money="nonelective"
    )
    decision = decide_line(line, ANNUAL, a_participant(), limits_2026(), NOTHING_YET)
    assert [(cut.source, cut.code) for cut in decision.cuts] == [("pre_tax", "SOURCE_NOT_IN_PLAN")]
    assert decision.credited == (("profit_sharing", 200),)


def test_who_left_gets_the_years_money_and_who_never_came_in_does_not() -> None:
    line = msgspec.structs.replace(a_line(("match", "10.00"), compensation="0.00"), employer_money="true_up")
    gone = a_participant(employment=(Employment(date(2020, 1, 6), date(2026, 3, 31)),))
    assert decide_line(line, ANNUAL, gone, limits_2026(), NOTHING_YET).status == "accepted"
    assert decide_line(a_line(("pre_tax", "1.00")), ANNUAL, gone, limits_2026(), NOTHING_YET).codes == (TERMINATED,)
    later = a_participant(employment=(Employment(date(2026, 12, 1)),))
    assert decide_line(line, ANNUAL, later, limits_2026(), NOTHING_YET).codes == (NOT_ELIGIBLE,)


def test_a_true_up_beyond_annual_additions_is_cut_with_its_code() -> None:
    before = YearToDate(regular_pre_tax_cents=2_450_000, other_additions_cents=4_700_000, match_cents=1_300_000)
    line = msgspec.structs.replace(a_line(("match", "1400.00"), compensation="0.00"), employer_money="true_up")
    decision = decide_line(line, ANNUAL, a_participant(), limits_2026(), before)
    assert (decision.accepted_cents, decision.rejected_cents, decision.codes) == (50_000, 90_000, ("LIMIT_415C",))


def test_a3_the_year_end_test_takes_the_lesser_of_the_limit_and_pay() -> None:
    additions = cents_of("15000.00") + cents_of("720.00") + cents_of("3000.00")
    assert cents_of("720.00") == additions_excess_at_year_end(limits_2026(), additions, cents_of("18000.00"))
    assert additions_excess_at_year_end(limits_2026(), additions, cents_of("100000.00")) == 0


def test_three_percent_of_pay_is_given_once_however_often_it_is_asked_for() -> None:
    years = {"A": YearOfWork(0, 423_077, 0), "B": YearOfWork(0, 423_077, 12_000), "C": YearOfWork(0, 0, 0)}
    assert nonelective(3, 100, years) == {"A": 12_692, "B": 692}
    assert nonelective(3, 100, {"A": YearOfWork(0, 423_077, 12_692)}) == {}


def test_an_amount_is_divided_by_pay_or_by_heads_and_ties_go_to_the_lowest_id() -> None:
    years = {
        "B": YearOfWork(0, 100, 0),
        "A": YearOfWork(0, 100, 0),
        "C": YearOfWork(0, 200, 0),
        "D": YearOfWork(0, 0, 0),
    }
    assert discretionary(1_001, "per_capita", years) == {"A": 334, "B": 334, "C": 333}
    assert discretionary(1_001, "pro_rata", years) == {"A": 250, "B": 250, "C": 501}
    with pytest.raises(ValueError, match="nobody"):
        discretionary(1_001, "pro_rata", {"D": YearOfWork(0, 0, 0)})
    with pytest.raises(ValueError, match="method"):
        discretionary(1_001, "by_luck", years)


@given(
    st.integers(0, 10**9),
    st.sampled_from(["pro_rata", "per_capita"]),
    st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(0, 10**8), min_size=1).filter(
        lambda pays: any(pays.values())
    ),
)
def test_a_divided_amount_is_given_to_the_cent(cents: int, method: str, pays: dict[str, int]) -> None:
    shares = discretionary(cents, method, {name: YearOfWork(0, pay, 0) for name, pay in pays.items()})
    assert sum(shares.values()) == cents
    assert all(pays[name] for name in shares)

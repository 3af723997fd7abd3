"""What somebody who left forfeits, what the law lets nobody take, and who gets it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contribution.rules.forfeiting import (
    BREAKS,
    CASH_OUT,
    Holding,
    forfeit_part,
    may_forfeit,
    may_restore,
    recorded_by_source,
    take_uncounted,
    unvested_by_line,
)
from services.contribution.rules.limits import reviewed_limits
from services.contribution.rules.line import decide_line
from services.contribution.rules.participant import Employment, Participant
from services.contribution.rules.plan_rules import plan_rules_of
from services.contribution.rules.records import LineRecord, RecordedPart, YearToDate
from tests.unit.contribution.builders import a_line

DAY = date(2026, 11, 23)
YEAR = YearToDate(regular_pre_tax_cents=10_001, other_additions_cents=843_729)
PLAN = plan_rules_of(
    "ACME",
    {"sources": ["pre_tax", "match", "qnec"], "vesting": {"match": "graded_2_6"},
     "match": {"tiers": [["3", "100"]], "period": "per_pay"}},
)  # fmt: skip
LINE = LineRecord(
    (RecordedPart("pre_tax", 10_001, 0), RecordedPart("qnec", 500, 0)), "match", 843_729, 900_000, 900_000
)


def who(*spells: tuple[date, date | None], hours: dict[int, int] | None = None) -> Participant:
    return Participant(date(1986, 3, 2), tuple(Employment(*spell) for spell in spells), hours_by_year=hours or {})


LEFT = who((date(2022, 11, 20), date(2026, 11, 19)))


def test_a12_the_forfeiture_is_the_balance_less_the_vested_part_rounded_once() -> None:
    assert unvested_by_line({"one": Holding(843_729, 0)}, 60) == {"one": 337_492}
    decision = forfeit_part(LINE, (("match", 337_492),), CASH_OUT, PLAN, LEFT, DAY, YEAR)
    assert (decision.status, decision.debited, decision.year_to_date) == ("accepted", (("match", 337_492),), YEAR)
    assert decision.record is not None
    assert recorded_by_source(decision.record) == {"pre_tax": 10_001, "qnec": 500, "match": 506_237}


def test_a_qaca_match_is_forfeited_by_who_leaves_before_two_years() -> None:
    plan = plan_rules_of(
        "QACA", {"sources": ["pre_tax", "safe_harbor_match"], "vesting": {"safe_harbor_match": ["0", "100"]}}
    )
    line = LineRecord((RecordedPart("safe_harbor_match", 10_577, 0),), "match", 0, 423_077, 423_077)
    asked = (("safe_harbor_match", 10_577),)
    early, late = who((date(2025, 1, 6), date(2026, 11, 19))), who((date(2024, 1, 8), date(2026, 11, 19)))
    assert forfeit_part(line, asked, CASH_OUT, plan, early, DAY, YEAR).debited == asked
    assert forfeit_part(line, asked, CASH_OUT, plan, late, DAY, YEAR).status == "rejected"


def test_nobody_forfeits_what_is_vested() -> None:
    asked = (("match", 337_494), ("pre_tax", 1), ("qnec", 1), ("roth", 5))
    decision = forfeit_part(LINE, asked, CASH_OUT, PLAN, LEFT, DAY, YEAR)
    assert (decision.status, decision.accepted_cents, decision.rejected_cents) == ("partially_accepted", 337_492, 9)
    assert decision.codes == ("NOT_FORFEITABLE", "REVERSES_TOO_MUCH")
    vested = who((date(2020, 1, 6), date(2026, 11, 19)))
    assert forfeit_part(LINE, asked[:1], CASH_OUT, PLAN, vested, DAY, YEAR).codes == ("NOT_FORFEITABLE",)
    old = Participant(date(1961, 3, 2), LEFT.employment)  # 65 when he left.
    retiring = replace(PLAN, vesting=replace(PLAN.vesting, normal_retirement_age=65))
    assert forfeit_part(LINE, asked[:1], CASH_OUT, PLAN, old, DAY, YEAR).accepted_cents == 337_492
    assert forfeit_part(LINE, asked[:1], CASH_OUT, retiring, old, DAY, YEAR).codes == ("NOT_FORFEITABLE",)


@pytest.mark.parametrize(
    ("person", "because", "may"),
    [
        (who((date(2022, 1, 3), None)), CASH_OUT, False),
        (who((date(2022, 1, 3), DAY)), CASH_OUT, False),
        (LEFT, CASH_OUT, True),
        (LEFT, BREAKS, False),
        (who((date(2015, 1, 5), date(2021, 11, 22))), BREAKS, True),
        (who((date(2015, 1, 5), date(2021, 11, 23))), BREAKS, False),
        (who((date(2015, 1, 5), date(2020, 6, 1)), hours={2020: 900}), BREAKS, True),
        (who((date(2015, 1, 5), date(2020, 6, 1)), hours={2020: 900, 2023: 501}), BREAKS, False),
    ],
)
def test_a_forfeiture_needs_a_cash_out_or_five_breaks_after_the_last_day(
    person: Participant, because: str, may: bool
) -> None:
    assert may_forfeit(person, DAY, because) is may


@pytest.mark.parametrize(
    ("rehired", "may"),
    [(date(2026, 11, 1), True), (date(2026, 12, 1), False), (date(2025, 1, 6), True), (date(2026, 1, 6), False)],
)
def test_who_works_again_within_five_years_gets_it_back(rehired: date, may: bool) -> None:
    ended = date(2022, 6, 1) if rehired.month != 1 else date(2020, 6, 1)
    if rehired == date(2026, 1, 6):
        ended = date(2021, 1, 6)
    assert may_restore(who((date(2018, 1, 8), ended), (rehired, None)), DAY) is may
    assert not may_restore(who((date(2018, 1, 8), None)), DAY)
    assert not may_restore(who((date(2018, 1, 8), ended), (rehired, date(2026, 11, 20))), DAY)


def test_a_restoration_counts_toward_no_limit_and_its_reversal_neither() -> None:
    full = YearToDate(other_additions_cents=7_200_000)
    line = a_line(("match", "3374.92"), compensation="0.00")
    line.employer_money = "restoration"
    decision = decide_line(line, PLAN, who((date(2018, 1, 8), None)), reviewed_limits()[2026], full)
    assert (decision.status, decision.credited, decision.year_to_date) == ("accepted", (("match", 337_492),), full)
    assert decision.record is not None
    back = take_uncounted(decision.record, None, full)
    assert (back.debited, back.year_to_date) == ((("match", 337_492),), full)
    assert back.record is not None
    assert take_uncounted(back.record, None, full).codes == ("REVERSES_TOO_MUCH",)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8), st.integers(0, 100), st.integers(0, 100))
def test_a_forfeiture_asked_for_again_takes_nothing_and_never_more_than_the_engine_lets_it(
    balances: list[int], percent: int, later: int
) -> None:
    lines = {f"line-{number}": Holding(cents, 0) for number, cents in enumerate(balances)}
    first = unvested_by_line(lines, percent)
    assert sum(first.values()) == sum(balances) - (sum(balances) * percent * 2 + 100) // 200
    assert all(
        cents <= min(lines[name].left, lines[name].left * (100 - percent) // 100 + 1) for name, cents in first.items()
    )
    after = {name: Holding(left - first.get(name, 0), first.get(name, 0)) for name, (left, _) in lines.items()}
    assert unvested_by_line(after, percent) == {}
    assert sum(unvested_by_line(after, max(percent, later)).values()) <= len(lines)  # Cents that change lines.

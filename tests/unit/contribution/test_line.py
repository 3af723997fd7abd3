"""Whole decisions on payroll lines: what scenario files don't show, such as notes, ledger, relabels and records."""

from __future__ import annotations

from datetime import date

import pytest

from services.contribution.rules.intake import Line
from services.contribution.rules.line import LineDecision, decide_line, refuse_line
from services.contribution.rules.participant import Employment, Opening, Participant
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from services.contribution.rules.records import NOTHING_YET, Cut, LimitUse, Relabel, YearToDate, year_to_date_at_start
from shared.values.money import cents_of
from tests.unit.contribution.builders import BASIC_MATCH, a_line, a_participant, a_plan, limits_2026

FIFTY_TWO = date(1974, 3, 2)


def decided(
    *amounts: tuple[str, str],
    plan: PlanRules | None = None,
    participant: Participant | None = None,
    before: YearToDate = NOTHING_YET,
    compensation: str = "6250.00",
) -> LineDecision:
    line = a_line(*amounts, compensation=compensation)
    return decide_line(line, plan or a_plan(), participant or a_participant(), limits_2026(), before)


def test_each_cut_cent_carries_its_source_and_code() -> None:
    a1 = decided(("pre_tax", "312.50"), ("roth", "187.50"), before=YearToDate(regular_pre_tax_cents=2_412_000))
    assert a1.credited == (("pre_tax", 23_750), ("roth", 14_250))
    assert (Cut("pre_tax", 7_500, "LIMIT_402G"), Cut("roth", 4_500, "LIMIT_402G")) == a1.cuts


def test_the_ledger_says_which_room_was_used() -> None:
    a2 = decided(
        ("pre_tax", "500.00"),
        participant=a_participant(born=FIFTY_TWO),
        plan=a_plan(match=BASIC_MATCH),
        before=YearToDate(regular_pre_tax_cents=2_430_000),
        compensation="5000.00",
    )
    assert (
        LimitUse("402g", 20_000, 0, 20_000),
        LimitUse("catch_up", 800_000, 770_000, 30_000),
        LimitUse("415c", 4_770_000, 4_730_000, 40_000),
        LimitUse("401a17", 36_000_000, 35_500_000, 500_000),
    ) == a2.limit_uses


def test_the_match_is_made_on_catch_up_too() -> None:
    before = YearToDate(regular_pre_tax_cents=2_450_000)
    participant = a_participant(born=FIFTY_TWO)
    decision = decided(
        ("pre_tax", "250.00"),
        plan=a_plan(match=BASIC_MATCH),
        participant=participant,
        before=before,
        compensation="5000.00",
    )
    assert decision.credited == (("match", 20_000), ("pre_tax", 25_000))
    assert decision.accepted_cents == 25_000


def test_pay_counts_toward_the_cap_though_its_money_is_refused() -> None:
    before = YearToDate(regular_pre_tax_cents=2_450_000, compensation_cents=100)
    decision = decided(("pre_tax", "10.00"), before=before, compensation="20.00")
    assert (decision.status, decision.year_to_date.compensation_cents) == ("rejected", 2_100)


def test_pay_above_the_cap_is_noted_and_earns_no_match() -> None:
    before = YearToDate(compensation_cents=35_900_000)
    decision = decided(("pre_tax", "100.00"), plan=a_plan(match=BASIC_MATCH), before=before, compensation="5000.00")
    assert (Cut("match", 0, "LIMIT_401A17"),) == decision.notes
    assert (decision.status, decision.credited) == ("accepted", (("match", 4_000), ("pre_tax", 10_000)))


def test_a3_deferrals_are_relabelled_before_anything_is_cut() -> None:
    before = YearToDate(regular_pre_tax_cents=2_450_000, other_additions_cents=3_980_000)
    decision = decided(("profit_sharing", "9000.00"), participant=a_participant(born=FIFTY_TWO), before=before)
    assert ("accepted", (Relabel("pre_tax", 130_000),)) == (decision.status, decision.relabels)
    after = decision.year_to_date
    assert (after.regular_cents, after.catch_up_cents, after.additions_cents) == (2_320_000, 130_000, 7_200_000)


def test_a_relabel_of_a_high_earner_takes_roth_deferrals_only() -> None:
    earner = a_participant(born=FIFTY_TWO, wages="150000.01")
    before = YearToDate(regular_pre_tax_cents=2_400_000, regular_roth_cents=50_000, other_additions_cents=4_700_000)
    decision = decided(("profit_sharing", "1500.00"), participant=earner, before=before)
    assert (decision.status, decision.codes) == ("partially_accepted", ("LIMIT_415C",))
    assert (Relabel("roth", 50_000),) == decision.relabels
    assert (decision.accepted_cents, decision.rejected_cents) == (100_000, 50_000)
    assert decision.year_to_date.additions_cents == 7_200_000


def test_this_lines_pre_tax_may_become_roth_catch_up_of_a_high_earner() -> None:
    earner = a_participant(born=FIFTY_TWO, wages="150000.01")
    before = YearToDate(other_additions_cents=7_150_000)
    deemed = decided(("pre_tax", "700.00"), participant=earner, before=before)
    assert deemed.credited == (("pre_tax", 50_000), ("roth", 20_000))
    refused = decided(("pre_tax", "700.00"), participant=earner, before=before, plan=a_plan(roth_catch_up="reject"))
    assert (refused.credited, refused.codes) == ((("pre_tax", 50_000),), ("LIMIT_415C",))


def test_the_engines_own_match_cut_by_415_refuses_nothing_of_the_line() -> None:
    before = YearToDate(other_additions_cents=7_185_000)
    decision = decided(("pre_tax", "100.00"), plan=a_plan(match=BASIC_MATCH), before=before, compensation="5000.00")
    assert (
        decision.status,
        decision.accepted_cents,
        decision.rejected_cents,
        decision.cuts,
    ) == ("accepted", 10_000, 0, ())
    assert decision.credited == (("match", 5_000), ("pre_tax", 10_000))
    assert (Cut("match", 5_000, "LIMIT_415C"),) == decision.notes


def test_employer_money_of_a_line_is_cut_by_largest_remainder() -> None:
    before = YearToDate(other_additions_cents=7_199_000)
    decision = decided(("match", "10.00"), ("profit_sharing", "20.00"), before=before)
    assert decision.credited == (("match", 333), ("profit_sharing", 667))


def test_the_odd_cent_of_a_cut_falls_on_the_lowest_source_name() -> None:
    before = YearToDate(other_additions_cents=7_199_801)
    decision = decided(("profit_sharing", "1.00"), ("match", "1.00"), before=before)
    assert decision.credited == (("match", 99), ("profit_sharing", 100))


def test_what_is_catch_up_already_leaves_less_to_relabel_into() -> None:
    before = YearToDate(regular_pre_tax_cents=2_450_000, other_additions_cents=4_750_000)
    decision = decided(
        ("pre_tax", "7900.00"), ("profit_sharing", "500.00"), participant=a_participant(born=FIFTY_TWO), before=before
    )
    assert decision.relabels == (Relabel("pre_tax", 10_000),)
    assert decision.cuts == (Cut("profit_sharing", 40_000, "LIMIT_415C"),)
    assert decision.year_to_date.catch_up_cents == 800_000


def test_a_cut_never_takes_a_deferral_that_was_just_relabelled() -> None:
    before = YearToDate(catch_up_cents=799_998, other_additions_cents=7_200_000)
    decision = decided(("pre_tax", "0.01"), ("roth", "0.03"), participant=a_participant(born=FIFTY_TWO), before=before)
    assert decision.credited == (("pre_tax", 1), ("roth", 1))
    assert (decision.year_to_date.regular_cents, decision.year_to_date.catch_up_cents) == (0, 800_000)


def test_a_source_named_twice_means_the_sum() -> None:
    assert decided(("pre_tax", "1.00"), ("pre_tax", "2.00")).credited == (("pre_tax", 300),)


def test_rollovers_and_loan_repayments_meet_no_limit() -> None:
    before = YearToDate(regular_pre_tax_cents=2_450_000, other_additions_cents=4_750_000)
    decision = decided(("rollover_pre_tax", "90000.00"), ("loan_repayment", "5.00"), before=before)
    assert ("accepted", before.additions_cents) == (decision.status, decision.year_to_date.additions_cents)


def test_more_than_the_limit_deferred_elsewhere_leaves_no_room_and_breaks_nothing() -> None:
    person = a_participant(opening=Opening(2026, regular_cents=2_600_000))
    before = year_to_date_at_start(person, 2026)
    decision = decided(("pre_tax", "1.00"), participant=person, before=before)
    assert (decision.status, decision.codes) == ("rejected", ("LIMIT_402G",))
    assert year_to_date_at_start(person, 2025) == NOTHING_YET


def test_someone_who_left_keeps_year_end_money_and_rollovers() -> None:
    left = a_participant(employment=(Employment(date(2020, 1, 6), date(2026, 1, 30)),))
    decision = decided(("pre_tax", "10.00"), ("profit_sharing", "5.00"), ("rollover_pre_tax", "7.00"), participant=left)
    assert decision.credited == (("profit_sharing", 500), ("rollover_pre_tax", 700))
    assert (Cut("pre_tax", 1_000, "TERMINATED"),) == decision.cuts


def test_someone_not_eligible_gets_no_contribution_of_any_kind() -> None:
    plan = a_plan(eligibility={"age": 21, "service_months": 12}, match=BASIC_MATCH)
    new = a_participant(employment=(Employment(date(2026, 6, 1)),))
    decision = decided(("pre_tax", "10.00"), ("profit_sharing", "5.00"), plan=plan, participant=new)
    assert (decision.status, decision.codes, decision.credited) == ("rejected", ("NOT_ELIGIBLE",), ())
    assert decision.year_to_date.compensation_cents == 625_000
    assert decision.record is None


def test_without_limits_a_line_is_held_whatever_else_is_wrong_with_it() -> None:
    plan, person = a_plan(), a_participant()
    held = decide_line(a_line(("pre_tax", "1.00")), plan, person, None, NOTHING_YET)
    assert (held.status, held.accepted_cents, held.rejected_cents, held.year_to_date) == ("held", 0, 0, NOTHING_YET)
    assert [note.code for note in held.notes] == ["LIMITS_NOT_LOADED"]
    for amounts in ((("bonus", "1.00"),), ()):
        assert decide_line(a_line(*amounts), plan, person, None, NOTHING_YET).status == "held"


def test_a_negative_amount_refuses_the_line_and_only_its_pay_counts() -> None:
    decision = decided(("pre_tax", "10.00"), ("match", "-1.00"))
    assert (decision.status, decision.codes, decision.record) == ("rejected", ("INVALID_AMOUNT",), None)
    assert decision.year_to_date == YearToDate(compensation_cents=625_000)
    assert decision.limit_uses == ()


def test_the_pay_of_a_line_with_a_negative_amount_uses_up_the_cap_for_the_match() -> None:
    plan, before = a_plan(match=BASIC_MATCH), YearToDate(compensation_cents=cents_of("300000.00"))
    refused = decided(("pre_tax", "-10.00"), plan=plan, before=before, compensation="50000.00")
    assert refused.limit_uses == (LimitUse("401a17", 6_000_000, 1_000_000, 5_000_000),)
    after = decided(("pre_tax", "2000.00"), plan=plan, before=refused.year_to_date, compensation="40000.00")
    # 10,000.00 of pay is left: all of 300.00 and half of 200.00.
    assert dict(after.credited) == {"pre_tax": 200_000, "match": 40_000}


def test_the_pay_of_a_negative_line_counts_before_the_limits_of_its_year_are_known() -> None:
    line = a_line(("pre_tax", "-1.00"), compensation="5000.00")
    refused = decide_line(line, a_plan(match=BASIC_MATCH), a_participant(), None, NOTHING_YET)
    assert (refused.codes, refused.year_to_date.compensation_cents) == (("INVALID_AMOUNT",), 500_000)


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        ({"sources": "pre_tax"}, "list of names"),
        ({"sources": ["pre_tax", "bonus"]}, "unknown sources bonus"),
        ({"sources": ["pre_tax"], "deferral_overflow": "roth_first"}, "deferral_overflow"),
        ({"sources": ["pre_tax"], "roth_catch_up": True}, "roth_catch_up"),
        ({"sources": ["pre_tax"], "post_severance_days": -1}, "post_severance_days"),
        ({"sources": ["pre_tax"], "vesting": ["cliff_3"]}, "vesting"),
    ],
)
def test_a_plan_fact_that_makes_no_sense_is_refused(fact: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        plan_rules_of("ACME", fact)


def test_a_line_refused_whole_says_why_for_each_part_even_when_it_asks_for_nothing() -> None:
    line = Line("ACME", "P1", "R1", date(2026, 11, 20), 0, [("pre_tax", 100), ("roth", -200)], [])
    decision = refuse_line(line, "INVALID_AMOUNT", NOTHING_YET)
    assert [(cut.source, cut.cents) for cut in decision.cuts] == [("pre_tax", 100), ("roth", 0)]
    assert (decision.status, decision.rejected_cents, decision.codes) == ("rejected", 100, ("INVALID_AMOUNT",))
    empty = Line("ACME", "P1", "R1", date(2026, 11, 20), 0, [], [])
    assert refuse_line(empty, "UNKNOWN_PLAN", NOTHING_YET).codes == ("UNKNOWN_PLAN",)


def test_a3_a_short_limitation_year_shrinks_415c_and_counted_pay_and_never_402g() -> None:
    plan = a_plan(short_years={"2026": 6}, sources=["pre_tax", "after_tax", "match"], match=BASIC_MATCH)
    line = a_line(("pre_tax", "24500.00"), ("after_tax", "12000.00"), compensation="200000.00")
    decision = decide_line(line, plan, a_participant(), limits_2026(), NOTHING_YET)
    # 36,000.00 of additions: the match on 180,000.00 of pay would be 7,200.00 and is cut first, then after-tax money.
    assert dict(decision.credited) == {"pre_tax": cents_of("24500.00"), "after_tax": cents_of("11500.00")}
    assert decision.codes == ("LIMIT_415C",)
    pay = next(use for use in decision.limit_uses if use.limit == "401a17")
    assert pay.cents == cents_of("180000.00")


def test_other_years_of_a_plan_with_a_short_one_are_whole() -> None:
    plan = a_plan(short_years={"2025": 6})
    line = a_line(("pre_tax", "24500.00"), ("after_tax", "47500.00"))
    assert decide_line(line, plan, a_participant(), limits_2026(), NOTHING_YET).status == "accepted"

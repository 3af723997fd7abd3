"""Reversals: what is left, what follows, what comes back."""

from __future__ import annotations

from datetime import date

from services.contribution.rules.line import LineDecision, decide_line
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PlanRules
from services.contribution.rules.records import NOTHING_YET, Relabel, YearToDate
from services.contribution.rules.reversals import Amounts, ReversalDecision, refuse_reversal, reverse_line
from shared.values.money import cents_of
from tests.unit.contribution.builders import BASIC_MATCH, a_line, a_participant, a_plan, limits_2026

MATCHED = a_plan(match=BASIC_MATCH)
FIFTY = a_participant(born=date(1976, 12, 31))


def reversed_line(
    decision: LineDecision | ReversalDecision,
    *amounts: tuple[str, str],
    plan: PlanRules = MATCHED,
    person: Participant = FIFTY,
) -> ReversalDecision:
    assert decision.record is not None
    asked: Amounts | None = tuple((source, cents_of(dollars)) for source, dollars in amounts) or None
    return reverse_line(decision.record, asked, plan, person, limits_2026(), decision.year_to_date)


def matched_line(before: YearToDate = NOTHING_YET) -> LineDecision:
    line = a_line(("pre_tax", "169.23"), compensation="4230.77")
    return decide_line(line, MATCHED, FIFTY, limits_2026(), before)


def test_a_whole_reversal_takes_the_match_with_it_and_leaves_nothing() -> None:
    decision = reversed_line(matched_line())
    assert (decision.status, decision.accepted_cents, decision.rejected_cents) == ("accepted", 16_923, 0)
    assert decision.debited == (("match", 14_808), ("pre_tax", 16_923))
    assert decision.year_to_date == NOTHING_YET


def test_the_match_of_a_partial_reversal_is_made_on_what_is_left() -> None:
    decision = reversed_line(matched_line(), ("pre_tax", "84.61"))
    assert decision.debited == (("match", 14_808 - 8_462), ("pre_tax", 8_461))
    assert (
        decision.year_to_date.regular_cents,
        decision.year_to_date.match_cents,
        decision.year_to_date.compensation_cents,
    ) == (8_462, 8_462, 423_077)


def test_more_than_is_left_is_refused_and_the_rest_reversed() -> None:
    decision = reversed_line(matched_line(), ("pre_tax", "169.24"), ("roth", "1.00"))
    assert (
        decision.status,
        decision.accepted_cents,
        decision.rejected_cents,
    ) == ("partially_accepted", 16_923, 101)
    assert decision.codes == ("REVERSES_TOO_MUCH",)


def test_a_second_whole_reversal_finds_nothing_left() -> None:
    again = reversed_line(reversed_line(matched_line()))
    assert (again.status, again.codes, again.year_to_date) == ("rejected", ("REVERSES_TOO_MUCH",), NOTHING_YET)


def test_the_engines_match_can_not_be_reversed_by_name() -> None:
    decision = reversed_line(matched_line(), ("match", "1.00"))
    assert (decision.status, decision.codes) == ("rejected", ("SOURCE_NOT_IN_PLAN",))


def test_a_negative_reversal_is_refused() -> None:
    decision = reversed_line(matched_line(), ("pre_tax", "-1.00"))
    assert (decision.status, decision.codes) == ("rejected", ("INVALID_AMOUNT",))


def test_catch_up_is_reversed_before_regular_money() -> None:
    before = YearToDate(regular_pre_tax_cents=2_430_000)
    line = decide_line(a_line(("pre_tax", "500.00")), a_plan(), FIFTY, limits_2026(), before)
    decision = reversed_line(line, ("pre_tax", "350.00"), plan=a_plan())
    assert (decision.year_to_date.regular_cents, decision.year_to_date.catch_up_cents) == (2_445_000, 0)
    rest = reversed_line(decision, plan=a_plan())
    assert (rest.year_to_date.regular_cents, rest.year_to_date.catch_up_cents) == (2_430_000, 0)


def test_deemed_roth_is_reversed_as_the_roth_it_was_recorded_as() -> None:
    earner = a_participant(born=date(1976, 12, 31), wages="150000.01")
    before = YearToDate(regular_pre_tax_cents=2_430_000)
    line = decide_line(a_line(("pre_tax", "500.00")), a_plan(), earner, limits_2026(), before)
    assert line.credited == (("pre_tax", 20_000), ("roth", 30_000))
    decision = reversed_line(line, ("roth", "300.00"), plan=a_plan(), person=earner)
    assert (
        decision.status,
        decision.year_to_date.regular_cents,
        decision.year_to_date.catch_up_cents,
    ) == ("accepted", 2_450_000, 0)


def test_relabels_are_undone_when_the_money_that_caused_them_goes() -> None:
    before = YearToDate(regular_pre_tax_cents=2_450_000, other_additions_cents=3_980_000)
    line = decide_line(a_line(("profit_sharing", "9000.00")), a_plan(), FIFTY, limits_2026(), before)
    assert (Relabel("pre_tax", 130_000),) == line.relabels
    decision = reversed_line(line, ("profit_sharing", "1000.00"), plan=a_plan())
    assert (Relabel("pre_tax", -100_000),) == decision.relabels
    decision = reversed_line(decision, plan=a_plan())
    assert (Relabel("pre_tax", -30_000),) == decision.relabels
    assert (
        decision.year_to_date.regular_cents,
        decision.year_to_date.catch_up_cents,
        decision.year_to_date.other_additions_cents,
    ) == (2_450_000, 0, 3_980_000)


def test_a_relabel_is_undone_only_as_far_as_402g_has_room() -> None:
    before = YearToDate(regular_pre_tax_cents=2_450_000, other_additions_cents=3_980_000)
    employer = decide_line(a_line(("profit_sharing", "9000.00")), a_plan(), FIFTY, limits_2026(), before)
    deferral = decide_line(a_line(("pre_tax", "1300.00")), a_plan(), FIFTY, limits_2026(), employer.year_to_date)
    assert (deferral.year_to_date.regular_cents, deferral.year_to_date.catch_up_cents) == (2_320_000, 260_000)
    assert employer.record is not None
    decision = reverse_line(employer.record, None, a_plan(), FIFTY, limits_2026(), deferral.year_to_date)
    assert decision.relabels == (Relabel("pre_tax", -130_000),)
    assert (decision.year_to_date.regular_cents, decision.year_to_date.catch_up_cents) == (2_450_000, 130_000)


def test_a_source_named_twice_is_reversed_once() -> None:
    decision = reversed_line(matched_line(), ("pre_tax", "100.00"), ("pre_tax", "100.00"))
    assert (decision.accepted_cents, decision.rejected_cents) == (16_923, 3_077)


def test_a_match_cut_by_415_does_not_grow_in_a_reversal() -> None:
    forty, before = a_participant(), YearToDate(other_additions_cents=7_183_000)
    line = decide_line(a_line(("pre_tax", "169.23"), compensation="4230.77"), MATCHED, forty, limits_2026(), before)
    assert line.credited == (("match", 77), ("pre_tax", 16_923))
    assert reversed_line(line, ("pre_tax", "10.00"), person=forty).debited == (("pre_tax", 1_000),)


def test_deferrals_relabelled_since_are_taken_from_catch_up() -> None:
    deferral = decide_line(a_line(("pre_tax", "24500.00")), a_plan(), FIFTY, limits_2026(), NOTHING_YET)
    employer = a_line(("profit_sharing", "55000.00"))
    later = decide_line(employer, a_plan(), FIFTY, limits_2026(), deferral.year_to_date)
    assert later.year_to_date.catch_up_cents == 750_000
    assert deferral.record is not None
    decision = reverse_line(deferral.record, None, a_plan(), FIFTY, limits_2026(), later.year_to_date)
    assert (
        decision.year_to_date.regular_cents,
        decision.year_to_date.catch_up_cents,
        decision.year_to_date.additions_cents,
    ) == (0, 0, 5_500_000)


def test_a_negative_amount_refuses_the_reversal_and_asks_for_nothing_negative() -> None:
    decision = refuse_reversal((("pre_tax", -500), ("roth", 300)), "INVALID_AMOUNT", YearToDate())
    assert (decision.status, decision.accepted_cents, decision.rejected_cents) == ("rejected", 0, 300)

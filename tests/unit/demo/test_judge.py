"""The verdict: right answers pass, and every way an answer can be wrong is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.demo import judge
from deploy.demo.result import Balances, DayResult
from deploy.demo.watch import Seen
from tests.unit.demo.samples import FRIDAY, MONDAY, answered, day_result, of_kind, order, payday, receipt, right_answer


def empty_day(day: object = FRIDAY, credited: int = 0) -> DayResult:
    return replace(day_result(), day=day, credited_cents=credited)


def confirm(seen: Seen, order_id: str, *statuses: str) -> None:
    for version, status in enumerate(statuses, start=1):
        seen.add_confirmation({"order_id": order_id, "version": version, "status": status})


def test_a_payday_that_was_answered_as_it_must_be_has_no_difference() -> None:
    sent = payday()
    kinds = judge.outcomes(sent, answered(sent))
    assert len(kinds) == 14
    assert all(kind.ok for kind in kinds)
    assert sum(kind.sent for kind in kinds) == 150


def test_each_missing_receipt_is_noticed() -> None:
    sent = payday()
    for one in sent.submissions:
        if one.expected.answered:
            seen = answered(sent)
            del seen.finals[one.sent.ce_id]
            assert judge.differences(one, seen) == ["no final receipt"]


@pytest.mark.parametrize(
    "change",
    [{"status": "rejected"}, {"accepted_cents": 1}, {"rejected_cents": 1}, {"cuts": frozenset({"LIMIT_402G"})}],
)
def test_a_good_line_with_another_answer_is_noticed(change: dict[str, object]) -> None:
    sent = payday()
    seen, one = answered(sent), of_kind(sent, "good line")
    seen.finals[one.sent.ce_id] = replace(right_answer(one), **change)  # type: ignore[arg-type]
    assert judge.differences(one, seen)
    (kind,) = (kind for kind in judge.outcomes(sent, seen) if kind.kind == "good line")
    assert not kind.ok
    assert kind.as_expected == kind.sent - 1
    assert one.sent.ce_id in kind.examples[0]


def test_a_receipt_for_a_line_nobody_can_be_answered_about_is_noticed() -> None:
    sent = payday()
    seen, one = answered(sent), of_kind(sent, "missing headers")
    seen.finals[one.sent.ce_id] = receipt()
    assert "although nobody" in judge.differences(one, seen)[0]


def test_a_dead_letter_that_is_missing_is_noticed() -> None:
    sent = payday()
    seen, one = answered(sent), of_kind(sent, "not JSON")
    seen.dead_letters.clear()
    assert judge.differences(one, seen) == ["no dead letter NOT_JSON"]


def test_a_second_sending_without_or_with_another_answer_is_noticed() -> None:
    sent = payday()
    seen, one = answered(sent), of_kind(sent, "sent twice")
    seen.seconds[one.sent.ce_id] = receipt("accepted", 5)
    assert judge.differences(one, seen)
    del seen.seconds[one.sent.ce_id]
    assert judge.differences(one, seen)


def test_a_duplicate_answer_to_a_line_that_was_sent_once_is_noticed() -> None:
    sent = payday()
    seen, one = answered(sent), of_kind(sent, "good line")
    seen.seconds[one.sent.ce_id] = receipt("duplicate")
    assert judge.differences(one, seen)


def test_a_held_line_is_answered_but_not_finally() -> None:
    sent = payday()
    seen, one = answered(sent), of_kind(sent, "unknown plan")
    seen.held[one.sent.ce_id] = receipt("held")
    del seen.finals[one.sent.ce_id]
    assert judge.unanswered([one], seen, finally_=False) == []
    assert judge.unanswered([one], seen, finally_=True) == [one]


@pytest.mark.parametrize("kind", ["good line", "not JSON", "missing headers", "sent twice"])
def test_nothing_is_answered_before_anything_came(kind: str) -> None:
    one = of_kind(payday(), kind)
    assert judge.unanswered([one], Seen(), finally_=False) == [one]


def test_a_line_with_several_answers_counts_once_for_each_of_its_codes() -> None:
    sent = payday()
    seen, one = answered(sent), of_kind(sent, "unknown plan")
    seen.held[one.sent.ce_id] = receipt("held", 0, 0, "UNKNOWN_PLAN")
    statuses, codes = judge.receipts_of(sent, seen)
    assert codes["UNKNOWN_PLAN"] == 2
    assert statuses["held"] == 1


def test_every_employer_owes_what_was_credited() -> None:
    sent = payday()
    seen = answered(sent)
    one = of_kind(sent, "good line")
    before = judge.owed_by_run(sent, seen)
    seen.finals[one.sent.ce_id] = replace(right_answer(one), credited_cents=right_answer(one).credited_cents + 77)
    after = judge.owed_by_run(sent, seen)
    assert sum(before.values()) == sum(found.accepted_cents for found in seen.finals.values())
    assert after[one.plan_id, one.payroll_id] == before[one.plan_id, one.payroll_id] + 77


def test_latency_is_from_handing_over_to_the_first_receipt() -> None:
    sent = payday()
    seen = answered(sent)
    handed = {one.sent.ce_id: 0.9 for one in sent.submissions}
    found = judge.latency(sent, seen, handed)
    assert found is not None
    assert 100 <= found.p50 <= found.p99 <= found.slowest == 100 + 149
    assert judge.latency(sent, Seen(), handed) is None


def test_balances_are_recomputed_exactly_and_rounded_once() -> None:
    prices = {"A": "10.005", "B": "3.33"}
    position = {"source": "roth", "cost_cents": 90}
    positions = [{**position, "fund_id": "A", "shares": "0.100"}, {**position, "fund_id": "B", "shares": "0.030"}]
    # 1.0005 + 0.0999 = 1.1004: rounding each would give 1.00 + 0.10.
    entry = {"participant_id": "P1", "balance_cents": 110, "positions": positions}
    found, wrong = judge.balances([{"participants": [entry]}], prices)
    assert (found.participants, found.total_cents, found.cost_cents, wrong) == (1, 110, 180, [])
    _, wrong = judge.balances([{"participants": [entry | {"balance_cents": 111}]}], prices)
    assert wrong == ["P1"]


def test_half_a_cent_is_rounded_up() -> None:
    position = {"source": "roth", "cost_cents": 1, "fund_id": "A", "shares": "1"}
    entry = {"participant_id": "P1", "balance_cents": 13, "positions": [position]}
    assert judge.balances([{"participants": [entry]}], {"A": "0.125"})[1] == []


def test_a_balance_that_is_not_final_is_counted_apart() -> None:
    entry = {"participant_id": "P1", "balance_cents": None, "positions": []}
    found, wrong = judge.balances([{"participants": [entry]}], {})
    assert (found.participants, found.unpriced, found.cents, wrong) == (1, 1, [], [])


def test_what_the_custodian_refused_must_be_ordered_again() -> None:
    seen = Seen()
    seen.orders = {"a": order("a", 70), "b": order("b", 30), "c": order("c", 50, MONDAY)}
    confirm(seen, "a", "confirmed")
    confirm(seen, "b", "rejected")
    days = [empty_day(FRIDAY, 100), empty_day(MONDAY, 20)]
    assert [check.ok for check in judge.order_checks(days, seen)] == [True, True]
    assert [check.ok for check in judge.order_checks([days[0], empty_day(MONDAY, 50)], seen)] == [True, False]


def test_positions_cost_what_was_executed_in_time() -> None:
    seen = Seen()
    seen.orders = {name: order(name, cents) for name, cents in (("a", 70), ("b", 30), ("c", 9), ("d", 4))}
    confirm(seen, "a", "confirmed")
    confirm(seen, "b", "pending", "confirmed")
    confirm(seen, "c", "rejected")
    confirm(seen, "d", "confirmed", "corrected")
    friday = replace(empty_day(FRIDAY), balances=Balances(1, 0, 74, [], {}))
    monday = replace(empty_day(MONDAY), balances=Balances(1, 0, 104, [], {}))
    assert judge.cost_check(friday, [friday, monday], seen).ok
    assert judge.cost_check(monday, [friday, monday], seen).ok
    assert not judge.cost_check(replace(monday, balances=Balances(1, 0, 103, [], {})), [friday, monday], seen).ok


def test_orders_without_an_answer_are_waited_for() -> None:
    seen = Seen()
    day = replace(empty_day(), orders={"total": 2})
    assert judge.unheard(seen, day) == 2
    seen.orders = {"a": order("a", 70), "b": order("b", 30)}
    confirm(seen, "a", "confirmed", "corrected")
    assert judge.unheard(seen, day) == 1
    confirm(seen, "b", "pending")
    confirm(seen, "b", "pending")
    assert judge.unheard(seen, day) == 0
    assert judge.custodian_of(seen, day) == {"confirmed": 1, "corrected": 1, "pending": 1, "repeated": 1}
    assert seen.in_the_air() == ["b"]


def test_dollars_are_written_for_people() -> None:
    assert [judge.dollars(cents) for cents in (0, -5, 123_456_789)] == ["$0.00", "-$0.05", "$1,234,567.89"]

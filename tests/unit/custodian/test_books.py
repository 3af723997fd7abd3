"""The custodian's books: the order in which facts arrive never changes what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson
from hypothesis import given
from hypothesis import strategies as st

from deploy.custodian.answers import Action, Order
from deploy.custodian.books import HOLDINGS_PART_ROWS, Books, Message

DAY = "2026-11-24"
NEXT_DAY = "2026-11-25"


def an_order(order_id: str = "o1", action: Action = "confirm", **changes: str) -> Order:
    facts = {"plan_id": "ACME", "fund_id": "F1", "trade_date": DAY, "side": "buy"} | changes
    return Order(order_id, cents=10_000, shares=None, action=action, **facts)


def said(messages: Iterable[Message]) -> list[tuple[str, str, int]]:
    bodies = [orjson.loads(m.value) for m in messages if m.kind == "confirmation"]
    return [(body["order_id"], body["status"], body["version"]) for body in bodies]


def holdings(messages: Iterable[Message]) -> list[dict[str, object]]:
    return [orjson.loads(message.value) for message in messages if message.kind == "holdings"]


def books_with_price() -> Books:
    books = Books()
    books.receive_fund("F1", 3)
    books.receive_price("F1", DAY, "10.00", 1)
    return books


def test_an_order_is_answered_as_soon_as_its_final_price_is_known() -> None:
    books = Books()
    books.receive_fund("F1", 3)
    books.receive_order(an_order())
    assert said(books.take_effects().messages) == []
    books.receive_price("F1", DAY, "10.00", 1)
    assert said(books.take_effects().messages) == [("o1", "confirmed", 1)]


def test_an_order_waits_for_the_price_of_its_own_date() -> None:
    books = books_with_price()
    books.receive_order(an_order(trade_date=NEXT_DAY))
    assert said(books.take_effects().messages) == []


def test_an_order_waits_for_its_fund() -> None:
    books = Books()
    books.receive_price("F1", DAY, "10.00", 1)
    books.receive_order(an_order())
    assert said(books.take_effects().messages) == []
    books.receive_fund("F1", 3)
    assert said(books.take_effects().messages) == [("o1", "confirmed", 1)]


def test_a_rejected_order_is_answered_at_once_and_books_nothing() -> None:
    books = Books()
    books.receive_order(an_order(action="reject"))
    books.receive_fund("F1", 3)
    books.receive_price("F1", DAY, "10.00", 1)
    assert said(books.take_effects().messages) == [("o1", "rejected", 1)]
    assert books.units_by_plan_fund == {}


def test_a_late_order_is_pending_at_once_and_confirmed_after_the_holdings_of_its_date() -> None:
    books = books_with_price()
    books.receive_order(an_order(action="late"))
    assert said(books.take_effects().messages) == [("o1", "pending", 1)]
    books.receive_value_cut(DAY)
    messages = books.take_effects().messages
    assert [message.kind for message in messages] == ["holdings", "confirmation"]
    assert said(messages) == [("o1", "confirmed", 2)]
    assert holdings(messages)[0]["positions"] == []


def test_a_late_order_without_a_price_at_the_value_cut_waits_for_the_price() -> None:
    books = Books()
    books.receive_fund("F1", 3)
    books.receive_order(an_order(action="late"))
    books.receive_value_cut(DAY)
    books.receive_price("F1", DAY, "10.00", 1)
    assert said(books.take_effects().messages) == [("o1", "pending", 1), ("o1", "confirmed", 2)]


def test_holdings_are_what_was_booked_by_then_and_leave_out_zeros() -> None:
    books = books_with_price()
    books.receive_order(an_order("o1"))
    books.receive_order(an_order("o2", plan_id="BETA"))
    books.receive_order(Order("o3", "BETA", "F1", DAY, "sell", None, "10.000"))
    books.receive_value_cut(DAY)
    (report,) = holdings(books.take_effects().messages)
    assert report == {
        "date": DAY,
        "part": 1,
        "parts": 1,
        "positions": [{"plan_id": "ACME", "fund_id": "F1", "shares": "10.000"}],
    }


def test_a_day_without_positions_is_reported_in_one_empty_part() -> None:
    books = Books()
    books.receive_value_cut(DAY)
    assert holdings(books.take_effects().messages) == [{"date": DAY, "part": 1, "parts": 1, "positions": []}]


def test_many_positions_are_reported_in_parts_that_know_how_many_they_are() -> None:
    books = books_with_price()
    for number in range(HOLDINGS_PART_ROWS + 1):
        books.receive_order(an_order(f"o{number}", plan_id=f"P{number}"))
    books.receive_value_cut(DAY)
    reports = holdings(books.take_effects().messages)
    assert [(r["part"], r["parts"], len(r["positions"])) for r in reports] == [(1, 2, HOLDINGS_PART_ROWS), (2, 2, 1)]


def test_a_second_value_cut_of_a_date_reports_nothing() -> None:
    books = Books()
    books.receive_value_cut(DAY)
    books.take_effects()
    books.receive_value_cut(DAY)
    assert books.take_effects().messages == []


def test_a_mispriced_order_is_booked_as_corrected() -> None:
    books = books_with_price()
    books.receive_order(an_order(action="misprice"))
    assert said(books.take_effects().messages) == [("o1", "confirmed", 1), ("o1", "corrected", 2)]
    assert books.units_by_plan_fund == {("ACME", "F1"): 10_000}


def test_a_share_order_finer_than_the_fund_is_rejected() -> None:
    books = books_with_price()
    books.receive_order(Order("o1", "ACME", "F1", DAY, "sell", None, "1.0001"))
    assert said(books.take_effects().messages) == [("o1", "rejected", 1)]


def test_a_repeated_answer_has_the_same_id_and_bytes() -> None:
    books = books_with_price()
    books.receive_order(an_order(action="duplicate"))
    first, second = books.take_effects().messages
    assert first == second


FACTS: list[Callable[[Books], None]] = [
    lambda books: books.receive_fund("F1", 3),
    lambda books: books.receive_price("F1", DAY, "10.00", 1),
    lambda books: books.receive_order(an_order("o1")),
    lambda books: books.receive_order(an_order("o2", "misprice")),
    lambda books: books.receive_order(an_order("o3", "late")),
    lambda books: books.receive_order(an_order("o4", "reject")),
    lambda books: books.receive_value_cut(DAY),
]


@given(st.permutations(FACTS))
def test_the_order_of_arrival_does_not_change_what_is_said_or_booked(facts: list[Callable[[Books], None]]) -> None:
    books = Books()
    for receive in facts:
        receive(books)
    expected = {
        ("o1", "confirmed", 1),
        ("o2", "confirmed", 1),
        ("o2", "corrected", 2),
        ("o3", "pending", 1),
        ("o3", "confirmed", 2),
        ("o4", "rejected", 1),
    }
    assert sorted(expected) == sorted(said(books.take_effects().messages))
    assert books.units_by_plan_fund == {("ACME", "F1"): 30_000}

"""The same line under a new id is known by a mark of what it says."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.contribution.rules.intake import Line
from services.contribution.rules.repeats import MARK_BYTES, is_repeat, line_mark, without_request
from tests.unit.contribution.builders import a_line

ONE = a_line(("pre_tax", "10.00"), ("roth", "5.00"))
FIRST, SECOND = b"1" * 16, b"2" * 16


def is_known(line: Line) -> bool:
    return is_repeat(line_mark(ONE, FIRST), line_mark(line, SECOND))


def test_the_same_words_under_another_id_are_a_repeat_whatever_the_order_of_the_amounts() -> None:
    assert is_known(ONE)
    assert is_known(a_line(("roth", "5.00"), ("pre_tax", "10.00")))


def test_an_amount_of_zero_says_nothing() -> None:
    assert is_known(a_line(("pre_tax", "10.00"), ("roth", "5.00"), ("after_tax", "0.00")))
    nothing = line_mark(a_line(("pre_tax", "0.00")), FIRST)
    assert is_repeat(nothing, line_mark(a_line(("roth", "0.00"), ("pre_tax", "0.00")), SECOND))
    assert is_repeat(nothing, line_mark(a_line(), SECOND))
    assert not is_repeat(nothing, line_mark(ONE, SECOND))


def test_a_line_that_differs_in_anything_is_a_further_line() -> None:
    amounts = (("pre_tax", "10.00"), ("roth", "5.00"))
    assert not is_known(a_line(("pre_tax", "10.00"), ("roth", "5.01")))
    assert not is_known(a_line(("pre_tax", "5.00"), ("roth", "10.00")))
    assert not is_known(a_line(*amounts, payroll="R2"))
    assert not is_known(a_line(*amounts, compensation="6250.01"))
    assert not is_known(a_line(*amounts, pay_date=date(2026, 11, 27)))
    assert not is_known(a_line(("pre_tax", "10.00")))


def test_a_wholly_reversed_line_may_be_sent_again() -> None:
    other = line_mark(a_line(("roth", "1.00")), SECOND)
    marks = line_mark(ONE, FIRST) + other
    assert without_request(marks, FIRST) == other
    assert not is_repeat(without_request(marks, FIRST), line_mark(ONE, b"3" * 16))


@given(st.lists(st.binary(min_size=MARK_BYTES, max_size=MARK_BYTES), max_size=40), st.data())
def test_a_mark_is_found_where_it_stands_and_never_across_two_marks(several: list[bytes], data: st.DataObject) -> None:
    marks = b"".join(several)
    assert all(is_repeat(marks, mark) for mark in several)
    if len(several) > 1:
        shift = data.draw(st.integers(1, MARK_BYTES - 1))
        across = marks[shift : shift + 8]
        assert is_repeat(marks, across + bytes(8)) == any(mark[:8] == across for mark in several)

"""Whose money it is in the end: one cent with the wrong person or source is a fault although every sum is right."""

from __future__ import annotations

import pytest

from deploy.load.owners import EXAMPLES_MAX, Owners
from deploy.load.people import SOURCES, Crowd, line_amounts

CROWD = Crowd("abc123", 3)
LINES = 7


def the_books(**moved: int) -> Owners:
    """Everybody's cents, with cents ``moved`` at places named ``who_source``."""
    owners = Owners(CROWD, LINES)
    for number in range(CROWD.participants):
        mine = [line_amounts(line, number) for line in range(number, LINES, CROWD.participants)]
        for place, source in enumerate(SOURCES):
            cents = sum(one[place] for one in mine) + moved.get(f"p{number}_{source}", 0)
            owners.found(CROWD.participant(number), source, cents)
    return owners


def test_what_was_contributed_is_what_is_found() -> None:
    owners = the_books()
    assert owners.faults() == []
    assert owners.found_cents == sum(CROWD.line_cents(line) for line in range(LINES))


def test_a_cent_that_went_from_one_to_another_is_two_faults() -> None:
    owners = the_books(p0_roth=-1, p2_roth=1)
    assert owners.found_cents == the_books().found_cents
    assert owners.faults() == [
        "of roth of Labc12300000000 1 cents are missing in the books",
        "of roth of Labc12300000002 there are 1 cents too much in the books",
    ]


def test_a_cent_that_went_from_one_source_to_another_is_two_faults() -> None:
    assert len(the_books(p1_pre_tax=-1, p1_match=1).faults()) == 2


@pytest.mark.parametrize(
    ("who", "source"), [("Labc12300000009", "roth"), ("Labc123x", "roth"), (CROWD.participant(0), "qnec")]
)
def test_money_for_whom_nobody_contributed_is_a_fault(who: str, source: str) -> None:
    owners = the_books()
    owners.found(who, source, 5)
    assert len(owners.faults()) == 1


def test_nothing_in_the_books_is_told_by_examples() -> None:
    crowd = Crowd("abc123", 50)
    faults = Owners(crowd, 50).faults()
    assert len(faults) == EXAMPLES_MAX + 1
    assert faults[-1].startswith("and 130 more")

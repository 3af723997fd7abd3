"""The custodian's holdings: the first statement of a part counts."""

from __future__ import annotations

from datetime import date

import pytest

from services.valuation.rules.holdings import CONFLICT, NEW, REPEATED, Part, added_up, judge_parts

DAY, OTHER_DAY = date(2026, 11, 20), date(2026, 11, 23)
ACME, BETA = ("ACME", "F1", "46.414"), ("BETA", "F2", "10.00")


def part(number: int, *positions: tuple[str, str, str], parts: int = 2, day: date = DAY) -> Part:
    return Part(day, number, parts, added_up(positions))


FIRST = part(1, ACME, BETA)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (part(1, ACME, BETA), REPEATED),
        (part(1, ("BETA", "F2", "10.0"), ACME), REPEATED),
        (part(1, ACME), CONFLICT),
        (part(1, ACME, BETA, ("GAMMA", "F1", "1")), CONFLICT),
        (part(1, ACME, ("BETA", "F2", "10.001")), CONFLICT),
        (part(1, ACME, BETA, parts=1), CONFLICT),
        (part(2, parts=3), CONFLICT),
        (part(2), NEW),
        (part(1, parts=1, day=OTHER_DAY), NEW),
    ],
    ids=["again", "written otherwise", "less", "more", "other shares", "other parts", "another number of parts",
         "next part", "another date"],
)  # fmt: skip
def test_a_part_is_stated_once(said: Part, verdict: str) -> None:
    assert judge_parts([said], [FIRST]) == [verdict]
    assert judge_parts([FIRST, said], []) == [NEW, verdict]


def test_what_is_in_conflict_leaves_the_first_statement_as_it_is() -> None:
    assert judge_parts([part(1, BETA), part(1, ACME, BETA), part(2, parts=3), part(2)], [FIRST]) == [
        CONFLICT, REPEATED, CONFLICT, NEW,
    ]  # fmt: skip


def test_a_plan_and_fund_named_twice_is_added_up_exactly() -> None:
    long = "0." + "0" * 60 + "1"
    shares = added_up([("ACME", "F1", "999999999999999"), ACME, ("ACME", "F1", long), BETA])
    assert f"{shares['ACME', 'F1']:f}" == "1000000000000045.414" + "0" * 57 + "1"
    assert f"{shares['BETA', 'F2']:f}" == "10.00"

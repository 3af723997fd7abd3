"""Comparison is exact, and what is not named is not compared."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.scenarios.compare import ABSENT, differences


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("1.00", "1.00"),
        ({}, {"P1": "1.00"}),
        ({"P1": {"pre_tax": "1.00"}}, {"P1": {"pre_tax": "1.00", "roth": "2.00"}, "P2": {}}),
        ({"P1": {}}, {}),
        ([{"fund": "F1"}], [{"fund": "F1", "amount": "1.00"}]),
        ([], []),
        ({"P1": None}, {}),
        ({"P1": None}, {"P1": None}),
    ],
)
def test_what_is_named_and_equal_does_not_differ(expected: Any, actual: Any) -> None:
    assert differences("day", expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ("1.00", "1.01", ("day", "1.00", "1.01")),
        (0, False, ("day", 0, False)),
        ({"P1": {"roth": "1.00"}}, {"P1": {}}, ("day.P1.roth", "1.00", ABSENT)),
        ({"P1": {"roth": "1.00"}}, {}, ("day.P1", {"roth": "1.00"}, ABSENT)),
        ([], ["x"], ("day[0]", ABSENT, "x")),
        (["x"], [], ("day[0]", "x", ABSENT)),
        (["a", "b"], ["b", "a"], ("day[0]", "a", "b")),
    ],
)
def test_a_difference_says_where_what_and_what_instead(expected: Any, actual: Any, found: tuple[Any, ...]) -> None:
    first = differences("day", expected, actual)[0]
    assert found == (first.path, first.expected, first.actual)

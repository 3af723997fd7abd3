"""How figures are written, that text is escaped, and what control totals say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from jinja2 import UndefinedError

from deploy.console.actions import Actions
from deploy.console.reading import control_says, day_state, equations_of
from deploy.console.rendering import dollars, make_environment, said, words
from shared.runtime.settings import Settings


@pytest.mark.parametrize(
    ("cents", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123_456_789, "1,234,567.89"), (None, "–")]
)
def test_cents_are_written_as_dollars(cents: int | None, text: str) -> None:
    assert dollars(cents) == text


def test_values_are_written_for_people() -> None:
    assert said(datetime(2026, 11, 20, 12, 0, 1, 999, tzinfo=UTC)) == "2026-11-20 12:00:01 UTC"
    assert said(date(2026, 11, 20)) == "2026-11-20"
    assert [said(one) for one in (None, "", True, 1234567, "x")] == ["–", "–", "yes", "1,234,567", "x"]
    assert words("funded_cents") == "funded"


def test_everything_a_sender_wrote_is_escaped() -> None:
    environment = make_environment()
    hostile = "<script>alert('x')</script>"
    for template in (
        "{{ x }}",
        "{{ x | said }}",
        '{% import "parts.html" as parts %}{{ parts.tree({x: [x, {x: x}]}) }}',
    ):
        text = environment.from_string(template).render(x=hostile)
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_a_value_that_is_missing_is_an_error_not_an_empty_cell() -> None:
    with pytest.raises(UndefinedError):
        make_environment().from_string("{{ nothing }}").render()


def test_an_explanation_shows_cents_as_dollars_and_other_figures_as_they_are() -> None:
    tree = make_environment().from_string('{% import "parts.html" as parts %}{{ parts.tree(x) }}')
    text = tree.render(
        x={"requested_cents": 16923, "credited": {"roth": 7}, "version": 1234, "limits": [["402G", 2450000]]}
    )
    assert all(figure in text for figure in ("169.23", "0.07", "1,234", "24,500.00"))


@pytest.mark.parametrize(
    ("closed", "text"),
    [
        (None, "no closing totals"),
        ({"line_count": 2, "cents_total": 300, "hash_total": "17"}, "agree"),
        ({"line_count": None, "cents_total": None, "hash_total": None}, "agree"),
        ({"line_count": 3, "cents_total": 300, "hash_total": "18"},
         "differ: lines: said 3, came 2; hash: said 18, came 17"),
    ],
)  # fmt: skip
def test_control_totals_are_compared_with_what_came(closed: dict[str, Any] | None, text: str) -> None:
    assert control_says(closed, {"lines": 2, "submitted": 300, "hash_total": "17"}) == text


def test_the_state_of_a_date_is_told_by_its_marks_and_decisions() -> None:
    assert [
        day_state(False, False, set()), day_state(True, False, set()), day_state(True, False, {"day"}),
        day_state(True, True, {"day"}), day_state(True, True, {"day", "value"}),
    ] == ["open", "closing", "closed", "valuing", "valued"]  # fmt: skip


def test_equations_that_do_not_hold_come_first() -> None:
    found = equations_of('{"a": {"ok": true, "left": 1, "right": 1}, "b": {"ok": false, "left": 1, "right": 2}}')
    assert [(one["name"], one["figures"]) for one in found] == [("b", "left 1, right 2"), ("a", "left 1, right 1")]


def test_the_amount_itself_may_still_be_moved_alone() -> None:
    actions = Actions(Settings(), 500, knows_people=True)
    assert [actions.needs_two(cents) for cents in (0, 500, 501)] == [False, False, True]
    assert not Actions(Settings(), None, knows_people=True).needs_two(10**12)

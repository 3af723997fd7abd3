"""The hot path reads a payroll line as the published model does, whatever payroll sends.

Known exceptions, on purpose: `hours`, `line_no` and `ytd` move no money and are not looked at on the hot path, so a
wrong one does not refuse a line there.
"""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.contribution.rules.intake import CENTS_MAX, Broken, Line, has_negative, read_line, requested_cents
from shared.events.payroll import AMOUNTS_MAX, Contribution

NOT_LOOKED_AT = {"hours", "line_no", "ytd"}

texts = st.one_of(
    st.sampled_from(["", "P1", "a\nb", "\x7f", "\x1f", "\u0085", "\u2028", "é", "x" * 128, "x" * 129, "😀" * 128]),
    st.text(max_size=8),
)
days = st.one_of(
    st.dates().map(str),
    st.sampled_from(
        [
            "2026-W47-5",
            "20261120",
            "20261120  ",
            "2026-11-20T00:00:00",
            "1700006400",
            "1900-01-01",
            "1899-12-31",
            "2200-12-31",
            "2201-01-01",
            "2026-02-29",
            "2024-02-29",
            "２０２６-11-20",
            " 2026-11-20",
            "2026-11-20\n",
        ]
    ),
)
numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, CENTS_MAX, CENTS_MAX + 1, -CENTS_MAX, -CENTS_MAX - 1]),
    st.integers(-5, 500_000),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.floats(allow_nan=False, allow_infinity=False), texts, days),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)
sources = st.one_of(st.sampled_from(["pre_tax", "roth", "match", "bonus"]), texts)
good_amounts = st.lists(st.fixed_dictionaries({"source": sources, "cents": numbers}), max_size=5)
bad_amounts = st.lists(
    st.one_of(anything, st.fixed_dictionaries({"source": anything, "cents": anything}, optional={"memo": anything})),
    max_size=4,
)
ids = texts.filter(bool)
good = {
    "plan_id": ids,
    "participant_id": ids,
    "payroll_id": ids,
    "pay_date": days,
    "compensation_cents": st.integers(0, CENTS_MAX),
    "amounts": good_amounts,
}
more = {"hours": anything, "line_no": anything, "ytd": anything, "amount": anything, "memo": anything}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A line that is right in most of its fields: what is wrong in it is wrong alone."""
    body = draw(st.fixed_dictionaries(good, optional=more))
    for name in draw(st.lists(st.sampled_from(sorted(good)), max_size=2)):
        if draw(st.booleans()):
            body[name] = draw(bad_amounts if name == "amounts" else anything)
        else:
            body.pop(name, None)
    return body


def model_refuses(body: dict[str, Any]) -> bool:
    try:
        Contribution.model_validate(body)
    except ValidationError as refused:
        return any(error["loc"][0] not in NOT_LOOKED_AT for error in refused.errors())
    return False


def read(body: dict[str, Any]) -> Line | None:
    try:
        return read_line(body)
    except Broken:
        return None


@given(bodies())
@example({"plan_id": "A", "participant_id": "P", "payroll_id": "R", "pay_date": "2026-W47-5", "compensation_cents": 0,
          "amounts": []})  # fmt: skip
@example({"plan_id": "A", "participant_id": "P", "payroll_id": "R", "pay_date": "1700006400", "compensation_cents": 0,
          "amounts": []})  # fmt: skip
def test_the_hot_path_takes_what_the_model_takes_and_refuses_what_it_refuses(body: dict[str, Any]) -> None:
    assert (read(body) is None) == model_refuses(body)


@given(st.fixed_dictionaries(good))
def test_what_both_take_they_read_alike(body: dict[str, Any]) -> None:
    line = read(body)
    if line is None:
        return
    model = Contribution.model_validate(body)
    assert (line.plan_id, line.participant_id, line.payroll_id) == (
        model.plan_id,
        model.participant_id,
        model.payroll_id,
    )
    assert (line.pay_date, line.compensation) == (model.pay_date, model.compensation_cents)
    assert requested_cents(line) == sum(one.cents for one in model.amounts if one.cents > 0)
    assert has_negative(line) == any(one.cents < 0 for one in model.amounts)
    totals: dict[str, int] = {}
    for one in model.amounts:
        totals[one.source] = totals.get(one.source, 0) + one.cents
    if not has_negative(line):
        assert line.amounts == list(totals.items()), "each source once, in the order of its first amount"


@given(st.integers(AMOUNTS_MAX - 2, AMOUNTS_MAX + 2))
def test_both_count_amounts_alike(count: int) -> None:
    amounts = [{"source": f"s{number}", "cents": 1} for number in range(count)]
    body = {"plan_id": "A", "participant_id": "P", "payroll_id": "R", "pay_date": "2026-11-20", "compensation_cents": 0,
            "amounts": amounts}  # fmt: skip
    assert (read(body) is None) == model_refuses(body) == (count > AMOUNTS_MAX)

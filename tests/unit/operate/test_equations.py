"""What the proof compares, and what it adds up, without a cluster."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.operate.cutlog import DatedLog
from deploy.operate.equations import EXAMPLES_MAX, Equation, agree, all_ok
from deploy.operate.flow import expected_fills
from deploy.operate.holdings import balance_cents
from deploy.operate.intake import OUTCOMES, asked_cents, offset_equations
from services.contribution.rules.intake import read_line, requested_cents
from shared.values.shares import Price

DAY = date(2026, 11, 23)
MONEY = st.dictionaries(st.text(max_size=3), st.integers(-(10**12), 10**12), max_size=5)


def test_sides_that_add_up_alike_but_differ_by_key_do_not_agree() -> None:
    found = agree("released = split", {"a": 1, "b": 2}, {"a": 2, "b": 1})
    assert [one.name for one in found if not one.ok] == ["released = split (a)", "released = split (b)"]


def test_a_key_of_no_cents_is_as_good_as_no_key() -> None:
    assert all_ok(agree("released = split", {"a": 0}, {}))


def test_more_differences_than_are_named_are_still_a_difference() -> None:
    found = agree("x", {f"{n:03}": n + 1 for n in range(EXAMPLES_MAX + 5)}, {})
    assert found[-1] == Equation("x: further differences", 5, 0)


@given(left=MONEY, right=MONEY)
def test_sides_agree_exactly_when_every_key_does(left: dict[str, int], right: dict[str, int]) -> None:
    equal = {key: n for key, n in left.items() if n} == {key: n for key, n in right.items() if n}
    assert all_ok(agree("x", left, right)) == equal


def test_a_side_beyond_what_json_readers_keep_exact_is_printed_as_text() -> None:
    assert Equation("x", 2**53, 1).as_json() == {"name": "x", "left": str(2**53), "right": 1, "ok": False}


def counts(**by_outcome: int) -> dict[str, Counter[int]]:
    given_counts = {outcome: Counter({0: records}) for outcome, records in by_outcome.items()}
    return {outcome: Counter() for outcome in ("offsets", *OUTCOMES)} | given_counts


def test_offsets_of_a_date_are_its_records_markers_and_holes() -> None:
    log = DatedLog(0, records=5, markers=1, holes=2)
    assert all_ok(offset_equations("t", [log], counts(offsets=8, decided=4, parked=1, markers=1, holes=2)))


def test_a_record_that_no_outcome_explains_is_seen() -> None:
    log = DatedLog(0, records=5, markers=1)
    found = offset_equations("t", [log], counts(offsets=6, decided=4, markers=1))
    assert [one.name for one in found if not one.ok] == ["counted offsets of t = outcomes"]


@pytest.mark.parametrize(
    "parts",
    [
        [("pre_tax", 100), ("pre_tax", 11)],
        [("pre_tax", 100), ("pre_tax", -30), ("roth", -5)],
        [("pre_tax", 5), ("pre_tax", -5)],
        [("pre_tax", -1)],
        [],
    ],
)
def test_the_proof_and_the_engine_say_the_same_of_what_a_line_asks_for(parts: list[tuple[str, int]]) -> None:
    """The engine answers every cent it says was asked for; a proof that counts others is broken for the whole date."""
    body = {
        "plan_id": "ACME", "participant_id": "P1", "payroll_id": "R1", "pay_date": "2026-11-20",
        "compensation_cents": 0, "amounts": [{"source": source, "cents": cents} for source, cents in parts],
    }  # fmt: skip
    assert asked_cents(body) == requested_cents(read_line(body))


def accepted(order: str, version: int, on: str, cents: int, units: int) -> dict[str, Any]:
    return {"order_id": order, "version": version, "verdict": f"accepted:{on}", "cents": cents, "units": units}


def test_a_correction_takes_back_the_fill_it_corrects_and_no_other() -> None:
    rows = [accepted("o", 1, "2026-11-20", 100, 10), accepted("o", 3, "2026-11-23", 100, 9)]
    assert expected_fills(rows, DAY) == {("o", "fill_reversed", 1): (-100, -10), ("o", "fill", 3): (100, 9)}
    assert expected_fills(rows, date(2026, 11, 20)) == {("o", "fill", 1): (100, 10)}


def test_a_balance_is_rounded_once_and_not_shown_while_a_held_fund_has_no_price() -> None:
    prices, decimals = {"F1": Price.parse("0.5")}, {"F1": 2, "F2": 3}
    # Two positions worth half a cent each are one cent together, not two and not none.
    assert balance_cents({"pre_tax/F1": [1, 1], "roth/F1": [1, 1]}, prices, decimals) == 1
    assert balance_cents({"pre_tax/F1": [100, 1], "roth/F2": [1, 1]}, prices, decimals) is None
    assert balance_cents({"pre_tax/F1": [100, 1], "roth/F2": [0, 1]}, prices, decimals) == 50

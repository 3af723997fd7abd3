"""How orders are named, and which statement of the custodian may follow which."""

from __future__ import annotations

from datetime import date

import pytest

from services.trading.rules.orders import (
    BROKEN,
    CONFIRMED,
    ID_CHARACTERS_MAX,
    NEXT,
    OPEN,
    PENDING,
    REJECTED,
    order_id_of,
)

DAY = date(2026, 11, 20)
STATUSES = (OPEN, PENDING, CONFIRMED, REJECTED, BROKEN)
STATEMENTS = ("pending", "confirmed", "rejected", "broken", "corrected")


def test_an_order_is_named_by_its_key() -> None:
    assert order_id_of("ACME", "F1", "buy", "cents", DAY, 0) == "2026-11-20:ACME:F1:buy:cents:0"


def test_every_part_of_the_key_makes_another_order() -> None:
    keys = [
        ("ACME", "F1", "buy", "cents", DAY, 0),
        ("ACMF", "F1", "buy", "cents", DAY, 0),
        ("ACME", "F2", "buy", "cents", DAY, 0),
        ("ACME", "F1", "sell", "cents", DAY, 0),
        ("ACME", "F1", "buy", "shares", DAY, 0),
        ("ACME", "F1", "buy", "cents", date(2026, 11, 23), 0),
        ("ACME", "F1", "buy", "cents", DAY, 1),
    ]
    assert len({order_id_of(*key) for key in keys}) == len(keys)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("A:B", "C"), ("A", "B:C")), (("A", "F:buy"), ("A:F", "buy")), (("", "A"), (":A", ""))],
)
def test_ids_are_not_glued_together(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert order_id_of(*one, "buy", "cents", DAY, 0) != order_id_of(*other, "buy", "cents", DAY, 0)


def test_a_long_key_gets_a_short_name_that_is_the_same_in_every_replay() -> None:
    plan, fund = "P" * 120, "F" * 120
    name = order_id_of(plan, fund, "buy", "cents", DAY, 0)
    assert len(name) <= ID_CHARACTERS_MAX
    assert name.startswith("2026-11-20:")
    assert name == order_id_of(plan, fund, "buy", "cents", DAY, 0)
    others = [(plan, fund, "sell", "cents", 0), (plan, fund, "buy", "shares", 0), (plan, fund, "buy", "cents", 1)]
    names = {order_id_of(p, f, side, unit, DAY, wave) for p, f, side, unit, wave in others} | {name}
    assert len(names) == 4


def test_a_key_that_just_fits_stays_readable() -> None:
    rest = len(order_id_of("", "F1", "buy", "cents", DAY, 0))
    fits = "P" * (ID_CHARACTERS_MAX - rest)
    assert fits in order_id_of(fits, "F1", "buy", "cents", DAY, 0)
    assert fits not in order_id_of(fits + "P", "F1", "buy", "cents", DAY, 0)


def test_a_rejected_order_takes_no_further_statement() -> None:
    assert not [came for came in STATEMENTS if (REJECTED, came) in NEXT]


def test_only_a_correction_or_a_break_touches_what_was_filled() -> None:
    assert {came for came in STATEMENTS if (CONFIRMED, came) in NEXT} == {"corrected", "broken"}
    assert NEXT[CONFIRMED, "broken"] == CONFIRMED


@pytest.mark.parametrize("status", [OPEN, PENDING])
def test_an_unfilled_order_ends_as_what_came(status: str) -> None:
    assert {came: NEXT[status, came] for came in ("pending", "confirmed", "rejected", "broken")} == {
        "pending": PENDING, "confirmed": CONFIRMED, "rejected": REJECTED, "broken": BROKEN,
    }  # fmt: skip


def test_a_break_is_resolved_by_figures_that_are_right_or_by_a_rejection() -> None:
    assert {came: NEXT.get((BROKEN, came)) for came in STATEMENTS} == {
        "pending": None, "confirmed": CONFIRMED, "rejected": REJECTED, "broken": BROKEN, "corrected": None,
    }  # fmt: skip


def test_the_table_knows_no_other_words() -> None:
    assert {status for status, _ in NEXT} | set(NEXT.values()) == set(STATUSES)
    assert {came for _, came in NEXT} == set(STATEMENTS)

"""Which payroll runs may trade at a cut."""

from __future__ import annotations

from datetime import date

import pytest

from services.contribution.rules.runs import (
    OpenRun,
    Release,
    Wait,
    decide_releases,
    deposit_due,
    deposit_latest,
    with_exposures,
)
from shared.values.invariants import InvariantBroken

NONE: frozenset[str] = frozenset()
NO_RUN: frozenset[tuple[str, str]] = frozenset()


def test_a_run_trades_when_its_cash_covers_it_to_the_cent() -> None:
    assert decide_releases([OpenRun("ACME", "R1", 108_933)], {"R1": 108_933}, NONE, NO_RUN) == (
        [Release("ACME", "R1", 108_933, 108_933)],
        [],
    )


def test_a_cent_short_the_whole_run_waits() -> None:
    assert decide_releases([OpenRun("ACME", "R1", 108_933)], {"R1": 108_932}, NONE, NO_RUN) == (
        [],
        [Wait("ACME", "R1", "FUNDING_SHORT", 1)],
    )


def test_a_run_without_any_cash_is_short_by_all_of_it() -> None:
    _, waits = decide_releases([OpenRun("ACME", "R1", 500)], {"R2": 1_000}, NONE, NO_RUN)
    assert waits == [Wait("ACME", "R1", "FUNDING_SHORT", 500)]


def test_what_is_over_is_not_used() -> None:
    releases, waits = decide_releases([OpenRun("ACME", "R1", 500)], {"R1": 700}, NONE, NO_RUN)
    assert (releases, waits) == ([Release("ACME", "R1", 500, 500)], [])


def test_a_run_that_asks_for_nothing_needs_no_cash() -> None:
    releases, waits = decide_releases([OpenRun("ACME", "R1", 0)], {}, NONE, NO_RUN)
    assert (releases, waits) == ([Release("ACME", "R1", 0, 0)], [])


def test_cash_that_the_bank_took_back_covers_nothing() -> None:
    _, waits = decide_releases([OpenRun("ACME", "R1", 500)], {"R1": -100}, NONE, NO_RUN)
    assert waits == [Wait("ACME", "R1", "FUNDING_SHORT", 600)]


def test_a_plan_that_trades_on_file_does_not_wait_for_cash() -> None:
    releases, waits = decide_releases([OpenRun("FILE", "R1", 500)], {}, frozenset({"FILE"}), NO_RUN)
    assert (releases, waits) == ([Release("FILE", "R1", 500, 500)], [])


@pytest.mark.parametrize("on_file", [NONE, frozenset({"ACME"})])
def test_totals_that_do_not_agree_stop_a_run_whatever_its_cash(on_file: frozenset[str]) -> None:
    runs = [OpenRun("ACME", "R1", 500), OpenRun("ACME", "R2", 500)]
    releases, waits = decide_releases(runs, {"R1": 500, "R2": 500}, on_file, frozenset({("ACME", "R1")}))
    assert releases == [Release("ACME", "R2", 500, 500)]
    assert waits == [Wait("ACME", "R1", "PAYROLL_TOTALS_MISMATCH", 0)]


def test_a_run_whose_totals_differ_says_what_its_cash_lacks_too() -> None:
    """A deposit is late by law, whatever keeps the run from trading; a plan that trades on file waits for no cash."""
    runs = [OpenRun("ACME", "R1", 500), OpenRun("FILE", "R2", 500)]
    mismatched = frozenset({("ACME", "R1"), ("FILE", "R2")})
    releases, waits = decide_releases(runs, {"R1": 420}, frozenset({"FILE"}), mismatched)
    assert (releases, [(wait.payroll_id, wait.code, wait.short_by) for wait in waits]) == (
        [], [("R1", "PAYROLL_TOTALS_MISMATCH", 80), ("R2", "PAYROLL_TOTALS_MISMATCH", 0)],
    )  # fmt: skip


def test_one_dollar_is_not_used_by_two_plans_that_named_their_runs_alike() -> None:
    runs = [OpenRun("B", "R1", 300), OpenRun("A", "R1", 300)]
    releases, waits = decide_releases(runs, {"R1": 500}, NONE, NO_RUN)
    assert releases == [Release("A", "R1", 300, 300)]
    assert waits == [Wait("B", "R1", "FUNDING_SHORT", 100)]


def test_a_decision_does_not_change_what_it_was_given() -> None:
    cash = {"R1": 500}
    decide_releases([OpenRun("ACME", "R1", 500)], cash, NONE, NO_RUN)
    assert cash == {"R1": 500}


def test_decisions_come_in_the_order_of_plan_and_run() -> None:
    runs = [OpenRun("B", "R1", 1), OpenRun("A", "R2", 1), OpenRun("A", "R1", 1)]
    releases, _ = decide_releases(runs, {"R1": 2, "R2": 1}, NONE, NO_RUN)
    assert [(one.plan_id, one.payroll_id) for one in releases] == [("A", "R1"), ("A", "R2"), ("B", "R1")]


def test_a_run_that_owes_negative_money_is_our_defect() -> None:
    with pytest.raises(InvariantBroken, match="negative"):
        decide_releases([OpenRun("ACME", "R1", -1)], {}, NONE, NO_RUN)


def test_a28_money_withheld_on_a_friday_is_due_on_the_seventh_federal_business_day() -> None:
    assert deposit_due(date(2026, 11, 20)) == date(2026, 12, 2)
    assert deposit_due(None) is None


def test_a28_money_withheld_in_november_is_in_the_trust_by_the_fifteenth_business_day_of_december() -> None:
    assert deposit_latest(date(2026, 11, 20)) == deposit_latest(date(2026, 11, 1)) == date(2026, 12, 21)
    assert deposit_latest(date(2026, 12, 31)) == date(2027, 1, 25)  # New Year's Day and Martin Luther King's.
    assert deposit_latest(None) is None


def test_cash_returned_after_the_trade_is_an_exposure_and_a_run_that_waits_anyway_is_named_once() -> None:
    returned = [Wait("ACME", "R2", "CASH_RETURNED_AFTER_TRADE", 7), Wait("ACME", "R1", "CASH_RETURNED_AFTER_TRADE", 5)]
    short = Wait("ACME", "R1", "FUNDING_SHORT", 9)
    assert with_exposures([short], returned) == [short, returned[0]]

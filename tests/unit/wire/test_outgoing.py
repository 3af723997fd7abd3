"""The few events every tool sends are what the contract says, and pages tell when a date's orders are answered."""

from __future__ import annotations

from datetime import date

import orjson
import pytest

from deploy.wire.outgoing import close_request, event, final_prices, fundings, value_request
from deploy.wire.wire import NotProven, is_answered
from shared.events.market import CloseRequested, PriceFact, ValueRequested
from shared.events.payroll import PayrollFunded

FRIDAY = date(2026, 11, 20)


def test_commands_and_prices_are_what_the_contract_says() -> None:
    close, value = close_request(FRIDAY, "/me"), value_request(FRIDAY, "/me")
    assert CloseRequested.model_validate_json(close.value).trade_date == FRIDAY
    assert ValueRequested.model_validate_json(value.value).trade_date == FRIDAY
    assert (close.key, close.ce_type, value.ce_type) == ("2026-11-20", CloseRequested.ce_type, ValueRequested.ce_type)
    assert close.ce_id != value.ce_id
    (price,) = final_prices(FRIDAY, {"F1": "23.47"}, "/me")
    assert price.key == "F1:2026-11-20"
    assert PriceFact.model_validate_json(price.value).price == "23.47"


def test_a_run_that_is_owed_nothing_gets_no_cash() -> None:
    (cash,) = fundings(FRIDAY, {("A", "R1"): 12_345, ("B", "R2"): 0}, "/me")
    found = PayrollFunded.model_validate_json(cash.value)
    assert (cash.key, found.payroll_id, found.plan_id, found.cents) == ("R1", "R1", "A", 12_345)


def test_fields_that_are_none_are_left_out() -> None:
    assert orjson.loads(event("k", "t", "i", "/me", a=1, b=None).value) == {"a": 1}


QUIET = {"orders_built": True, "orders": {"unanswered": 0}, "corrections_outstanding": 0, "confirmations_unjudged": 0}


@pytest.mark.parametrize(
    ("change", "answered"),
    [
        ({}, True),
        ({"orders_built": False}, False),
        ({"orders": {"unanswered": 1}}, False),
        ({"corrections_outstanding": 1}, False),
        ({"confirmations_unjudged": 1}, False),
    ],
)
def test_a_date_is_answered_when_nothing_is_awaited(change: dict[str, object], answered: bool) -> None:
    assert is_answered(QUIET | change) is answered


def test_a_date_that_is_not_proven_names_only_the_equations_that_fail() -> None:
    proof = {"good": {"left": 1, "right": 1, "ok": True}, "bad": {"left": 1, "right": 2, "ok": False}}
    assert str(NotProven(FRIDAY, proof)) == "2026-11-20 is not proven: bad (1 ≠ 2)"

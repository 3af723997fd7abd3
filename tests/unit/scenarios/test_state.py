"""A day's state, built from what the cluster said."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from deploy.scenarios.expectations import Expect
from deploy.scenarios.expected import expected_differences
from deploy.scenarios.filerun import FileRun
from deploy.scenarios.model import CensusEvent
from deploy.scenarios.observed import Observed
from deploy.scenarios.state import as_of_state, codes_that_cut, day_state, in_several_plans, returns_state
from tests.unit.scenarios.builders import DAY, NEXT_DAY, a_code, a_receipt, a_run


def state_of(run: FileRun, observed: Observed, page: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    pages = {"ACME": {"participants": [], "plan_cash_cents": 0} | (page or {})}
    return day_state(run, more.pop("day", DAY), observed, pages, {}, more)


def observed_on_the_first_day() -> Observed:
    observed = Observed()
    observed.day = DAY
    for day in (DAY, NEXT_DAY):
        observed.closed_by_day[day.isoformat()] = {"status": "proven", "proof": {}}
    return observed


def test_a_decision_and_the_answer_to_a_resend_are_told_apart() -> None:
    observed = observed_on_the_first_day()
    observed.add_receipt("r1", a_receipt("c1"))
    observed.add_receipt("r2", a_receipt("c1", "duplicate"))
    observed.add_receipt("r2", a_receipt("c1", "duplicate"))
    shown = state_of(a_run(), observed)["receipts"]["c1"]
    assert shown == {
        "status": "accepted",
        "accepted": "169.23",
        "rejected": "0.00",
        "codes": [],
        "duplicates": 1,
        "mismatches": 0,
    }


def test_a_mismatch_is_counted_and_is_not_the_decision() -> None:
    observed = observed_on_the_first_day()
    observed.add_receipt("r2", a_receipt("c1", "rejected", 0, 100, codes=[a_code("IDEMPOTENCY_MISMATCH")]))
    observed.add_receipt("r1", a_receipt("c1"))
    state = state_of(a_run(), observed)
    assert (state["receipts"]["c1"]["status"], state["receipts"]["c1"]["mismatches"]) == ("accepted", 1)
    assert state["credited"] == {"P1": {"pre_tax": "169.23"}}


def test_a_line_nobody_decided_is_held_at_the_end_of_the_day() -> None:
    observed = observed_on_the_first_day()
    observed.add_receipt("r1", a_receipt("c2", "held", 0, codes=[a_code("LIMITS_NOT_LOADED")]))
    shown = state_of(a_run(), observed)["receipts"]["c2"]
    assert (shown["status"], shown["accepted"], shown["rejected"]) == ("held", "0.00", "0.00")


def test_a_line_decided_later_is_shown_and_credited_on_the_day_of_its_decision() -> None:
    observed = observed_on_the_first_day()
    observed.add_receipt("r1", a_receipt("c2", "held", 0))
    observed.day = NEXT_DAY
    observed.add_receipt("r2", a_receipt("c2"))
    run = a_run()
    state = state_of(run, observed, day=NEXT_DAY)
    assert state["receipts"]["c2"]["status"] == "accepted"
    assert state["credited"] == {"P2": {"pre_tax": "169.23"}}
    assert state_of(run, observed, day=DAY)["credited"] == {}


def test_a_resend_on_a_later_day_shows_its_count_without_a_decision() -> None:
    observed = observed_on_the_first_day()
    observed.add_receipt("r1", a_receipt("c1"))
    observed.day = NEXT_DAY
    observed.add_receipt("r2", a_receipt("c1", "duplicate"))
    assert state_of(a_run(), observed, day=NEXT_DAY)["receipts"]["c1"] == {"duplicates": 1, "mismatches": 0}


def test_codes_are_distinct_sorted_and_without_warnings() -> None:
    codes = [a_code("LIMIT_CATCH_UP"), a_code("LIMIT_402G"), a_code("LIMIT_402G"), a_code("MISSPELT_FIELD", "warning")]
    assert codes_that_cut(codes) == ["LIMIT_402G", "LIMIT_CATCH_UP"]


def test_orders_are_this_files_and_days_sorted_by_plan_fund_side_and_wave() -> None:
    observed = observed_on_the_first_day()
    order = {"plan_id": "s000-ACME", "trade_date": "2026-11-20", "side": "buy", "shares": None}
    observed.add_order(order | {"order_id": "o2", "fund_id": "s000-F2", "cents": 5})
    observed.add_order(order | {"order_id": "o1", "fund_id": "s000-F1", "cents": 21_388})
    observed.add_order(
        order | {"order_id": "o3", "fund_id": "s000-F1", "side": "sell", "cents": None, "shares": "1.000"}
    )
    observed.add_order(order | {"order_id": "o4", "fund_id": "s001-F1", "plan_id": "s001-ACME", "cents": 1})
    observed.add_order(order | {"order_id": "o5", "fund_id": "s000-F1", "trade_date": "2026-11-23", "cents": 1})
    assert state_of(a_run(), observed)["orders"] == [
        {"plan": "ACME", "fund": "F1", "side": "buy", "amount": "213.88"},
        {"plan": "ACME", "fund": "F1", "side": "sell", "shares": "1.000"},
        {"plan": "ACME", "fund": "F2", "side": "buy", "amount": "0.05"},
    ]


def test_positions_and_balances_come_from_valuation_and_nobody_is_missing() -> None:
    entry = {
        "participant_id": "s000-P1",
        "balance_cents": 16_924,
        "positions": [{"source": "pre_tax", "fund_id": "s000-F1", "shares": "4.326"}],
    }
    state = state_of(a_run(), observed_on_the_first_day(), {"participants": [entry], "plan_cash_cents": 7})
    assert state["positions"] == {"P1": {"pre_tax": {"F1": "4.326"}}, "P2": {}}
    assert state["balances"] == {"P1": "169.24", "P2": "0.00"}
    assert state["cash"] == {"ACME": "0.07"}


def test_a_balance_with_an_unpriced_position_is_not_shown() -> None:
    entry = {"participant_id": "s000-P1", "balance_cents": None, "positions": []}
    assert None is state_of(a_run(), observed_on_the_first_day(), {"participants": [entry]})["balances"]["P1"]


def test_a_proof_that_fails_names_its_equations_and_nothing_is_published() -> None:
    observed = observed_on_the_first_day()
    assert state_of(a_run(), observed)["proof"] == "ok"
    equations = {"cash": {"left": 1, "right": 2, "ok": False}, "fills": {"left": 1, "right": 1, "ok": True}}
    observed.closed_by_day[DAY.isoformat()] = {"status": "broken", "proof": equations}
    state = state_of(a_run(), observed)
    assert state["proof"] == "broken: cash"
    assert {"positions", "balances", "cash"}.isdisjoint(state)
    (difference,) = expected_differences("day", Expect.model_validate({"balances": {"P1": "1.00"}}), state)
    assert difference.path == "day.balances"


def test_dead_letters_are_counted_by_file_and_day() -> None:
    observed = observed_on_the_first_day()
    observed.add_dead_letter(("payroll.contributions.v1.dlq", 0, 0), "s000-P1", "WRONG_SHAPE")
    observed.add_dead_letter(("payroll.contributions.v1.dlq", 0, 1), "s001-P1", "WRONG_SHAPE")
    state = state_of(a_run(), observed)
    assert state["dlq"] == [{"topic": "payroll.contributions.v1", "key": "P1", "reason": "WRONG_SHAPE"}]
    assert expected_differences("day", Expect(dlq=1), state) == []
    assert len(expected_differences("day", Expect(dlq=0), state)) == 1


def test_expected_money_is_compared_as_dollars() -> None:
    observed = observed_on_the_first_day()
    observed.add_receipt("r1", a_receipt("c1"))
    state = state_of(a_run(), observed)
    right = Expect.model_validate(
        {
            "receipts": {"c1": {"status": "accepted", "accepted": "169.23"}},
            "credited": {"P1": {"pre_tax": "169.23"}},
            "balances": {"P1": "0.00"},
            "cash": {"ACME": "0.00"},
            "breaks": 0,
        }
    )
    assert expected_differences("day", right, state) == []
    wrong = Expect.model_validate({"receipts": {"c1": {"accepted": "169.24"}}})
    (difference,) = expected_differences("day", wrong, state)
    assert (
        difference.path,
        difference.expected,
        difference.actual,
    ) == ("day.receipts.c1.accepted", "169.24", "169.23")


def test_returns_are_compared_as_percents_with_the_closes_they_lie_between() -> None:
    page = {
        "from": "2026-11-20",
        "to": "2026-11-24",
        "twr": {"percent": "0.989900"},
        "modified_dietz": {"percent": None},
    }
    state = {"returns": {"P1": returns_state(page), "P2": returns_state(None)}}
    right = Expect.model_validate(
        {
            "returns": {
                "P1": {"twr": "0.989900%", "from": date(2026, 11, 20), "modified_dietz": None},
                "P2": {"twr": None},
            }
        }
    )
    assert expected_differences("day", right, state) == []
    (difference,) = expected_differences("day", Expect.model_validate({"returns": {"P1": {"twr": "0.9899"}}}), state)
    assert (difference.path, difference.actual) == ("day.returns.P1.twr", "0.989900")
    with pytest.raises(ValidationError, match="quoted"):
        Expect.model_validate({"returns": {"P1": {"twr": 0.9899}}})


def entry_of(cents: int | None, shares: str = "10.000") -> dict[str, Any]:
    position = {"source": "pre_tax", "fund_id": "s000-F1", "shares": shares}
    return {"participant_id": "s000-P1", "balance_cents": cents, "positions": [position]}


def test_a_file_may_expect_that_a_balance_is_not_shown() -> None:
    observed = observed_on_the_first_day()
    not_final = state_of(a_run(), observed, {"participants": [entry_of(None)]})
    final = state_of(a_run(), observed, {"participants": [entry_of(1)]})
    expect = Expect.model_validate({"balances": {"P1": None}})
    assert expected_differences("day", expect, not_final) == []
    (difference,) = expected_differences("day", expect, final)
    assert (difference.expected, difference.actual) == (None, "0.01")


def test_who_came_with_a_census_is_known() -> None:
    run = a_run()
    run.published(CensusEvent.model_validate({"census": "P9", "plan": "ACME", "born": DAY, "hired": DAY}), DAY)
    state = state_of(run, observed_on_the_first_day(), {"participants": [entry_of(100)]})
    assert state["balances"] == {"P1": "1.00", "P2": "0.00", "P9": "0.00"}


@pytest.mark.parametrize(("total", "shown"), [(201, "2.01"), (None, None)])
def test_the_balance_over_several_plans_is_what_valuation_says_not_the_sum_of_rounded_ones(
    total: int | None, shown: str | None
) -> None:
    pages = {
        "ACME": {"participants": [entry_of(101), entry_of(50) | {"participant_id": "s000-P2"}], "plan_cash_cents": 0},
        "OTHER": {"participants": [entry_of(101)], "plan_cash_cents": 0},
    }
    assert in_several_plans(pages) == ["s000-P1"]
    known = day_state(a_run(), DAY, observed_on_the_first_day(), pages, {"s000-P1": total}, {})
    assert known["balances"] == {"P1": shown, "P2": "0.50"}
    assert as_of_state(a_run(), DAY, None, pages, {"s000-P1": total})["balances"] == {"P1": shown, "P2": "0.50"}


def test_what_was_known_of_a_date_is_shown_beside_the_dates_that_were_asked() -> None:
    block = {
        "date": DAY,
        "known_at": NEXT_DAY,
        "positions": {"P1": {"pre_tax": {"F1": "10.000"}}},
        "balances": {"P1": "1.00"},
    }
    page = {"participants": [entry_of(100)], "plan_cash_cents": 5}
    known = as_of_state(a_run(), DAY, NEXT_DAY, {"ACME": page}, {})
    assert (known["date"], known["known_at"], known["cash"]) == ("2026-11-20", "2026-11-23", {"ACME": "0.05"})
    one, several = ({"as_of": known}, {"as_of": [known, known]})
    assert expected_differences("day", Expect.model_validate({"as_of": block}), one) == []
    assert expected_differences("day", Expect.model_validate({"as_of": [block, block]}), several) == []
    wrong = Expect.model_validate({"as_of": block | {"cash": {"ACME": "0.06"}}})
    assert [found.path for found in expected_differences("day", wrong, one)] == ["day.as_of.cash.ACME"]


def test_of_a_date_that_was_not_closed_nothing_is_known() -> None:
    nothing = {"as_of": as_of_state(a_run(), NEXT_DAY, DAY, None, {})}
    block = {"date": NEXT_DAY, "known_at": DAY, "positions": {"P1": {}}, "balances": {"P1": None}, "proof": "missing"}
    assert expected_differences("day", Expect.model_validate({"as_of": block}), nothing) == []
    assert expected_differences("day", Expect.model_validate({"as_of": block | {"balances": {"P1": "0.00"}}}), nothing)


def test_breaks_and_dead_letters_may_be_expected_as_a_number_a_list_words_or_by_name() -> None:
    found = {
        "breaks": [
            {"plan": "ACME", "fund": "F1", "code": "PRICE_MISMATCH"},
            {"plan": "ACME", "fund": "F2", "code": "SHARES_MISMATCH"},
        ],
        "dlq": [{"topic": "payroll.contributions.v1", "key": "P1", "reason": "MALFORMED"}],
    }
    right: list[dict[str, Any]] = [
        {"breaks": 2, "dlq": 1},
        {"breaks": {"ACME": 2, "OTHER": 0}, "dlq": {"payroll.contributions.v1.dlq": 1, "payroll.runs.v1": []}},
        {"breaks": {"ACME": {"F1": "PRICE_MISMATCH", "F3": 0}}, "dlq": {"payroll.contributions.v1": {"P1": 1}}},
        {"breaks": ["PRICE_MISMATCH", "SHARES_MISMATCH"], "dlq": ["MALFORMED"]},
        {"breaks": found["breaks"], "dlq": [{"reason": "MALFORMED"}]},
    ]
    for expect in right:
        assert expected_differences("day", Expect.model_validate(expect), found) == []
    for expect in ({"breaks": 1}, {"breaks": {"ACME": 1}}, {"dlq": []}, {"dlq": {"payroll.contributions.v1": "OTHER"}}):
        assert expected_differences("day", Expect.model_validate(expect), found)


def test_breaks_are_this_files_with_their_reason() -> None:
    held = {"order_id": "o1", "plan_id": "s000-ACME", "fund_id": "s000-F1", "break_code": "PRICE_MISMATCH"}
    foreign = held | {"plan_id": "s001-ACME"}
    state = state_of(a_run(), observed_on_the_first_day(), breaks=[held, foreign])
    assert state["breaks"] == [{"plan": "ACME", "fund": "F1", "code": "PRICE_MISMATCH"}]

"""What of a balance is vested, in every way a file may expect it."""

from __future__ import annotations

from typing import Any

from deploy.scenarios.vested import expected_vested, vested_state
from tests.unit.scenarios.builders import DAY, a_run


def state(forfeited: dict[str, int] | None = None) -> dict[str, Any]:
    """P1 holds match of which 60 % is vested, and pre-tax money of which all is."""
    positions = [
        {"source": "match", "fund_id": "s000-F1", "shares": "200.123"},
        {"source": "pre_tax", "fund_id": "s000-F2", "shares": "1.000"},
    ]
    balances = {"ACME": {"participants": [{"participant_id": "s000-P1", "positions": positions}]}}
    row = {"participant_id": "s000-P1", "years": 4, "percents": {"match": 60, "pre_tax": 100}}
    row |= {} if forfeited is None else {"forfeited_cents": forfeited}
    return dict(vested_state(a_run(), DAY, balances, [{"participants": [row]}])["P1"])


def test_a12_shares_are_vested_half_up_in_their_own_unit() -> None:
    assert state() == {
        "balance": "2828.13",
        "sources": {"match": "2818.13", "pre_tax": "10.00"},
        "shares": {"match": {"F1": "120.074"}, "pre_tax": {"F2": "1.000"}},
        "percents": {"match": "60", "pre_tax": "100"},
        "years": 4,
    }


def test_what_is_left_after_a_forfeiture_is_not_vested_down_again() -> None:
    assert state({"match": 313_125})["sources"]["match"] == "4696.88"


def test_a_file_may_name_the_balance_or_a_sources_dollars_percent_or_shares() -> None:
    assert expected_vested({"P1": "10.00", "P2": {"match": "12.34"}, "P3": {"match": 60, "pre_tax": "100"}}) == {
        "P1": {"balance": "10.00"},
        "P2": {"sources": {"match": "12.34"}},
        "P3": {"percents": {"match": "60", "pre_tax": "100"}},
    }
    assert expected_vested({"P1": {"match": {"F1": "120.074"}, "years": 4}}) == {
        "P1": {"shares": {"match": {"F1": "120.074"}}, "years": 4}
    }

"""Returns: time-weighted (A13), modified Dietz (A14), and when there is none to be said."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest

from services.valuation.rules.returns import Closed, modified_dietz, percent_text, time_weighted, worth
from shared.values.shares import Price

START = date(2026, 11, 1)


def days(*closed: tuple[int, str | None, str]) -> list[Closed]:
    """Closes by the days gone by since the first: dollars of all positions, and what came in at the end."""
    return [
        Closed(START + timedelta(days=gone), None if value is None else Fraction(value), Fraction(flow))
        for gone, value, flow in closed
    ]


def test_a13_time_weighted_with_flows_at_the_end_of_the_day() -> None:
    year = days((0, "10000.00", "0"), (1, "11100.00", "1000.00"), (2, "9211.00", "-2000.00"), (3, "9118.89", "0"))
    assert percent_text(time_weighted(year)) == "0.989900"


def test_a14_modified_dietz_with_weights_from_the_end_of_the_day() -> None:
    month = days((0, "10000.00", "0"), (10, "11000.00", "1000.00"), (20, "10600.00", "-400.00"), (30, "10750.00", "0"))
    assert percent_text(modified_dietz(month)) == "1.424051"


def test_the_flow_of_the_first_close_is_in_its_value_already() -> None:
    one = days((0, "100.00", "100.00"), (1, "101.00", "0"))
    assert [percent_text(time_weighted(one)), percent_text(modified_dietz(one))] == ["1.000000", "1.000000"]


def test_a_flow_on_the_last_day_earned_nothing() -> None:
    last = days((0, "100.00", "0"), (2, "1101.00", "1000.00"))
    assert [percent_text(time_weighted(last)), percent_text(modified_dietz(last))] == ["1.000000", "1.000000"]


def test_days_on_which_nothing_was_held_link_to_nothing() -> None:
    gone = days((0, "100.00", "0"), (1, "0", "-110.00"), (2, "50.00", "50.00"), (3, "55.00", "0"))
    assert percent_text(time_weighted(gone)) == "21.000000"
    assert time_weighted(days((0, "0", "0"), (1, "0", "0"))) is None


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_value_that_is_not_final_makes_none(missing: int) -> None:
    values: list[tuple[int, str | None, str]] = [(0, "100.00", "0"), (1, "101.00", "0"), (2, "102.00", "0")]
    values[missing] = (missing, None, "0")
    assert time_weighted(days(*values)) is None
    assert percent_text(modified_dietz(days(*values))) == (None if missing != 1 else "2.000000")


def test_no_average_capital_makes_no_return() -> None:
    assert modified_dietz(days((0, "100.00", "0"), (1, "0", "-1000.00"), (2, "0", "0"))) is None
    assert modified_dietz(days((0, "100.00", "0"))) is None
    assert modified_dietz([]) is None
    assert percent_text(None) is None


def test_a_loss_is_rounded_as_the_mirror_of_a_gain() -> None:
    assert [percent_text(Fraction(1, 200_000_000)), percent_text(Fraction(-1, 200_000_000))] == [
        "0.000001",
        "-0.000001",
    ]


def test_worth_is_exact_and_needs_a_price_of_every_fund_that_is_held() -> None:
    prices, decimals = {"F1": Price.parse("10.01"), "F2": Price.parse("3")}, {"F1": 3, "F2": 0}
    assert worth({"roth/F1": [33_333, 1], "roth/F2": [2, 1]}, prices, decimals) == Fraction("339.66333")
    assert worth({"roth/F1": [33_333, 1], "roth/F3": [0, 0]}, prices, decimals) == Fraction("333.66333")
    assert worth({"roth/F3": [1, 0]}, prices, decimals) is None

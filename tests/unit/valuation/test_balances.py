"""What holdings are worth on a date."""

from __future__ import annotations

from services.valuation.rules.balances import Rates
from services.valuation.rules.positions import Holdings
from shared.values.shares import Price


def rates(**prices: str) -> Rates:
    """Prices of funds with three share decimals."""
    return Rates({fund: Price.parse(text) for fund, text in prices.items()}, dict.fromkeys(prices, 3))


def test_a20_a_participant_is_rounded_once_and_a_plan_is_not_the_sum_of_rounded_participants() -> None:
    each = rates(F1="10.01").balance({"roth/F1": [33_333, 0]})
    plan = rates(F1="10.01").balance({f"s{number}/F1": [33_333, 0] for number in range(3)})
    assert (each, plan) == (33_366, 100_099)


def test_a7_the_omnibus_is_worth_what_its_shares_are() -> None:
    assert rates(F1="23.47").balance({"roth/F1": [46_414, 0]}) == 108_934


def test_half_a_cent_is_rounded_up_once_over_all_positions() -> None:
    # 0.001 shares at 2.50 are a quarter of a cent each.
    assert rates(F1="2.50").balance({"pre_tax/F1": [1, 0]}) == 0
    assert rates(F1="2.50").balance({"pre_tax/F1": [1, 0], "roth/F1": [1, 0]}) == 1


def test_each_fund_has_its_own_scale_and_price() -> None:
    of_two = Rates({"F0": Price.parse("19.999"), "F6": Price.parse("3.1")}, {"F0": 0, "F6": 6})
    assert of_two.balance({"roth/F0": [2, 0], "roth/F6": [1_500_000, 0]}) == 4_465


def test_a_price_finer_than_any_other_stays_exact() -> None:
    fine = Rates({"F1": Price.parse("0.00000000000000000001"), "F2": Price.parse("1")}, {"F1": 6, "F2": 3})
    balance = fine.balance({"roth/F1": [5 * 10**23, 0], "roth/F2": [1_000, 0]})
    assert (balance, type(balance)) == (101, int)


def test_a_balance_with_an_unpriced_position_is_not_shown() -> None:
    assert rates(F1="10").balance({"roth/F1": [1_000, 0], "roth/F2": [1, 0]}) is None


def test_a_fund_without_a_price_harms_nobody_who_has_no_share_of_it() -> None:
    assert rates(F1="10").balance({"roth/F1": [1_000, 0], "roth/F2": [0, 3]}) == 1_000


def test_the_fund_is_all_that_stands_behind_the_first_slash() -> None:
    holdings: Holdings = {"roth/A/B": [1_000, 0]}
    assert Rates({"A/B": Price.parse("7"), "B": Price.parse("9")}, {"A/B": 3, "B": 3}).balance(holdings) == 700


def test_nothing_is_worth_nothing() -> None:
    assert Rates({}, {}).balance({}) == 0

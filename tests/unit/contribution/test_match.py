"""The match formula (A4), its true-up (A5), and what a plan fact may say."""

from __future__ import annotations

import pytest

from services.contribution.rules.match import match_formula_of, match_on, true_up
from shared.values.money import cents_of, dollars_text

FORMULAS = {
    "basic": [["3", "100"], ["2", "50"]],
    "four": [["4", "100"]],
    "qaca": [["1", "100"], ["5", "50"]],
    "half": [["6", "50"]],
}


@pytest.mark.parametrize(
    ("pay", "deferral", "expected"),
    [
        ("4230.77", "169.23", {"basic": "148.08", "four": "169.23", "qaca": "105.77", "half": "84.62"}),
        ("4206.25", "168.25", {"basic": "147.22", "four": "168.25", "qaca": "105.16", "half": "84.13"}),
        ("4230.77", "84.62", {"basic": "84.62", "four": "84.62", "qaca": "63.46", "half": "42.31"}),
        ("4230.77", "423.08", {"basic": "169.23", "four": "169.23", "qaca": "148.08", "half": "126.92"}),
    ],
)
def test_a4_match_of_one_pay_is_rounded_once(pay: str, deferral: str, expected: dict[str, str]) -> None:
    for name, match in expected.items():
        formula = match_formula_of({"tiers": FORMULAS[name]})
        assert match == dollars_text(match_on(formula, cents_of(deferral), cents_of(pay))), name


@pytest.mark.parametrize(("percent", "match"), [(1, "500.00"), (3, "1500.00"), (4, "1750.00"), (5, "2000.00")])
def test_basic_safe_harbor_match_of_a_year(percent: int, match: str) -> None:
    formula = match_formula_of({"tiers": FORMULAS["basic"]})
    assert match == dollars_text(match_on(formula, 50_000 * percent, 5_000_000))


def test_a5_true_up_pays_the_difference_to_the_annual_formula() -> None:
    formula = match_formula_of({"tiers": FORMULAS["basic"], "period": "annual"})
    paid = 5 * match_on(formula, cents_of("5000.00"), cents_of("10000.00"))
    owed = true_up(formula, cents_of("24500.00"), cents_of("120000.00"), paid)
    assert (dollars_text(paid), dollars_text(owed.cents), owed.drift_cents) == ("2000.00", "2800.00", 0)
    paid = 6 * match_on(formula, cents_of("500.00"), cents_of("5000.00"))
    owed = true_up(formula, cents_of("3000.00"), cents_of("60000.00"), paid)
    assert (dollars_text(paid), dollars_text(owed.cents)) == ("1200.00", "1200.00")


def test_a5_drift_of_26_roundings_is_logged_and_not_taken_back() -> None:
    formula = match_formula_of({"tiers": FORMULAS["basic"], "period": "annual"})
    paid = 26 * match_on(formula, cents_of("169.23"), cents_of("4230.77"))
    owed = true_up(formula, 26 * cents_of("169.23"), 26 * cents_of("4230.77"), paid)
    assert (cents_of("3850.08"), 0, -9) == (paid, owed.cents, owed.drift_cents)


def test_percents_may_have_decimals() -> None:
    formula = match_formula_of({"tiers": [["4.5", "33.333"]]})
    assert match_on(formula, 4500, 100_000) == 1500


@pytest.mark.parametrize(
    "fact",
    [
        "basic",
        {"tiers": []},
        {"tiers": [["3"]]},
        {"tiers": [["three", "100"]]},
        {"tiers": [["-3", "100"]]},
        {"tiers": [["NaN", "100"]]},
        {"tiers": [["3", "100"]], "period": "weekly"},
        {"tiers": [["3", "100"]], "source": "pre_tax"},
    ],
)
def test_a_formula_that_makes_no_sense_is_refused(fact: object) -> None:
    with pytest.raises(ValueError, match=r"match|percent"):
        match_formula_of(fact)

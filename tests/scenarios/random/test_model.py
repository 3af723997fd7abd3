"""The model that judges random scenarios: independent of the engine, repeatable, right about the worked examples."""

from __future__ import annotations

import ast
from collections import Counter
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from deploy.scenarios.model import read_scenario
from tests.scenarios.random.__main__ import write
from tests.scenarios.random.exact import divided, dollars, half_up, scaled
from tests.scenarios.random.law import PlanRules, Year, decide, match_of
from tests.scenarios.random.money import Trust
from tests.scenarios.random.people import Entry, Person, last_pay_day, why_not
from tests.scenarios.random.runs import Line, Totals, totals_of
from tests.scenarios.random.terms import read_terms
from tests.scenarios.random.vesting import years_of_service

FOLDER = Path(__file__).parent
MODEL = sorted(file for file in FOLDER.glob("*.py") if not file.name.startswith("test_"))
BASIC = (("3", "100"), ("2", "50"))
AT_40 = Person(date(1986, 3, 2), date(2020, 1, 6))
AT_50 = date(1976, 12, 31)
PAID = date(2026, 11, 20)
BOTH = PlanRules(("pre_tax", "roth"))


@pytest.mark.parametrize("file", MODEL, ids=lambda file: file.stem)
def test_the_model_imports_nothing_of_the_engine(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.split(".")[0] in ("services", "shared", "deploy")]
        assert not [
            name for name in names if name.startswith("tests.") and not name.startswith("tests.scenarios.random")
        ]


def test_a_seed_writes_the_same_readable_files_again(tmp_path: Path) -> None:
    first, again = write(11, 6, tmp_path / "one"), write(11, 6, tmp_path / "two")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in again]
    for file in first:
        assert read_scenario(file).days


def test_a6_divides_by_largest_remainder() -> None:
    weights = {"F1": 40, "F2": 25, "F3": 20, "F4": 15}
    assert list(divided(13741, weights).values()) == [5497, 3435, 2748, 2061]
    assert list(divided(-13741, weights).values()) == [-5497, -3435, -2748, -2061]
    assert list(divided(1, {"F1": 50, "F2": 50}).values()) == [1, 0]
    assert list(divided(31250, {"F1": 33, "F2": 33, "F3": 34}).values()) == [10313, 10312, 10625]


def test_halves_go_away_from_zero_and_texts_have_their_places() -> None:
    assert [half_up(Fraction(n, 2)) for n in (1, -1, 3, -3, 4)] == [1, -1, 2, -2, 2]
    assert (dollars(-5), dollars(123456), scaled(5, 3), scaled(7, 0)) == ("-0.05", "1234.56", "0.005", "7")


def test_a1_room_is_shared_or_filled_pre_tax_first() -> None:
    amounts = {"pre_tax": 31250, "roth": 18750}
    shared = decide(BOTH, AT_40, Year(regular=2_412_000), PAID, 625_000, amounts)
    first = decide(PlanRules(BOTH.sources, None, True), AT_40, Year(regular=2_412_000), PAID, 625_000, amounts)
    assert (shared.taken, shared.codes) == ({"pre_tax": 23750, "roth": 14250}, {"LIMIT_402G"})
    assert first.taken == {"pre_tax": 31250, "roth": 6750}


@pytest.mark.parametrize(
    ("wages", "mode", "taken"),
    [
        (15_000_000, "deemed", {"pre_tax": 50000}),
        (15_000_001, "deemed", {"pre_tax": 20000, "roth": 30000}),
        (15_000_001, "reject", {"pre_tax": 20000}),
    ],
)
def test_a2_catch_up_follows_age_and_wages(wages: int, mode: str, taken: dict[str, int]) -> None:
    plan = PlanRules(BOTH.sources, roth_catch_up=mode)
    person = Person(AT_50, AT_40.hired, wages=wages)
    decision = decide(plan, person, Year(regular=2_430_000), PAID, 500_000, {"pre_tax": 50000})
    assert decision.credited() == taken


def test_a3_deferrals_become_catch_up_before_anything_is_cut() -> None:
    plan = PlanRules(("pre_tax", "after_tax", "match", "profit_sharing"))
    much = {"pre_tax": 2_450_000, "match": 980_000, "after_tax": 3_000_000}
    for born, taken in ((date(1974, 3, 2), 900_000), (AT_40.born, 770_000)):
        year, person = Year(), Person(born, AT_40.hired)
        assert decide(plan, person, year, PAID, 10_000_000, much).status == "accepted"
        assert decide(plan, person, year, PAID, 100_000, {"profit_sharing": 900_000}).accepted == taken
        assert year.additions == 7_200_000


def test_a4_the_match_is_rounded_once() -> None:
    assert [match_of(BASIC, 423_077, deferred) for deferred in (16923, 8462, 42308)] == [14808, 8462, 16923]
    assert match_of((("6", "50"),), 420_625, 16825) == 8413


def bought(price: str, cents_by_name: dict[str, int]) -> Trust:
    trust = Trust({"F1": 3})
    for name, cents in cents_by_name.items():
        trust.buy((name, "pre_tax"), cents, {"F1": "100"})
    trust.trade(0, {"F1": price}, lambda fund, side: "confirm")
    return trust


def test_a7_and_a8_the_confirmation_is_shared_out() -> None:
    pool = bought("23.47", {"A": 5497, "B": 3435, "C": 100000, "D": 1})
    assert list(pool.units.values()) == [2342, 1464, 42608, 0]
    assert list(bought("13.33", dict.fromkeys("ABCDEFG", 10000)).units.values()) == [7502] * 6 + [7501]


def test_a11_a_reversal_after_the_trade_sells_what_it_bought() -> None:
    for price, cash in (("22.90", 5363), ("24.10", 5644)):
        trust = Trust({"F1": 3})
        parts = trust.buy(("A", "pre_tax"), 5497, {"F1": "100"})
        trust.trade(0, {"F1": "23.47"}, lambda fund, side: "confirm")
        trust.take_back(parts, 5497)
        trust.trade(1, {"F1": price}, lambda fund, side: "confirm")
        assert (trust.cash, list(trust.units.values())) == (cash, [0])


def test_a_short_year_shrinks_additions_and_pay_only() -> None:
    whole, half = PlanRules(()).limits(2026), PlanRules((), short_years=((2026, 6),)).limits(2026)
    assert (half.additions, half.pay) == (3_600_000, 18_000_000)
    assert (half.deferral, half.catch_up, half.catch_up_60_63) == (whole.deferral, whole.catch_up, 1_125_000)


@pytest.mark.parametrize(
    ("pay_date", "code"),
    [
        (date(2015, 1, 4), "NOT_ELIGIBLE"), (date(2018, 5, 16), None), (date(2018, 5, 17), "TERMINATED"),
        (date(2020, 3, 1), "TERMINATED"), (date(2020, 3, 2), None),
    ],
)  # fmt: skip
def test_pay_follows_the_last_day_for_two_and_a_half_months_and_a_rehire_is_in_again(
    pay_date: date, code: str | None
) -> None:
    person = Person(AT_50, date(2015, 1, 5), terminated=date(2018, 3, 1), rehired=date(2020, 3, 2))
    assert why_not(None, None, person, pay_date) == code
    assert last_pay_day(date(2026, 8, 31), 30) == date(2026, 9, 30)


def test_people_enter_on_the_first_entry_date_after_age_and_service() -> None:
    rule = Entry(age=21, months=12, dates="semi_annual", excluded=("union",))
    young = Person(date(2005, 3, 1), date(2025, 1, 6))
    assert why_not(rule, None, young, date(2026, 6, 30)) == "NOT_ELIGIBLE"
    assert why_not(rule, None, young, date(2026, 7, 1)) is None
    assert why_not(rule, None, Person(AT_50, young.hired, group="union"), PAID) == "NOT_ELIGIBLE"
    hours = Person(AT_50, young.hired, hours=((2024, 500), (2025, 500)))
    assert why_not(Entry(months=12, by_hours=True), None, hours, date(2025, 12, 31)) == "NOT_ELIGIBLE"
    assert why_not(Entry(months=12, by_hours=True), None, hours, date(2026, 1, 1)) is None


def test_service_is_counted_in_hours_where_they_are_told_and_a_short_absence_counts() -> None:
    back = Person(AT_50, date(2020, 1, 6), terminated=date(2023, 3, 1), rehired=date(2023, 6, 1))
    assert [years_of_service(back, day) for day in (date(2023, 5, 1), date(2026, 1, 6))] == [3, 6]
    told = ((2024, 999), (2025, 1000), (2026, 2000))
    assert years_of_service(Person(AT_50, date(2024, 1, 2), hours=told), PAID) == 2
    # Three years and 360 days before 2024 are elapsed time.
    assert years_of_service(Person(AT_50, date(2020, 1, 6), hours=told), PAID) == 5


def test_totals_count_what_was_sent_and_one_thing_wrong_is_enough() -> None:
    lines = [
        Line(name, who, "PL0", "R", PAID, 0, {"pre_tax": 100, "roth": zero})
        for name, who, zero in (("a", "P1", 0), ("b", "P1", 0))
    ]
    right = totals_of(lines)
    assert (right.lines, right.cents, right.by_source) == (2, 200, {"pre_tax": 200})
    assert right.agree(lines)
    assert Totals(lines=2).agree(lines)
    assert not right.agree(lines[:1])
    assert not Totals(people=Counter(["P1", "P2"])).agree(lines)


def test_a_plan_that_matches_into_another_source_refuses_only_that_one() -> None:
    spec = {"sources": ["pre_tax", "match", "qmac"], "default_fund": "F1",
            "match": {"tiers": [["4", "100"]], "source": "qmac"}}  # fmt: skip
    rules = read_terms(spec).rules
    amounts = {"pre_tax": 1000, "match": 5, "qmac": 7}
    own = decide(rules, AT_40, Year(), PAID, 100_000, amounts)
    given = decide(rules, AT_40, Year(), PAID, 0, {"qmac": 7}, is_for_the_year=True)
    assert (own.credited(), own.codes) == ({"pre_tax": 1000, "match": 5, "qmac": 1000}, {"SOURCE_NOT_IN_PLAN"})
    assert given.credited() == {"qmac": 7}

"""A payday of a small population, rule by rule through all four services, against a day worked out with fractions."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.valuation.rules.proof import is_proven
from tests.support.payday_in_memory import Books, Population, run_payday
from tests.support.payday_oracle import expect_payday

# Names that sort differently when glued together, folded or collated.
PARTICIPANTS = ["P1", "P10", "P2", "p1", "é", "P1-"]
FUNDS = ["F1", "F10", "f1", "A:B", "B"]
PLANS = ["ACME", "ACME:A", "FILE"]
SENT = ["pre_tax", "roth", "match", "after_tax", "bonus"]

# Cents that make ties, leave remainders, or buy nothing.
amounts_of_money = st.one_of(st.sampled_from([1, 3, 100, 10_000]), st.integers(0, 60_000))
price_texts = st.sampled_from(["23.47", "13.33", "10", "0.07", "1234.5678", "1", "99.995"])


@st.composite
def percents(draw: st.DrawFn) -> list[tuple[str, str]]:
    chosen = draw(st.lists(st.sampled_from(FUNDS), min_size=1, max_size=4, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(chosen) - 1, max_size=len(chosen) - 1)))
    sizes = [upper - lower for lower, upper in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    return [(fund, f"{size // 100}.{size % 100:02d}") for fund, size in zip(chosen, sizes, strict=True)]


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    plan = draw(st.sampled_from(PLANS))
    sent = draw(st.lists(st.tuples(st.sampled_from(SENT), amounts_of_money), max_size=4))
    return {
        "plan_id": plan,
        "participant_id": draw(st.sampled_from(PARTICIPANTS)),
        "payroll_id": f"{plan}-{draw(st.sampled_from(['R1', 'R2']))}",
        "pay_date": "2026-11-20",
        "compensation_cents": draw(st.integers(0, 500_000)),
        "amounts": [{"source": source, "cents": cents} for source, cents in sent],
    }


@st.composite
def populations(draw: st.DrawFn) -> Population:
    tiers = draw(st.sampled_from([None, [["3", "100"], ["2", "50"]], [["6", "33.33"]]]))
    plans: dict[str, dict[str, Any]] = {
        "ACME": {"sources": ["pre_tax", "roth", "match"], "match": None if tiers is None else {"tiers": tiers}},
        "ACME:A": {"sources": ["pre_tax", "after_tax", "match"]},
        "FILE": {"sources": ["pre_tax", "roth"], "trade_on": "file"},
    }
    for fact in plans.values():
        fact["default_fund"] = draw(st.sampled_from(FUNDS))
    people = st.tuples(st.sampled_from(PLANS), st.sampled_from(PARTICIPANTS))
    groups = st.dictionaries(st.sampled_from(["all", "employee", "employer"]), percents(), min_size=1, max_size=3)
    elected = draw(st.dictionaries(people, groups, max_size=8))
    elections = {
        person: [(group, fund, percent) for group, parts in by_group.items() for fund, percent in parts]
        for person, by_group in elected.items()
    }
    funds = {fund: (draw(st.integers(0, 6)), draw(price_texts)) for fund in FUNDS}
    payrolls = st.sampled_from([f"{plan}-{run}" for plan in PLANS for run in ("R1", "R2")])
    cash = draw(st.dictionaries(payrolls, st.sampled_from([0, 5_000, 80_000, 10**9])))
    return Population(plans, funds, elections, draw(st.lists(lines(), max_size=12)), cash)


def units_held(books: Books) -> dict[tuple[str, str, str, str], int]:
    return {
        (plan, participant, *key.split("/", 1)): units  # type: ignore[misc]
        for (plan, participant), holdings in books.positions.items()
        for key, (units, _) in holdings.items()
    }


@given(populations())
def test_positions_and_balances_are_those_of_the_rules_worked_out_by_hand(said: Population) -> None:
    books, expected = run_payday(said), expect_payday(said)
    assert books.released == expected.released
    assert books.orders == expected.orders
    assert units_held(books) == expected.units
    assert books.balances == expected.balances


@given(populations())
def test_what_was_confirmed_is_what_is_held_and_what_was_ordered_is_what_it_cost(said: Population) -> None:
    books = run_payday(said)
    for plan, fund in books.orders:
        held = [
            pair
            for (of_plan, _), holdings in books.positions.items()
            for key, pair in holdings.items()
            if of_plan == plan and key.split("/", 1)[1] == fund
        ]
        assert sum(units for units, _ in held) == books.confirmed[plan, fund]
        assert sum(cost for _, cost in held) == books.orders[plan, fund]


@given(populations(), st.sampled_from([1, 2, 8, 64]))
def test_the_number_of_lanes_makes_no_difference(said: Population, lanes: int) -> None:
    one, other = run_payday(said, 1), run_payday(said, lanes)
    assert (one.positions, one.balances) == (other.positions, other.balances)


@given(populations(), st.randoms(use_true_random=False))
def test_the_order_in_which_lines_arrive_makes_no_difference(said: Population, random: Any) -> None:
    shuffled = list(said.lines)
    random.shuffle(shuffled)
    books = run_payday(said)
    again = run_payday(Population(said.plans, said.funds, said.elections, shuffled, said.cash))
    assert (again.positions, again.balances, again.orders) == (books.positions, books.balances, books.orders)


@given(populations(), st.data())
def test_a30_every_payday_is_proven_and_none_with_a_cent_or_unit_changed(said: Population, data: st.DataObject) -> None:
    books = run_payday(said)
    assert is_proven(books.proof())
    changed = copy.deepcopy(books)
    stage = data.draw(st.sampled_from(sorted(changed.totals)))
    name = data.draw(st.sampled_from(sorted(changed.totals[stage])))
    changed.totals[stage][name] += data.draw(st.sampled_from([-1, 1]))
    assert not is_proven(changed.proof())
    positions = [pair for holdings in books.positions.values() for pair in holdings.values()]
    if positions:
        data.draw(st.sampled_from(positions))[0] += data.draw(st.sampled_from([-1, 1]))
        assert not is_proven(books.proof())

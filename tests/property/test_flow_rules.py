"""Laws of releasing, splitting, judging, holding and valuing, each against exact fractions or the plain definition."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from services.allocation.rules.elections import EMPLOYEE_SOURCES, FULL, Parts, election_parts
from services.allocation.rules.split import cents_by_fund, split_line
from services.contribution.rules.runs import OpenRun, decide_releases
from services.trading.rules.confirmations import Confirmed, judge
from services.valuation.rules.balances import Rates
from services.valuation.rules.positions import Holdings, apply_legs, holding_key
from shared.events.requests import ElectionChanged
from shared.events.sources import SOURCES
from shared.values.shares import Price, dollars_of, shares_bought

# -- runs ------------------------------------------------------------------------------------------------------------

payrolls = st.sampled_from(["R1", "R2", "R3", "R4"])
plans = st.sampled_from(["A", "B", "FILE"])
runs = st.lists(
    st.builds(OpenRun, plan_id=plans, payroll_id=payrolls, accepted=st.integers(0, 1_000)),
    max_size=8,
    unique_by=lambda run: (run.plan_id, run.payroll_id),
)
cash = st.dictionaries(payrolls, st.integers(-100, 1_500))
stopped = st.frozensets(st.tuples(plans, payrolls), max_size=3)
ON_FILE = frozenset({"FILE"})


@given(runs, cash, stopped)
def test_no_run_uses_cash_that_is_not_there_and_none_that_is_covered_waits(
    open_runs: list[OpenRun], unused: dict[str, int], mismatched: frozenset[tuple[str, str]]
) -> None:
    releases, waits = decide_releases(open_runs, unused, ON_FILE, mismatched)
    used: dict[str, int] = {}
    for one in releases:
        if one.plan_id not in ON_FILE:
            used[one.payroll_id] = used.get(one.payroll_id, 0) + one.cash_used
    assert all(cents <= max(0, unused.get(payroll, 0)) for payroll, cents in used.items())
    wanted = {(run.plan_id, run.payroll_id): run.accepted for run in open_runs}
    for wait in waits:
        left = unused.get(wait.payroll_id, 0) - used.get(wait.payroll_id, 0)
        is_stopped = (wait.plan_id, wait.payroll_id) in mismatched
        assert is_stopped or wanted[wait.plan_id, wait.payroll_id] > left
        assert wait.code == ("PAYROLL_TOTALS_MISMATCH" if is_stopped else "FUNDING_SHORT")


@given(runs, cash, stopped)
def test_every_run_is_decided_once_and_whole(
    open_runs: list[OpenRun], unused: dict[str, int], mismatched: frozenset[tuple[str, str]]
) -> None:
    releases, waits = decide_releases(open_runs, unused, ON_FILE, mismatched)
    decided = [(one.plan_id, one.payroll_id) for one in [*releases, *waits]]
    assert sorted(decided) == sorted((run.plan_id, run.payroll_id) for run in open_runs)
    released = {(one.plan_id, one.payroll_id, one.cents) for one in releases}
    assert released <= {(run.plan_id, run.payroll_id, run.accepted) for run in open_runs}
    assert not {(one.plan_id, one.payroll_id) for one in releases} & mismatched


@given(runs, cash, stopped, st.randoms(use_true_random=False))
def test_the_order_in_which_runs_are_found_says_nothing(
    open_runs: list[OpenRun], unused: dict[str, int], mismatched: frozenset[tuple[str, str]], random: object
) -> None:
    shuffled = list(open_runs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide_releases(shuffled, unused, ON_FILE, mismatched) == decide_releases(
        open_runs, unused, ON_FILE, mismatched
    )


# -- splits ----------------------------------------------------------------------------------------------------------

funds = st.sampled_from(["F1", "F10", "F2", "a", "Z", "é"])


@st.composite
def percents(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Funds and percents with two decimals that sum to 100."""
    names = draw(st.lists(funds, min_size=1, max_size=5, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(names) - 1, max_size=len(names) - 1)))
    sizes = [upper - lower for lower, upper in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    return [(name, f"{size // 100}.{size % 100:02d}") for name, size in zip(names, sizes, strict=True)]


elections = st.dictionaries(st.sampled_from(["all", "employee", "employer"]), percents(), max_size=3)
money = st.dictionaries(st.sampled_from(sorted(SOURCES)), st.integers(1, 10**7), min_size=1, max_size=4)


def parts_of(election: Mapping[str, list[tuple[str, str]]]) -> Parts | None:
    if not election:
        return None
    said = [
        {"source_group": group, "fund_id": fund, "percent": percent}
        for group, parts in election.items()
        for fund, percent in parts
    ]
    return election_parts(ElectionChanged.model_validate({"plan_id": "A", "participant_id": "P", "elections": said}))


def share_of(source: str, fund: str, election: Mapping[str, list[tuple[str, str]]]) -> Fraction:
    """The part of a source that a fund gets, from the words of the election alone."""
    group = "employee" if source in EMPLOYEE_SOURCES else "employer"
    for name in (group, "all"):
        if name in election:
            return Fraction(dict(election[name]).get(fund, "0")) / 100
    return Fraction(fund == "DEF")


@given(money, elections)
def test_a_split_keeps_every_cent_of_every_source_and_is_within_a_cent_of_exact(
    amounts: dict[str, int], election: dict[str, list[tuple[str, str]]]
) -> None:
    names, legs = split_line(list(amounts), list(amounts.values()), parts_of(election), "DEF")
    assert names == sorted(set(names))
    assert len(legs) == len(names) * len(amounts)
    for row, (source, cents) in enumerate(amounts.items()):
        of_source = legs[row * len(names) : (row + 1) * len(names)]
        assert sum(of_source) == cents
        for fund, leg in zip(names, of_source, strict=True):
            exact = cents * share_of(source, fund, election)
            assert floor(exact) <= leg <= floor(exact) + (exact.denominator > 1)
    assert sum(cents_by_fund(names, legs)) == sum(amounts.values())


@given(money, elections)
def test_what_one_source_gets_does_not_depend_on_the_others(
    amounts: dict[str, int], election: dict[str, list[tuple[str, str]]]
) -> None:
    parts = parts_of(election)
    names, legs = split_line(list(amounts), list(amounts.values()), parts, "DEF")
    for row, (source, cents) in enumerate(amounts.items()):
        together = dict(zip(names, legs[row * len(names) : (row + 1) * len(names)], strict=True))
        alone = dict(zip(*split_line([source], [cents], parts, "DEF"), strict=True))
        assert {fund: leg for fund, leg in together.items() if leg} == {fund: leg for fund, leg in alone.items() if leg}


@given(elections.filter(bool))
def test_an_election_that_is_taken_sums_to_the_whole_in_every_group(
    election: dict[str, list[tuple[str, str]]],
) -> None:
    parts = parts_of(election)
    assert parts is not None
    assert {name: sum(share for _, share in group) for name, group in parts.items()} == dict.fromkeys(election, FULL)
    assert all(list(group) == sorted(group) for group in parts.values())


# -- confirmations ---------------------------------------------------------------------------------------------------

prices = st.builds(Price, mantissa=st.integers(1, 10**6), scale=st.integers(0, 6))
decimals = st.integers(0, 6)


@given(st.integers(1, 10**9), prices, decimals, st.integers(-3, 3))
def test_shares_are_believed_exactly_when_they_are_less_than_a_unit_off(
    cents: int, price: Price, share_decimals: int, off: int
) -> None:
    units = shares_bought(cents, price, share_decimals) + off
    exact = Fraction(cents, 100) / price.exact() * 10**share_decimals
    verdict = judge("cents", cents, Confirmed(units, cents, price), price, share_decimals)
    assert (verdict is None) == (abs(units - exact) < 1)
    assert off or verdict is None, "half-up is always right"


@given(st.integers(1, 10**9), prices, decimals, st.integers(-3, 3))
def test_dollars_of_a_share_order_are_believed_exactly_when_they_are_less_than_a_cent_off(
    units: int, price: Price, share_decimals: int, off: int
) -> None:
    cents = dollars_of(units, share_decimals, price) + off
    exact = Fraction(units, 10**share_decimals) * price.exact() * 100
    verdict = judge("shares", units, Confirmed(units, cents, price), price, share_decimals)
    assert (verdict is None) == (abs(cents - exact) < 1)
    assert off or verdict is None, "half-up is always right"


# -- positions and balances ------------------------------------------------------------------------------------------

keys = st.builds(holding_key, st.sampled_from(["roth", "match"]), st.sampled_from(["F1", "F2", "a/b"]))
legs_to_post = st.lists(st.tuples(keys, st.integers(0, 10**9), st.integers(0, 10**9)), max_size=20)


def post(holdings: Holdings, legs: list[tuple[str, int, int]]) -> None:
    apply_legs([holdings] * len(legs), [leg[0] for leg in legs], [leg[1] for leg in legs], [leg[2] for leg in legs])


@given(legs_to_post, st.randoms(use_true_random=False))
def test_the_order_in_which_fills_arrive_says_nothing(legs: list[tuple[str, int, int]], random: object) -> None:
    shuffled = list(legs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one: Holdings = {}
    other: Holdings = {}
    post(one, legs)
    for leg in shuffled:
        post(other, [leg])
    assert one == other
    assert sum(units for units, _ in one.values()) == sum(units for _, units, _ in legs)
    assert sum(cost for _, cost in one.values()) == sum(cost for _, _, cost in legs)


@given(legs_to_post, st.lists(st.integers(0, 19), max_size=5))
def test_reversing_fills_is_as_if_they_had_never_been(legs: list[tuple[str, int, int]], chosen: list[int]) -> None:
    undone = {index for index in chosen if index < len(legs)}
    holdings: Holdings = {}
    post(holdings, legs)
    post(holdings, [(key, -units, -cents) for key, units, cents in (legs[index] for index in undone)])
    kept: Holdings = {}
    post(kept, [leg for index, leg in enumerate(legs) if index not in undone])
    assert {key: held for key, held in holdings.items() if any(held)} == {
        key: held for key, held in kept.items() if any(held)
    }


@given(
    st.dictionaries(keys, st.tuples(st.integers(0, 10**12), st.integers(0, 10**9)), max_size=6),
    st.dictionaries(st.sampled_from(["F1", "F2", "a/b"]), st.tuples(prices, decimals)),
)
def test_a_balance_is_the_exact_sum_rounded_half_up_once(
    held: dict[str, tuple[int, int]], priced: dict[str, tuple[Price, int]]
) -> None:
    rates = Rates({fund: price for fund, (price, _) in priced.items()}, {fund: one[1] for fund, one in priced.items()})
    exact: Fraction | None = Fraction(0)
    for key, (units, _) in held.items():
        fund = key.split("/", 1)[1]
        if units and fund not in priced:
            exact = None
        elif units and exact is not None:
            price, share_decimals = priced[fund]
            exact += Fraction(units, 10**share_decimals) * price.exact()
    expected = None if exact is None else floor(exact * 100 + Fraction(1, 2))
    assert rates.balance({key: list(pair) for key, pair in held.items()}) == expected

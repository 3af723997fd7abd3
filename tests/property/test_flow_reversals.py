"""Laws of taking back: whatever is reversed, in any order and any pieces, nothing falls below zero or is left over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.allocation.rules.elections import FULL, Parts
from services.allocation.rules.split import split_line
from services.allocation.rules.unwinding import legs_left, take_back
from services.trading.rules.unwinding import SaleOutcome, sale_outcome, units_to_sell
from shared.values.shares import Price, shares_bought
from shared.values.split import split_largest_remainder

PRICES = st.sampled_from([Price.parse(text) for text in ("23.47", "10", "0.013", "1999.99", "333333.33")])
cents = st.integers(1, 10_000_000)


@st.composite
def elections(draw: st.DrawFn) -> Parts | None:
    """Nobody's, or percents over some funds."""
    funds = draw(st.lists(st.sampled_from(["F1", "F2", "F3", "F4"]), unique=True, max_size=4))
    if not funds:
        return None
    shares = split_largest_remainder(FULL, [draw(st.integers(1, 9)) for _ in funds])
    return {"all": sorted(zip(funds, shares, strict=True))}


@st.composite
def pieces(draw: st.DrawFn, total: int) -> list[int]:
    """A total in pieces of at least one."""
    found = []
    while total:
        piece = draw(st.one_of(st.just(total), st.integers(1, total)))
        found.append(piece)
        total -= piece
    return found


@given(elections(), st.lists(cents, min_size=1, max_size=3), st.data())
def test_a_line_reversed_in_pieces_gives_back_each_leg_exactly(
    parts: Parts | None, amounts: list[int], data: st.DataObject
) -> None:
    sources = ["match", "pre_tax", "roth"][: len(amounts)]
    funds, legs = split_line(sources, amounts, parts, "F1")
    left = legs_left(len(funds), sources, legs)
    wanted = [(at, piece) for at, amount in enumerate(amounts) for piece in data.draw(pieces(amount))]
    taken = [0] * len(legs)
    for at, piece in data.draw(st.permutations(wanted)):
        matrix = take_back(left, [sources[at]], [piece])
        assert sum(matrix) == piece
        assert all(part >= 0 for part in matrix)
        assert all(leg >= 0 for leg in left[sources[at]])
        for fund, part in enumerate(matrix):
            taken[at * len(funds) + fund] += part
    assert taken == legs


@given(st.lists(cents, min_size=1, max_size=4), PRICES, st.integers(0, 6), st.data())
def test_lines_that_share_a_leg_give_back_its_units_exactly(
    lines: list[int], price: Price, decimals: int, data: st.DataObject
) -> None:
    cents_left = sum(lines)
    units_left = bought = shares_bought(cents_left, price, decimals)
    sold = 0
    for piece in data.draw(st.permutations([piece for line in lines for piece in data.draw(pieces(line))])):
        units = units_to_sell(units_left, cents_left, piece)
        assert 0 <= units <= units_left
        # Within half a unit of the exact share of what is left.
        assert abs(2 * (units * cents_left - units_left * piece)) <= cents_left
        cents_left, units_left, sold = cents_left - piece, units_left - units, sold + units
    assert (cents_left, units_left, sold) == (0, 0, bought)


@given(st.lists(st.tuples(cents, st.integers(0, 20_000_000)), max_size=6))
def test_every_dollar_of_a_sale_is_returnable_or_a_gain_and_every_loss_has_a_bearer(
    legs: list[tuple[int, int]],
) -> None:
    outcome = sale_outcome(legs)
    proceeds, cost = sum(one for _, one in legs), sum(one for one, _ in legs)
    assert outcome.plan_cash == proceeds
    assert outcome.cost == cost
    assert outcome.returnable + outcome.loss == cost
    assert min(outcome) >= 0
    accounts, amounts = outcome.postings()
    assert len(accounts) == len(amounts)
    assert sum(amounts) == 0
    assert sum((-outcome).postings()[1]) == 0


def test_a11_a_loss_is_the_employers_and_a_gain_stays_in_the_plan() -> None:
    assert sale_outcome([(5_497, 5_363)]) == SaleOutcome(cost=5_497, returnable=5_363, loss=134)
    assert sale_outcome([(5_497, 5_644)]) == SaleOutcome(cost=5_497, returnable=5_497, gain=147)

"""Laws of money, shares, hashing and dates: text and back, one rounding, one place for each key, order of days."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from shared.values.hashing import murmur2, murmur2_many
from shared.values.identity import canonical_json, identity_of
from shared.values.money import cents_of, dollars_text
from shared.values.rounding import half_up_div
from shared.values.shares import (
    Price,
    dollars_of,
    exact_value,
    shares_bought,
    shares_deviation_is_a_unit_or_more,
    shares_text,
    units_of,
)
from shared.values.trading_days import (
    cutoff_at,
    is_trading_day,
    next_trading_day,
    previous_trading_day,
    trade_date_of_stamp,
)

cents = st.integers(-(10**14), 10**14)
scales = st.integers(0, 6)
prices = st.builds(Price, st.integers(1, 10**9), st.integers(0, 8))
days = st.dates(date(2022, 1, 4), date(2028, 12, 20))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(cents)
def test_dollars_survive_being_written(amount: int) -> None:
    assert cents_of(dollars_text(amount)) == amount


@given(st.integers(-(10**15), 10**15), scales)
def test_shares_survive_being_written(units: int, scale: int) -> None:
    assert units_of(shares_text(units, scale), scale) == units


@given(prices)
def test_prices_survive_being_written(price: Price) -> None:
    assert Price.parse(price.text()) == price
    assert Price.parse(price.text()).exact() == price.exact()


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_rounding_is_the_one_of_decimal_half_up(n: int, d: int) -> None:
    with localcontext(prec=80):
        assert half_up_div(n, d) == int((Decimal(n) / d).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_rounding_mirrors(n: int, d: int) -> None:
    assert half_up_div(-n, d) == -half_up_div(n, d) == half_up_div(n, -d)


@given(cents, prices, scales)
def test_shares_bought_are_half_a_unit_from_exact_and_never_a_break(amount: int, price: Price, scale: int) -> None:
    units = shares_bought(amount, price, scale)
    assert not shares_deviation_is_a_unit_or_more(units, amount, price, scale)
    assert abs(exact_value(units, scale, price) * 100 - amount) * 2 <= exact_value(1, scale, price) * 100


@given(st.integers(-(10**12), 10**12), prices, scales)
def test_dollars_are_the_exact_value_rounded_once(units: int, price: Price, scale: int) -> None:
    exact = exact_value(units, scale, price) * 100
    assert dollars_of(units, scale, price) == half_up_div(exact.numerator, exact.denominator)


@given(st.lists(st.binary(max_size=130), max_size=60))
def test_keys_hash_alike_alone_and_together(keys: list[bytes]) -> None:
    assert murmur2_many(keys) == [murmur2(key) for key in keys]


@given(plain)
def test_canonical_json_is_the_standards(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_different_requests_have_different_identities(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (identity_of(*one) == identity_of(*other)) is (one == other)


@given(days)
def test_the_next_trading_day_is_the_first_after(day: date) -> None:
    following = next_trading_day(day)
    between = [day + timedelta(days=n) for n in range(1, (following - day).days)]
    assert is_trading_day(following)
    assert not any(is_trading_day(skipped) for skipped in between)
    assert previous_trading_day(following) == (day if is_trading_day(day) else previous_trading_day(day))


@given(days, st.integers(-(10**8), 10**8))
def test_a_stamp_belongs_to_the_first_date_whose_cutoff_is_later(day: date, offset_ms: int) -> None:
    near = next_trading_day(day)
    stamp = int(cutoff_at(near).timestamp()) * 1000 + offset_ms
    belongs = trade_date_of_stamp(stamp)
    assert stamp < cutoff_at(belongs).timestamp() * 1000
    assert stamp >= cutoff_at(previous_trading_day(belongs)).timestamp() * 1000

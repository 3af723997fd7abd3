"""What holdings are worth: exact sums, rounded half-up once."""

from __future__ import annotations

from collections.abc import Mapping

from services.valuation.rules.positions import Holdings, fund_of
from shared.values.rounding import half_up_div
from shared.values.shares import Price

CENTS_BEYOND = 2**63
"""What no balance can be: shares bought at a thousandth of a cent and priced at millions; the price is wrong."""
COMMON_SCALE = 18
"""Share decimals (at most 6) and price decimals (at most 12) together."""


def rounded_cents(n: int, d: int) -> int | None:
    """Return exact dollars ``n / d`` as cents, rounded half-up once; ``None`` for what no balance can be."""
    cents = half_up_div(n * 100, d)
    return cents if abs(cents) < CENTS_BEYOND else None


class Rates:
    """Prices of a date in a form that needs one multiplication per position: dollars times 10**scale per unit."""

    def __init__(self, prices: Mapping[str, Price], share_decimals: Mapping[str, int]) -> None:
        scales = [share_decimals[fund] + price.scale for fund, price in prices.items()]
        self.scale = max([COMMON_SCALE, *scales])
        self.per_unit = {
            fund: price.mantissa * 10 ** (self.scale - share_decimals[fund] - price.scale)
            for fund, price in prices.items()
        }
        self._of_holding: dict[str, int | None] = {}

    def _rate(self, key: str) -> int | None:
        rate = self._of_holding[key] = self.per_unit.get(fund_of(key))
        return rate

    def balance(self, holdings: Holdings) -> int | None:
        """Cents of all holdings; ``None`` when shares of an unpriced or senselessly priced fund are among them."""
        total = 0
        rates = self._of_holding
        for key, (units, _) in holdings.items():
            rate = rates[key] if key in rates else self._rate(key)
            if rate is None:
                if units:
                    return None
                continue
            total += units * rate
        return rounded_cents(total, 10**self.scale)

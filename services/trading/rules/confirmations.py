"""Is a confirmation right? It wins, but only when it agrees with the order and the date's final price."""

from __future__ import annotations

from dataclasses import dataclass

from shared.values.shares import Price, shares_deviation_is_a_unit_or_more


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the custodian says: whole units of the fund's smallest share, cents, and the price per share."""

    units: int
    cents: int
    price: Price


def judge(order_unit: str, order_amount: int, confirmed: Confirmed, final: Price, share_decimals: int) -> str | None:
    """The code of what is wrong, or ``None``: price, then the order's amount, then shares against amount / price."""
    if confirmed.price != final:
        return "PRICE_MISMATCH"
    if order_unit == "cents":
        if confirmed.cents != order_amount:
            return "AMOUNT_MISMATCH"
    elif confirmed.units != order_amount:
        return "AMOUNT_MISMATCH"
    if order_unit == "cents":
        wrong = shares_deviation_is_a_unit_or_more(confirmed.units, confirmed.cents, final, share_decimals)
    else:
        cent = 10 ** (share_decimals + final.scale)
        wrong = abs(confirmed.cents * cent - confirmed.units * final.mantissa * 100) >= cent
    return "SHARES_MISMATCH" if wrong else None

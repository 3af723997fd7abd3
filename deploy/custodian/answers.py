"""What the custodian says to an order: pure arithmetic, right on purpose or wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from shared.values.invariants import invariant
from shared.values.rounding import half_up_div
from shared.values.shares import Price, dollars_of, shares_bought, shares_text, units_of

Action = Literal["confirm", "reject", "late", "duplicate", "misprice", "wrong_shares"]
ACTIONS: tuple[Action, ...] = ("confirm", "reject", "late", "duplicate", "misprice", "wrong_shares")

REJECTION_REASON = "rejected by the custodian"
PENDING_REASON = "confirmation will follow"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as received: exactly one of ``cents`` and ``shares`` (decimal text) is given."""

    order_id: str
    plan_id: str
    fund_id: str
    trade_date: str
    side: str
    cents: int | None
    shares: str | None
    action: Action = "confirm"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One answer. Figures are absent in ``pending`` and ``rejected``."""

    order_id: str
    status: str
    version: int
    shares: str | None = None
    price: str | None = None
    cents: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares (smallest units of the fund), dollars (cents) and the price that joins them."""

    units: int
    cents: int
    price: str


def figures_at(order: Order, price: str, share_decimals: int) -> Figures:
    """The figures of ``order`` at ``price``: a dollar order keeps its dollars, a share order its shares."""
    parsed = Price.parse(price)
    if order.cents is not None:
        return Figures(shares_bought(order.cents, parsed, share_decimals), order.cents, price)
    invariant(order.shares is not None, "an order names dollars or shares")
    units = units_of(str(order.shares), share_decimals)
    return Figures(units, dollars_of(units, share_decimals, parsed), price)


def price_one_percent_off(price: str) -> str:
    """``price`` and 1 % in the decimals it is written with, and at least one unit of the last decimal more."""
    whole, _, decimals = price.partition(".")
    mantissa = int(whole + decimals)
    wrong = str(max(half_up_div(mantissa * 101, 100), mantissa + 1)).zfill(len(decimals) + 1)
    return f"{wrong[: -len(decimals)]}.{wrong[-len(decimals) :]}" if decimals else wrong


def with_one_percent_more_shares(right: Figures) -> Figures:
    """``right`` with 1 % more shares, at least two units more, so that no rounding can explain it."""
    return replace(right, units=max(half_up_div(right.units * 101, 100), right.units + 2))


def rejection(order: Order) -> Confirmation:
    """The order will not be executed."""
    return Confirmation(order.order_id, "rejected", 1, reason=REJECTION_REASON)


def pending(order: Order) -> Confirmation:
    """The order is in hand and will be confirmed later."""
    return Confirmation(order.order_id, "pending", 1, reason=PENDING_REASON)


def executed(order: Order, price: str, share_decimals: int) -> tuple[list[Confirmation], Figures]:
    """The answers to an order whose price is known, and the figures the custodian books."""

    def says(figures: Figures, status: str, version: int) -> Confirmation:
        text = shares_text(figures.units, share_decimals)
        return Confirmation(order.order_id, status, version, text, figures.price, figures.cents)

    right = figures_at(order, price, share_decimals)
    match order.action:
        case "late":
            return [says(right, "confirmed", 2)], right
        case "duplicate":
            return [says(right, "confirmed", 1)] * 2, right
        case "misprice":
            wrong = figures_at(order, price_one_percent_off(price), share_decimals)
        case "wrong_shares":
            wrong = with_one_percent_more_shares(right)
        case _:
            return [says(right, "confirmed", 1)], right
    return [says(wrong, "confirmed", 1), says(right, "corrected", 2)], right

"""The custodian's books in memory: facts go in, answers and changed rows come out.

Pure: the session saves what a batch changed together with the positions it was read from, in one transaction, and
reloads these books from the database after any failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import orjson

from deploy.custodian.answers import Confirmation, Figures, Order, executed, pending, rejection
from shared.values.shares import shares_text

HOLDINGS_PART_ROWS = 2000
NEVER = ""
"""Sorts before every ISO date: no value cut was seen yet."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish: ``kind`` names the topic, ``ce_id`` and ``value`` never change once written."""

    kind: str
    key: str
    ce_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What became of an order: ``waiting`` for its price, ``pending`` (late) or ``done``."""

    order_id: str
    state: str
    figures: Figures | None = None


@dataclass
class Effects:
    """Everything one batch changed, to be saved in one transaction."""

    messages: list[Message] = field(default_factory=list)
    changes: list[OrderChange] = field(default_factory=list)
    decimals_by_fund: dict[str, int] = field(default_factory=dict)
    price_by_fund_date: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    positions: set[tuple[str, str]] = field(default_factory=set)
    value_cuts: list[str] = field(default_factory=list)


def confirmation_message(confirmation: Confirmation) -> Message:
    """The event of one confirmation; its id is derived from order and version, so a repeat carries the same."""
    body = {name: value for name, value in asdict(confirmation).items() if name != "reason" or value is not None}
    ce_id = f"{confirmation.order_id}:{confirmation.version}"
    return Message("confirmation", confirmation.order_id, ce_id, orjson.dumps(body))


class Books:
    """Orders in hand, prices, and the shares held per (plan, fund)."""

    def __init__(self) -> None:
        self.decimals_by_fund: dict[str, int] = {}
        self.price_by_fund_date: dict[tuple[str, str], tuple[str, int]] = {}
        self.units_by_plan_fund: dict[tuple[str, str], int] = {}
        self.last_value_cut = NEVER
        self._open: defaultdict[tuple[str, str], dict[str, Order]] = defaultdict(dict)
        self.effects = Effects()

    def take_effects(self) -> Effects:
        """Hand out what changed since the last call."""
        effects, self.effects = self.effects, Effects()
        return effects

    def restore_open(self, order: Order) -> None:
        """Put an order that was received before, and is not done, back in hand."""
        self._open[order.fund_id, order.trade_date][order.order_id] = order

    def receive_fund(self, fund_id: str, share_decimals: int) -> None:
        """Learn a fund's share scale; the first one stays."""
        if fund_id in self.decimals_by_fund:
            return
        self.decimals_by_fund[fund_id] = self.effects.decimals_by_fund[fund_id] = share_decimals
        for fund, trade_date in [key for key in self._open if key[0] == fund_id]:
            self._answer(fund, trade_date)

    def receive_price(self, fund_id: str, price_date: str, price: str, version: int) -> None:
        """Learn a final or corrected price; orders already answered keep theirs."""
        known = self.price_by_fund_date.get((fund_id, price_date))
        if known is not None and known[1] >= version:
            return
        self.price_by_fund_date[fund_id, price_date] = (price, version)
        self.effects.price_by_fund_date[fund_id, price_date] = (price, version)
        self._answer(fund_id, price_date)

    def receive_order(self, order: Order) -> None:
        """Take an order that was never seen before and answer it as far as possible."""
        if order.action == "reject":
            self._reject(order)
            return
        late = order.action == "late"
        if late:
            self.effects.messages.append(confirmation_message(pending(order)))
        self.effects.changes.append(OrderChange(order.order_id, "pending" if late else "waiting"))
        self.restore_open(order)
        self._answer(order.fund_id, order.trade_date, (order,))

    def receive_value_cut(self, trade_date: str) -> None:
        """Report the holdings of ``trade_date``, then confirm the late orders up to it."""
        if trade_date <= self.last_value_cut:
            return
        self.last_value_cut = trade_date
        self.effects.value_cuts.append(trade_date)
        self.effects.messages.extend(self._holdings(trade_date))
        for fund_id, order_date in sorted(key for key in self._open if key[1] <= trade_date):
            self._answer(fund_id, order_date)

    def _reject(self, order: Order) -> None:
        self.effects.messages.append(confirmation_message(rejection(order)))
        self.effects.changes.append(OrderChange(order.order_id, "done"))

    def _answer(self, fund_id: str, trade_date: str, orders: tuple[Order, ...] | None = None) -> None:
        """Answer the open orders of (fund, date) that can be answered now."""
        price = self.price_by_fund_date.get((fund_id, trade_date))
        share_decimals = self.decimals_by_fund.get(fund_id)
        if price is None or share_decimals is None:
            return
        open_orders = self._open.get((fund_id, trade_date), {})
        for order in orders or tuple(open_orders.values()):
            if order.action != "late" or trade_date <= self.last_value_cut:
                del open_orders[order.order_id]
                self._execute(order, price[0], share_decimals)
        if not open_orders:
            self._open.pop((fund_id, trade_date), None)

    def _execute(self, order: Order, price: str, share_decimals: int) -> None:
        try:
            confirmations, booked = executed(order, price, share_decimals)
        except ValueError:  # A share order finer than the fund's smallest share cannot be executed.
            self._reject(order)
            return
        place = (order.plan_id, order.fund_id)
        signed = booked.units if order.side == "buy" else -booked.units
        self.units_by_plan_fund[place] = self.units_by_plan_fund.get(place, 0) + signed
        self.effects.positions.add(place)
        self.effects.messages.extend(map(confirmation_message, confirmations))
        self.effects.changes.append(OrderChange(order.order_id, "done", booked))

    def _holdings(self, trade_date: str) -> Iterator[Message]:
        rows = [
            {"plan_id": plan_id, "fund_id": fund_id, "shares": shares_text(units, self.decimals_by_fund[fund_id])}
            for (plan_id, fund_id), units in sorted(self.units_by_plan_fund.items())
            if units
        ]
        slices = [rows[start : start + HOLDINGS_PART_ROWS] for start in range(0, len(rows), HOLDINGS_PART_ROWS)] or [[]]
        for part, positions in enumerate(slices, start=1):
            body = {"date": trade_date, "part": part, "parts": len(slices), "positions": positions}
            yield Message("holdings", trade_date, f"holdings:{trade_date}:{part}", orjson.dumps(body))

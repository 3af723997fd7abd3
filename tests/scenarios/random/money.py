"""The money of one plan after its lines were decided: cash, orders, fills, positions, by the house rules.

Times are indexes of listed days. An order of day t that is confirmed late is posted with day t + 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tests.scenarios.random.exact import divided, half_up

Holder = tuple[str, str]
"""(participant, source): what a fill is divided over."""
Action = Callable[[str, str], str]
"""The custodian's action for (fund, side)."""


@dataclass
class Leg:
    """All cents of a holder in one buy order; after the fill also the shares they bought, and what reversals left."""

    holder: Holder
    fund: str
    cents: int = 0
    units: int = 0
    filled_on: int | None = None


@dataclass
class Part:
    """The cents of one line and source in one fund. ``leg`` is None while they wait for an order."""

    holder: Holder
    fund: str
    cents: int
    leg: Leg | None = None


@dataclass
class Unwinding:
    """Cents of a part that a reversal takes back."""

    part: Part
    cents: int


@dataclass
class Order:
    """What goes to the custodian: ``cents`` to buy with or ``units`` to sell, by holder."""

    fund: str
    side: str
    share_by_holder: dict[Holder, int]
    legs: dict[Holder, Leg] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Cents of a buy, share units of a sell."""
        return sum(self.share_by_holder.values())


@dataclass
class Trust:
    """One plan's trust account."""

    decimals: Mapping[str, int]
    waiting: list[Part] = field(default_factory=list)
    unwindings: list[Unwinding] = field(default_factory=list)
    sells: defaultdict[str, dict[Holder, int]] = field(default_factory=lambda: defaultdict(dict))
    late: list[tuple[Order, str]] = field(default_factory=list)
    units: dict[tuple[str, str, str], int] = field(default_factory=dict)
    cash: int = 0

    def buy(self, holder: Holder, cents: int, percents: Mapping[str, str]) -> list[Part]:
        """Split released cents of one line and source over funds; they join the next orders."""
        split = divided(cents, {fund: Fraction(percent) for fund, percent in percents.items()})
        parts = [Part(holder, fund, amount) for fund, amount in split.items() if amount]
        self.waiting += parts
        return parts

    def take_back(self, parts: list[Part], cents: int) -> None:
        """A reversal after the release: the line's own split gives back, in proportion to what is left of it."""
        left = {part.fund: part.cents for part in parts}
        for fund, amount in divided(cents, left).items():
            if amount:
                part = next(part for part in parts if part.fund == fund)
                self.unwindings.append(Unwinding(part, amount))
                part.cents -= amount

    def trade(self, day: int, prices: Mapping[str, str], action: Action) -> list[Order]:
        """Build the day's orders, have them answered at the day's prices, and return them."""
        arrived, self.late = self.late, []
        for order, price in arrived:
            self._fill(order, price, day)
        self._unwind(day)
        orders = [*self._buys(), *self._sells()]
        for order in orders:
            done = action(order.fund, order.side)
            if done == "reject":
                self._rejected(order)
            elif done == "late":
                self.late.append((order, prices[order.fund]))
            else:
                self._fill(order, prices[order.fund], day)
        return orders

    def _unwind(self, day: int) -> None:
        """Cancel what waits for an order, sell what was bought on an earlier day, keep the rest for later."""
        tried, self.unwindings = self.unwindings, []
        for unwinding in tried:
            leg = unwinding.part.leg
            if leg is None:
                self.cash += unwinding.cents
            elif leg.filled_on is None or leg.filled_on >= day:
                self.unwindings.append(unwinding)
            else:
                units = half_up(Fraction(leg.units * unwinding.cents, leg.cents))
                leg.units -= units
                leg.cents -= unwinding.cents
                sells = self.sells[leg.fund]
                sells[leg.holder] = sells.get(leg.holder, 0) + units

    def _buys(self) -> list[Order]:
        parts, self.waiting = self.waiting, []
        orders: dict[str, Order] = {}
        for part in parts:
            if not part.cents:
                continue
            order = orders.setdefault(part.fund, Order(part.fund, "buy", {}))
            order.parts.append(part)
            order.share_by_holder[part.holder] = order.share_by_holder.get(part.holder, 0) + part.cents
            part.leg = order.legs.setdefault(part.holder, Leg(part.holder, part.fund))
            part.leg.cents += part.cents
        return list(orders.values())

    def _sells(self) -> list[Order]:
        sells, self.sells = self.sells, defaultdict(dict)
        orders = [Order(fund, "sell", {who: units for who, units in by.items() if units}) for fund, by in sells.items()]
        return [order for order in orders if order.size]

    def _rejected(self, order: Order) -> None:
        if order.side == "sell":
            self.sells[order.fund] = dict(order.share_by_holder)
            return
        for part in order.parts:
            part.leg = None
        self.waiting += order.parts

    def _fill(self, order: Order, price: str, day: int) -> None:
        scale = 10 ** self.decimals[order.fund]
        if order.side == "sell":
            self.cash += half_up(order.size * 100 * Fraction(price) / scale)
            for (who, source), units in order.share_by_holder.items():
                self.units[who, source, order.fund] -= units
            return
        bought = half_up(Fraction(order.size, 100) / Fraction(price) * scale)
        for holder, units in divided(bought, order.share_by_holder).items():
            leg = order.legs[holder]
            leg.units, leg.filled_on = units, day
            key = (*holder, order.fund)
            self.units[key] = self.units.get(key, 0) + units

    def worth(self, prices: Mapping[str, str]) -> dict[str, int]:
        """Cents of each participant's positions: the exact sum, rounded once."""
        exact: defaultdict[str, Fraction] = defaultdict(Fraction)
        for (who, _, fund), units in self.units.items():
            exact[who] += units * 100 * Fraction(prices[fund]) / 10 ** self.decimals[fund]
        return {who: half_up(value) for who, value in exact.items()}

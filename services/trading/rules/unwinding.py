"""What a reversal after the trade sells, and whose the money is (A11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from shared.values.invariants import invariant
from shared.values.rounding import half_up_div
from shared.values.split import split_largest_remainder


def units_to_sell(units_left: int, cents_left: int, cents: int) -> int:
    """Return the share units behind ``cents`` of a leg that has ``cents_left`` and ``units_left``.

    In proportion, half-up; the last cents take the last unit, whatever the reversals before them took.
    """
    invariant(0 < cents <= cents_left and units_left >= 0, "a reversal takes at most what is left of the leg")
    return half_up_div(units_left * cents, cents_left)


class SaleOutcome(NamedTuple):
    """Where the dollars of sold legs go, in cents: ``returnable + gain`` is what plan cash gets.

    ``cost``: the cents that were reversed. ``gain``: what the shares earned; it stays in the plan. ``loss``: what they
    lost; the employer's to bear, since less comes back than was contributed.
    """

    cost: int = 0
    returnable: int = 0
    gain: int = 0
    loss: int = 0

    @property
    def plan_cash(self) -> int:
        """The confirmed dollars."""
        return self.returnable + self.gain

    def __neg__(self) -> SaleOutcome:
        return SaleOutcome(*(-cents for cents in self))

    def postings(self) -> tuple[list[str], list[int]]:
        """Accounts and amounts of the plan cash journal; they sum to zero."""
        accounts = ["reversed", "market_gain", "returnable", "gain", "employer_loss"]
        return accounts, [-self.cost, -self.gain, self.returnable, self.gain, self.loss]

    def forfeiture_postings(self) -> tuple[list[str], list[int]]:
        """The same dollars moved within plan cash to the forfeiture account; a loss is the market's, nobody's debt."""
        accounts = ["returnable", "gain", "employer_loss", "forfeiture", "market_loss"]
        return accounts, [-self.returnable, -self.gain, -self.loss, self.plan_cash, self.loss]


def forfeited_proceeds(cost: int, forfeited: int, proceeds: int) -> int:
    """Return the dollars of the forfeited part of a leg that holds reversals too, by largest remainder on the cost.

    Ties go to the forfeiture.
    """
    invariant(0 < forfeited <= cost, "a leg has what was forfeited of it")
    return split_largest_remainder(proceeds, (forfeited, cost - forfeited))[0]


def sale_outcome(legs: Iterable[tuple[int, int]]) -> SaleOutcome:
    """Add up (cost, proceeds) of sold legs, each by itself: earnings stay in the plan, losses reduce the return.

    ERISA 403(c)(2)(A)(ii), 29 CFR 2550: a contribution by a mistake of fact comes back without earnings, less losses.
    """
    cost = returnable = gain = loss = 0
    for reversed_cents, proceeds in legs:
        cost += reversed_cents
        returnable += min(reversed_cents, proceeds)
        gain += max(0, proceeds - reversed_cents)
        loss += max(0, reversed_cents - proceeds)
    return SaleOutcome(cost, returnable, gain, loss)

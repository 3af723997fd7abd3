"""What a confirmation does to its order: one step at a time, as values, so that a round of them is a plain loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.trading.rules.orders import CONFIRMED, NEXT

CONFLICT = "CONFIRMATION_CONFLICT"


@dataclass(frozen=True, slots=True)
class Checked:
    """A confirmation whose figures were checked.

    ``says`` is the custodian's own word; ``came`` is what the check made of it: ``pending``, ``rejected``,
    ``confirmed`` (its figures are right, whether first or corrected) or ``broken``, with the ``code`` that says why.
    """

    order_id: str
    version: int
    says: str
    came: str
    code: str | None = None
    price: str | None = None
    cents: int | None = None
    units: int | None = None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order before or after a confirmation.

    ``version`` names the confirmation that its fills are made of (``None`` while it has none) and price, cents and
    units are that one's; ``None`` there stands for what is stored already.
    """

    order_id: str
    status: str
    break_code: str | None = None
    version: int | None = None
    price: str | None = None
    cents: int | None = None
    units: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one confirmation did: the order after it, the verdict to keep, and what has to be posted because of it."""

    after: OrderState
    verdict: str
    is_refused: bool = False
    is_accepted: bool = False
    reverses: int | None = None
    """The version whose fills are taken back first, when an accepted confirmation corrects a filled order."""


def within(legs: Sequence[int], legs_max: int) -> int:
    """How many confirmations are judged in one round, by the legs of each: at least one, else it would never come."""
    total = 0
    for number, of_one in enumerate(legs):
        total += of_one
        if number and total > legs_max:
            return number
    return len(legs)


def follow(order: OrderState, said: Checked, book_date: date, heard: int = 0) -> Step:
    """One step in the life of an order; what may not follow, and an older version, is refused and changes nothing.

    ``heard`` is the highest version believed or found broken so far: the custodian has spoken since what is older.
    """
    is_correction = order.status == CONFIRMED and said.came == "confirmed" and said.says == "corrected"
    status = NEXT.get((order.status, "corrected" if is_correction else said.came))
    if status is None or max(order.version or 0, heard) >= said.version:
        return Step(order, f"refused:{CONFLICT}", is_refused=True)
    if said.came != "confirmed":
        # What was filled stays as it is: only right figures may replace it.
        after = replace(order, status=status, break_code=said.code)
        return Step(after, f"{said.came}:{said.code}" if said.code else said.came)
    after = OrderState(said.order_id, status, None, said.version, said.price, said.cents, said.units)
    return Step(
        after,
        f"accepted:{book_date.isoformat()}",
        is_accepted=True,
        reverses=order.version if is_correction else None,
    )

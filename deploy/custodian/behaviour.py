"""Which order gets which answer: by a file of actions, by rates from a seed, or both (the file wins).

A rate draws from a hash of seed and order id, so a restarted custodian decides alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from deploy.custodian.answers import Action, Order

ONE = 1_000_000
"""Rates are counted in millionths: no floats decide anything here."""


class ListedAction(BaseModel):
    """One line of the file of actions: the orders it is about, and what happens to them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fund: str
    trade_date: str
    side: str
    action: Action
    plan: str | None = None


@dataclass(frozen=True)
class Behaviour:
    """The custodian's mood."""

    listed: Sequence[ListedAction] = ()
    seed: int = 0
    millionths_by_action: tuple[tuple[Action, int], ...] = ()

    def decide(self, order: Order) -> Order:
        """``order`` with the action it will get."""
        for line in self.listed:
            if (line.fund, line.trade_date, line.side) == (order.fund_id, order.trade_date, order.side) and (
                line.plan in (None, order.plan_id)
            ):
                return replace(order, action=line.action)
        return replace(order, action=self._drawn(order.order_id)) if self.millionths_by_action else order

    def _drawn(self, order_id: str) -> Action:
        digest = hashlib.blake2b(f"{self.seed}|{order_id}".encode(), digest_size=8).digest()
        left = int.from_bytes(digest) % ONE
        for action, millionths in self.millionths_by_action:
            if left < millionths:
                return action
            left -= millionths
        return "confirm"


def read_actions(path: Path | None) -> list[ListedAction]:
    """The file of actions; none given = no actions. Raises ``pydantic.ValidationError`` for a wrong file."""
    if path is None:
        return []
    return TypeAdapter(list[ListedAction]).validate_json(path.read_bytes())


def millionths(rate: Decimal) -> int:
    """A rate between 0 and 1 as whole millionths. Raises ``ValueError`` outside that range."""
    if not 0 <= rate <= 1:
        raise ValueError(f"a rate lies between 0 and 1, not {rate}")
    return int(rate * ONE)

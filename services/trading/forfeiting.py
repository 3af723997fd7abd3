"""The plans' forfeiture accounts: the part of sale proceeds that comes from shares that somebody forfeited.

A sell may hold legs of reversals and of forfeitures. Its dollars are posted to plan cash as a whole; what forfeited
legs brought is then moved, within plan cash, to the account ``forfeiture``: no total of plan cash is touched by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from services.trading import store_forfeitures
from services.trading.rules.unwinding import forfeited_proceeds, sale_outcome
from shared.runtime.work import Work
from shared.values.hashing import bucket_of

POSTINGS_PER_TASK = 250
Key = tuple[str, str]
"""(participant, source)."""
Forfeited = dict[Key, int]
"""Cents forfeited, as they were credited."""


async def forfeited_by_order(work: Work, orders: list[str]) -> dict[str, Forfeited]:
    """What of the legs of some sells was forfeited."""
    found: dict[str, Forfeited] = {}
    for row in await work.connection.fetch(store_forfeitures.FORFEITED_OF, orders):
        found.setdefault(row["order_id"], {})[row["participant_id"], row["source"]] = row["cents"]
    return found


class Account:
    """Collects what forfeited legs brought, and has it written in one go."""

    def __init__(self, book_date: date, cycle: str = "value") -> None:
        self.book_date, self.cycle = book_date, cycle
        self.rows: list[tuple[Any, ...]] = []
        self.bodies: list[list[Any]] = []

    def add(
        self,
        plan_id: str,
        name: str,
        version: int,
        legs: Iterable[tuple[Key, int, int]],
        forfeited: Forfeited,
        sign: int = 1,
    ) -> None:
        """Note the forfeited part of (key, cost, proceeds) legs; ``sign`` -1 takes an earlier version back."""
        pairs = []
        for key, cost, proceeds in legs:
            if key in forfeited:
                brought = forfeited_proceeds(cost, forfeited[key], proceeds)
                pairs.append((forfeited[key], brought))
                self.rows.append(
                    (self.book_date, plan_id, *key, name, version, sign * forfeited[key], sign * brought)
                )  # fmt: skip
        if pairs:
            outcome = sale_outcome(pairs)
            self.bodies.append([plan_id, name, version, *(outcome if sign > 0 else -outcome)])

    async def write(self, work: Work) -> None:
        """Write who forfeited what, and ask the plans' lanes to post it (builder only)."""
        if not self.rows:
            return
        await work.connection.execute(store_forfeitures.INSERT, *map(list, zip(*self.rows, strict=True)))
        by_lane: dict[int, list[Any]] = {}
        for body in self.bodies:
            by_lane.setdefault(bucket_of(body[0]) % work.partitions, []).append(body)
        for lane, bodies in sorted(by_lane.items()):
            for start in range(0, len(bodies), POSTINGS_PER_TASK):
                asked = bodies[start : start + POSTINGS_PER_TASK]
                work.add_task(lane, self.cycle, self.book_date, "post_forfeitures", asked, work.now(0))

"""Fills that valuation has set aside, read from the rows as they were frozen: terms of the proof of every date."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import msgspec

from deploy.operate import store_flow
from deploy.operate.books import Book
from shared.events.packed import Fill
from shared.events.topics import TRADES_FILLED


class _Frozen(msgspec.Struct):
    """What a proof needs of a frozen item."""

    fill: Fill


_decode = msgspec.msgpack.Decoder(tuple[str, _Frozen]).decode


@dataclass(frozen=True, slots=True)
class ParkedFills:
    """Of one date: what was parked on it, what was freed for it, what its close found parked."""

    parked: list[Fill] = field(default_factory=list)
    freed: list[Fill] = field(default_factory=list)
    waiting: list[Fill] = field(default_factory=list)

    @property
    def moved(self) -> bool:
        """True when the date's fills are not those that were posted for it."""
        return bool(self.parked or self.freed)


async def parked_fills(book: Book, day: date) -> ParkedFills:
    """The parked fills that the proof of ``day`` must count."""
    found = ParkedFills()
    for row in await book.rows(store_flow.PARKED_FILLS, day, TRADES_FILLED.name):
        fill = _decode(row["item"])[1].fill
        if row["trade_date"] == day:
            found.parked.append(fill)
        if row["freed_for"] == day:
            found.freed.append(fill)
        if row["freed_for"] is None or row["freed_for"] > day:
            found.waiting.append(fill)
    return found


def kind_of(fill: Fill) -> str:
    """The kind of the journal entry that posts it; without a version nothing was confirmed."""
    return "write_off" if not fill.version else "fill_reversed" if fill.reversal else "fill"


def cents_of(fill: Fill) -> int:
    """The cents its entry books against the custodian: what a buy costs; what a sell brings, negative."""
    return sum(fill.cents) if fill.proceeds is None else -sum(fill.proceeds)


def cost_of_sales(fills: list[Fill]) -> int:
    """The cost that sells take out of the positions."""
    return -sum(sum(fill.cents) for fill in fills if fill.proceeds is not None)

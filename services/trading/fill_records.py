"""Fills on their way to valuation: what takes one back, and packed records of a bounded size."""

from __future__ import annotations

import msgspec

from services.trading.handlers import RULE_SET
from shared.events.packed import Fill, FilledBatch
from shared.events.topics import TRADES_FILLED
from shared.runtime.work import Task, Work

LEGS_PER_RECORD = 3_000
FILLED = "nestwork.trades.filled.v1"


def mirror(fill: Fill) -> Fill:
    """What takes a fill back, at its own price."""
    return msgspec.structs.replace(
        fill,
        cents=[-cents for cents in fill.cents],
        units=[-units for units in fill.units],
        proceeds=None if fill.proceeds is None else [-cents for cents in fill.proceeds],
        reversal=True,
    )


def say_fills(work: Work, task: Task, fills: list[Fill]) -> None:
    """Send fills on to valuation, some thousand legs in a record."""
    chunk: list[Fill] = []
    legs = 0
    for fill in fills:
        if chunk and legs + len(fill.cents) > LEGS_PER_RECORD:
            _say(work, task, chunk)
            chunk, legs = [], 0
        chunk.append(fill)
        legs += len(fill.cents)
    if chunk:
        _say(work, task, chunk)


def _say(work: Work, task: Task, fills: list[Fill]) -> None:
    first = fills[0]
    work.emit(
        task.lane,
        TRADES_FILLED.name,
        key=None,
        ce_type=FILLED,
        ce_id=f"trading/{task.lane}/{task.trade_date.isoformat()}/{first.order_id}/{first.version}/{int(first.reversal)}",
        value=msgspec.json.encode(FilledBatch(task.trade_date.isoformat(), RULE_SET, fills)),
        recorded_at=task.recorded_at,
    )

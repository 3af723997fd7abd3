"""Apply a batch of items; a participant whose event cannot be applied is found by halving, and parked.

The others are served. What is parked waits for an operator (``parking``), with all that follows for that participant.
"""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from shared.runtime.definition import Kind
from shared.runtime.logs import error_text, get_logger
from shared.runtime.tracing import handler_span, trace_id_of
from shared.runtime.work import ParkedItem, Work
from shared.values.invariants import InvariantBroken

log = get_logger(__name__)

OUR_FAULT = (
    InvariantBroken, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ArithmeticError, LookupError,
    ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What one participant's event can raise when we have a bug or it meets a constraint: park him, serve the others."""

LOGGED_ITEMS_MAX, NAME_CHARACTERS_MAX = 20, 200


async def run_handler(work: Work, kind: Kind, items: list[Any]) -> None:
    """Run one handler; a participant whose items it can't apply is parked, found by halving."""
    parked = {number: lane.parked for number, lane in work.lanes.items() if lane.parked}
    if parked:
        for item in items:
            if item.key in parked.get(item.lane, ()):
                _park(work, kind, item, "PARKED", "an earlier event of this participant is parked")
        items = [item for item in items if item.key not in parked.get(item.lane, ())]
    with handler_span(kind.ce_type, items):
        await _apply(work, kind, items)


async def _apply(work: Work, kind: Kind, items: list[Any]) -> None:
    if not items:
        return
    mark = work.mark()
    try:
        async with work.connection.transaction():
            await kind.handle(work, items)
        return
    except OUR_FAULT as failure:
        work.restore(mark)
        await work.reload_caches()
        cause = failure
    keys = list(dict.fromkeys((item.lane, item.key) for item in items))
    if len(keys) == 1:
        named = [named_in_logs(item) for item in items[:LOGGED_ITEMS_MAX]]
        log.error("participant_parked", topic=items[0].topic, events=named, error=error_text(cause), exc_info=cause)
        for item in items:
            _park(work, kind, item, "PARKED", repr(cause))
        work.lanes[keys[0][0]].parked.add(keys[0][1])
        return
    first = set(keys[: len(keys) // 2])
    await _apply(work, kind, [item for item in items if (item.lane, item.key) in first])
    await _apply(work, kind, [item for item in items if (item.lane, item.key) not in first])


def named_in_logs(item: Any) -> dict[str, str]:
    """How a log line names an event: its id, its payroll and its trace; never who it is about."""
    body = getattr(item, "body", None)
    payroll = (
        body.get("payroll_id") if isinstance(body, dict) else getattr(getattr(item, "line", None), "payroll_id", None)
    )
    found = {
        "event_id": getattr(item, "ce_id", None) or getattr(item, "cause", None),
        "payroll_id": payroll,
        "trace_id": trace_id_of(getattr(item, "trace", None)),
    }
    return {name: str(value)[:NAME_CHARACTERS_MAX] for name, value in found.items() if value}


def _park(work: Work, kind: Kind, item: Any, code: str, detail: str) -> None:
    frozen = msgspec.msgpack.encode((kind.ce_type, item))
    number = work.next_entry(item.lane)
    work.parked.append(
        ParkedItem(
            item.lane, item.key, number, item.topic, item.offset, item.trade_date, item.recorded_at, code,
            detail.replace("\x00", "")[:500], item.cents, frozen,
        )
    )  # fmt: skip
    work.count(item.lane, item.topic, item.trade_date, "parked")

"""Freeing a parked participant: what could not be applied is tried again in the order it came, by the lane's owner.

An operator asks for it with a task row. Freed money takes the date that is open when it is freed; the parked rows stay
with that date, because they are a term of the proofs of both dates.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from shared.runtime.applying import OUR_FAULT
from shared.runtime.definition import Kind, Service
from shared.runtime.lanes import Lane
from shared.runtime.logs import error_text, get_logger
from shared.runtime.records import short_detail
from shared.runtime.work import Task, Work

log = get_logger(__name__)
UNPARK = "unpark"
FRAME_CYCLE = "frame"
"""Tasks of the frame belong to no cycle of a service: no date waits for them to close."""
ITEMS_PER_SLICE = 500

SELECT_PARKED_ITEMS = """
SELECT number, topic, item FROM parked WHERE lane = $1 AND key = $2 AND freed_for IS NULL AND number > $3
ORDER BY number LIMIT $4"""
MARK_FREED = """
UPDATE parked SET freed_for = freed.on_date FROM unnest($3::bigint[], $4::date[]) AS freed(number, on_date)
WHERE parked.lane = $1 AND parked.key = $2 AND parked.number = freed.number"""
NOTE_FAILURE = "UPDATE parked SET detail = $4 WHERE lane = $1 AND key = $2 AND number = $3"

Batch = tuple[Kind, list[Any]]


def thawed(service: Service, topic: str, frozen: bytes) -> tuple[Kind, Any]:
    """The kind and the item of a parked row, as its handler saw it."""
    ce_type, item = msgspec.msgpack.decode(frozen, type=tuple[str, msgspec.Raw])
    kind = next(kind for kind in service.input_of(topic).kinds if kind.ce_type == ce_type)
    return kind, msgspec.msgpack.decode(item, type=kind.item_type)


def may_unpark(lane: Lane, service: Service) -> bool:
    """True between two dates: what is said for the open date must stand behind the lane's marker of the one before."""
    closed = lane.cycles[service.cycles[0].name].last_closed
    return all(lane.inputs[source.topic.name].last_cut == closed for source in service.inputs)


async def unpark(work: Work, task: Task) -> int | None:
    """Apply one slice of the task's participant; the position is the last item's number.

    If it fails again nothing of the slice is applied and the participant stays parked, with the new reason.
    """
    key, lane = task.body["key"], work.lanes[task.lane]
    rows = await work.connection.fetch(SELECT_PARKED_ITEMS, lane.number, key, task.position or 0, ITEMS_PER_SLICE)
    if rows and not await _apply(work, lane, key, rows):
        return None
    if len(rows) == ITEMS_PER_SLICE:
        return int(rows[-1]["number"])
    work.after_commit(lambda: lane.parked.discard(key))
    log.info("participant_unparked", lane=lane.number, items=len(rows))
    return None


async def _apply(work: Work, lane: Lane, key: str, rows: list[Any]) -> bool:
    mark = work.mark()
    try:
        async with work.connection.transaction():
            dates: list[date] = []
            for kind, items in _batches(work.service, lane, rows, dates):
                await kind.handle(work, items)
            await work.connection.execute(MARK_FREED, lane.number, key, [row["number"] for row in rows], dates)
    except OUR_FAULT as failure:
        work.restore(mark)
        await work.reload_caches()
        log.error("participant_stays_parked", lane=lane.number, error=error_text(failure), exc_info=failure)
        detail = short_detail(repr(failure))
        await work.connection.execute(NOTE_FAILURE, lane.number, key, rows[0]["number"], detail)
        return False
    for row, day in zip(rows, dates, strict=True):
        work.count(lane.number, row["topic"], day, "parked", -1)
    return True


def _batches(service: Service, lane: Lane, rows: list[Any], dates: list[date]) -> list[Batch]:
    """The items by consecutive kind and date, ready for their handlers; adds each item's new date to ``dates``."""
    batches: list[Batch] = []
    for row in rows:
        kind, item = thawed(service, row["topic"], row["item"])
        item.lane, item.trade_date = lane.number, lane.inputs[row["topic"]].open_date
        if hasattr(item, "label"):
            item.label = item.trade_date
        dates.append(item.trade_date)
        if not batches or batches[-1][0] is not kind or batches[-1][1][0].trade_date != item.trade_date:
            batches.append((kind, []))
        batches[-1][1].append(item)
    return batches

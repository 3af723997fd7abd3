"""One poll: lock and check the lanes, move the positions, decide whole batches, write, all in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from operator import lt
from typing import Any

import asyncpg
import msgspec
import orjson
from aiokafka import TopicPartition

from shared.runtime import metrics
from shared.runtime.definition import Input, Kind, Service
from shared.runtime.errors import LogLoss, PoisonMessage
from shared.runtime.guards import Guards
from shared.runtime.lanes import LOCK_LANES, Lane, LaneInput
from shared.runtime.logs import error_text, get_logger
from shared.runtime.records import (
    LANE_CLOSED,
    MARKERS,
    VALUE_CUT,
    Malformed,
    Record,
    record_of,
    unknown_type_code,
    who_sent,
)
from shared.runtime.signing import SIGNATURE_HEADER, is_signed
from shared.runtime.strays import freeze, thaw
from shared.runtime.tracing import handler_span, trace_id_of
from shared.runtime.work import ParkedItem, Work
from shared.values.hashing import murmur2_many
from shared.values.invariants import InvariantBroken
from shared.values.trading_days import trade_date_of_stamp

log = get_logger(__name__)

MOVE_INPUTS = """
UPDATE lane_inputs AS stored SET next_offset = moved.to_offset, first_cut = moved.first_cut, last_cut = moved.last_cut,
  first_value_cut = moved.first_value_cut, last_value_cut = moved.last_value_cut, markers = moved.markers
FROM unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[], $5::date[], $6::date[], $7::date[], $8::date[],
            $9::jsonb[])
  AS moved(lane, topic, from_offset, to_offset, first_cut, last_cut, first_value_cut, last_value_cut, markers)
WHERE stored.lane = moved.lane AND stored.topic = moved.topic AND stored.next_offset = moved.from_offset"""
UPSERT_UPSTREAM = """
INSERT INTO upstream_totals (lane, topic, trade_date, totals) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"""

OUR_FAULT = (
    InvariantBroken, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ArithmeticError, LookupError,
    ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What one participant's event can raise when we have a bug or it meets a constraint: park him, serve the others."""


ANSWERED_CHARACTERS_MAX = 200
"""An answer repeats at most so much of what a sender wrote: it has to fit in a record."""

LOGGED_ITEMS_MAX, NAME_CHARACTERS_MAX = 20, 200


@dataclass(slots=True)
class Slice:
    """The records a poll takes from one partition of one input, and where that leaves the lane."""

    place: TopicPartition
    source: Input
    lane: Lane
    before: LaneInput
    after: LaneInput
    records: list[Record] = field(default_factory=list)
    taken: int = 0


class Poll:
    """Everything one poll needs; made anew for each."""

    def __init__(
        self, service: Service, guards: Guards, marker_secret: bytes, market_mode: bool, partitions: int
    ) -> None:
        self.service, self.guards, self.secret = service, guards, marker_secret
        self.market_mode, self.partitions = market_mode, partitions

    # -- choosing ------------------------------------------------------------------------------------------------

    def cut_slice(
        self, place: TopicPartition, source: Input, lane: Lane, fetched: Sequence[Any], limit: date | None, budget: int
    ) -> Slice | None:
        """Take records up to the first marker, the first record dated after ``limit``, or the budget."""
        before = lane.inputs[place.topic]
        chosen = Slice(place, source, lane, before, before.copy())
        open_date, partition = before.open_date, place.partition
        self._check_order(before.next_offset, fetched)
        if source.internal:
            self._check_dense(place, before.next_offset, fetched)
        for raw in fetched:
            if chosen.taken >= budget:
                break
            record = record_of(partition, raw)
            ce_type = record.ce_type
            if ce_type in MARKERS:
                if self._take_marker(chosen, record, ce_type):
                    break
                continue
            record.trade_date = open_date
            if source.all_to_all:
                record = thaw(record)
            elif self.market_mode and not source.internal:
                record.trade_date = max(open_date, trade_date_of_stamp(raw.timestamp))
            if limit is not None and record.trade_date > limit:
                break
            chosen.records.append(record)
            chosen.taken += 1
        if not chosen.taken:
            return None
        chosen.after.next_offset = fetched[chosen.taken - 1].offset + 1
        return chosen

    def _check_order(self, expected: int, fetched: Sequence[Any]) -> None:
        """A reader may go back between two fetches, so also in the middle of what is buffered."""
        offsets = [record.offset for record in fetched]
        if offsets:
            self.guards.offsets.check_read(expected, offsets[0])
        if not all(map(lt, offsets, offsets[1:])):
            for earlier, offset in pairwise(offsets):
                self.guards.offsets.check_read(earlier + 1, offset)

    def _check_dense(self, place: TopicPartition, expected: int, fetched: Sequence[Any]) -> None:
        if fetched:
            self.guards.gap.check_offset(place.topic, place.partition, expected, fetched[0].offset)
            count = len(fetched)
            if fetched[-1].offset != fetched[0].offset + count - 1:
                for number, record in enumerate(fetched):
                    self.guards.gap.check_offset(
                        place.topic, place.partition, fetched[0].offset + number, record.offset
                    )

    def _take_marker(self, chosen: Slice, record: Record, ce_type: str) -> bool:
        """Move the lane's cut when the marker is a new one; true when it did, so that the poll ends here."""
        chosen.taken += 1
        trade_date = self._marker_date(chosen.source, record, ce_type)
        if trade_date is None:
            record.trade_date = chosen.before.open_date
            chosen.records.append(record)
            return False
        chosen.records.append(record)
        after = chosen.after
        if ce_type == VALUE_CUT:
            if after.last_value_cut is None or trade_date > after.last_value_cut:
                after.first_value_cut = after.first_value_cut or trade_date
                after.last_value_cut = trade_date
                return True
            return False
        if chosen.source.all_to_all:
            return self._take_one_of_many(chosen, record, trade_date)
        if after.last_cut is None or trade_date > after.last_cut:
            after.first_cut = after.first_cut or trade_date
            after.last_cut = trade_date
            return True
        return False

    def _marker_date(self, source: Input, record: Record, ce_type: str) -> date | None:
        """The marker's date, or ``None`` when it is not one of ours."""
        try:
            body = orjson.loads(record.value or b"")
            text = body["trade_date"]
            trade_date = date.fromisoformat(text)
        except (ValueError, KeyError, TypeError):
            return None
        if source.internal:
            return trade_date if ce_type == LANE_CLOSED else None
        signature = record.headers.get(SIGNATURE_HEADER, b"")
        signed = is_signed(self.secret, signature, ce_type, text, record.topic, record.partition)
        return trade_date if signed and ce_type != LANE_CLOSED else None

    def _take_one_of_many(self, chosen: Slice, record: Record, trade_date: date) -> bool:
        """An all-to-all log has met D when the markers of all P sending lanes are there."""
        sender = record.headers["stream"].decode().split("/")[1]
        markers = chosen.after.markers = {**chosen.after.markers, sender: trade_date.isoformat()}
        if len(markers) < self.partitions:
            return False
        met = date.fromisoformat(min(markers.values()))
        after = chosen.after
        if after.last_cut is None or met > after.last_cut:
            after.first_cut = after.first_cut or met
            after.last_cut = met
            return True
        return False

    # -- deciding ------------------------------------------------------------------------------------------------

    async def lock(self, work: Work, lanes: list[Lane]) -> None:
        """Take the lanes' row locks in order and check that the claims are still ours."""
        stored = await work.connection.fetch(LOCK_LANES, sorted(lane.number for lane in lanes))
        self.guards.claim.check(
            {lane.number: lane.claim for lane in lanes},
            {row["lane"]: (row["incarnation"], row["generation"]) for row in stored},
        )

    async def move(self, work: Work, slices: list[Slice]) -> None:
        """Move the positions where they still are what this worker read from."""
        columns: list[list[Any]] = [[] for _ in range(9)]
        for part in slices:
            after = part.after
            values = (
                part.lane.number, part.place.topic, part.before.next_offset, after.next_offset, after.first_cut,
                after.last_cut, after.first_value_cut, after.last_value_cut, orjson.dumps(after.markers).decode(),
            )  # fmt: skip
            for column, value in zip(columns, values, strict=True):
                column.append(value)
        status = await work.connection.execute(MOVE_INPUTS, *columns)
        self.guards.offsets.check(len(slices), int(status.split()[1]))

    async def decide(self, work: Work, slices: list[Slice]) -> None:
        """Hand the records to the service's handlers, input by input, type by type, in order."""
        for source in self.service.inputs:
            mine = [part for part in slices if part.source is source]
            if mine:
                batch = await self._sort_out(work, source, mine)
                await self._run_handlers(work, source, batch)

    async def _sort_out(self, work: Work, source: Input, slices: list[Slice]) -> list[tuple[Kind, Record]]:
        kinds = {kind.ce_type: kind for kind in source.kinds}
        batch: list[tuple[Kind, Record]] = []
        for part in slices:
            work.at(part.lane.number, part.records[-1].recorded_at)
            if source.internal:
                records = self._fresh(work, part)
            else:
                records = part.records
                self._count_offsets(work, part)
            for record in records:
                kind = kinds.get(record.ce_type)
                if kind is not None:
                    batch.append((kind, record))
                else:
                    await self._not_an_event(work, source, part, record)
        if source.keyed_by_participant and not source.internal:
            batch = self._forward_strays(work, batch)
        return batch

    def _count_offsets(self, work: Work, part: Slice) -> None:
        """Count public offsets of the date; what was advanced and not seen are transaction holes."""
        lane, topic, day = part.lane.number, part.place.topic, part.before.open_date
        advanced = part.after.next_offset - part.before.next_offset
        by_date: dict[date, int] = defaultdict(int)
        for record in part.records:
            by_date[record.trade_date if record.ce_type not in MARKERS else day] += 1
        holes = advanced - len(part.records)
        by_date[day] += holes
        for dated, offsets in by_date.items():
            work.count(lane, topic, dated, "offsets", offsets)
        if holes:
            work.count(lane, topic, day, "holes", holes)

    def _fresh(self, work: Work, part: Slice) -> list[Record]:
        """Drop repeats by stream, epoch and seq; a gap is loss."""
        fresh = []
        for record in part.records:
            try:
                stream = record.headers["stream"].decode()
                epoch, seq = int(record.headers["epoch"]), int(record.headers["seq"])
            except (KeyError, ValueError):
                raise LogLoss(f"{record.topic}/{record.partition}@{record.offset} carries no sequence") from None
            place = (part.lane.number, stream)
            last = work.received.get(place) or part.lane.received.get(stream, (1, 0))
            if self.guards.sequence.is_repeat(last, epoch, seq):
                metrics.RECORDS_REPEATED.labels(topic=record.topic).inc()
                continue
            self.guards.gap.check_sequence(stream, last, epoch, seq)
            work.received[place] = (epoch, seq)
            fresh.append(record)
        return fresh

    async def _not_an_event(self, work: Work, source: Input, part: Slice, record: Record) -> None:
        """Markers, and records of a type this input does not know."""
        ce_type = record.ce_type
        if ce_type in MARKERS:
            trade_date = self._marker_date(source, record, ce_type)
            if trade_date is not None:
                if source.internal:
                    await work.connection.execute(
                        UPSERT_UPSTREAM, part.lane.number, record.topic, trade_date, (record.value or b"{}").decode()
                    )
                else:
                    work.count(part.lane.number, record.topic, part.before.open_date, "markers")
                work.wakes_others = True
                return
            work.dead_letter(record, "UNSIGNED_MARKER", "a cut marker without the engine's signature")
            return
        if source.internal:
            raise LogLoss(f"{record.topic}/{record.partition}@{record.offset}: unknown internal type {ce_type!r}")
        code = unknown_type_code(ce_type, [kind.ce_type for kind in source.kinds])
        await self._refuse(work, source, record, PoisonMessage(code, ce_type or "no ce_type header"))

    async def _refuse(self, work: Work, source: Input, record: Record, poison: PoisonMessage) -> None:
        """Dead-letter a record; answer it too when it says who sent it."""
        work.dead_letter(record, poison.code, poison.detail)
        if source.malformed is None:
            return
        try:
            key, ce_id, ce_source = who_sent(record)
        except PoisonMessage:
            return
        detail = poison.detail[:ANSWERED_CHARACTERS_MAX]
        await source.malformed(work, Malformed(record, poison.code, detail, ce_id, ce_source, key))

    def _forward_strays(self, work: Work, batch: list[tuple[Kind, Record]]) -> list[tuple[Kind, Record]]:
        """Send records that came by the wrong partition to their lane; the others stay."""
        keyed = [(kind, record) for kind, record in batch if record.key]
        stays = [(kind, record) for kind, record in batch if not record.key]
        hashes = murmur2_many([record.key or b"" for _, record in keyed])
        rerouting = self.service.rerouting
        for (kind, record), hashed in zip(keyed, hashes, strict=True):
            home = hashed % self.partitions
            if home == record.partition or rerouting is None:
                stays.append((kind, record))
                continue
            work.count(record.lane, record.topic, record.trade_date, "forwarded")
            work.emit(
                record.lane,
                rerouting.topic.name,
                key=record.key,
                ce_type="nestwork.record.rerouted.v1",
                ce_id=f"{record.topic}/{record.partition}/{record.offset}",
                value=freeze(record),
                recorded_at=record.recorded_at,
                partition=home,
            )
        if len(keyed) + len(stays) != len(batch) or stays != batch:
            stays.sort(key=lambda pair: (pair[1].topic, pair[1].partition, pair[1].offset))
        return stays

    async def _run_handlers(self, work: Work, source: Input, batch: list[tuple[Kind, Record]]) -> None:
        """Explode records into items and run each type's handler over consecutive items of that type."""
        runs: list[tuple[Kind, list[Any]]] = []
        for kind, record in batch:
            try:
                items = kind.explode(record)
            except PoisonMessage as poison:
                if source.internal and record.landed is None:
                    raise LogLoss(f"{record.topic}/{record.partition}@{record.offset}: {poison}") from poison
                await self._refuse(work, source, record, poison)
                continue
            if not runs or runs[-1][0] is not kind:
                runs.append((kind, []))
            runs[-1][1].extend(items)
        for kind, items in runs:
            for day_items in _by_date(items):
                await self.run_handler(work, kind, day_items)

    async def run_handler(self, work: Work, kind: Kind, items: list[Any]) -> None:
        """Run one handler; a participant whose items it can't apply is parked, found by halving."""
        parked = {number: lane.parked for number, lane in work.lanes.items() if lane.parked}
        if parked:
            for item in items:
                if item.key in parked.get(item.lane, ()):
                    _park(work, kind, item, "PARKED", "an earlier event of this participant is parked")
            items = [item for item in items if item.key not in parked.get(item.lane, ())]
        with handler_span(kind.ce_type, items):
            await self._apply(work, kind, items)

    async def _apply(self, work: Work, kind: Kind, items: list[Any]) -> None:
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
        await self._apply(work, kind, [item for item in items if (item.lane, item.key) in first])
        await self._apply(work, kind, [item for item in items if (item.lane, item.key) not in first])


def _by_date(items: list[Any]) -> list[list[Any]]:
    """Consecutive items of one business date: what a handler sees is always of one date."""
    if len({item.trade_date for item in items}) <= 1:
        return [items] if items else []
    grouped: dict[date, list[Any]] = {}
    for item in items:
        grouped.setdefault(item.trade_date, []).append(item)
    return [grouped[day] for day in sorted(grouped)]


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

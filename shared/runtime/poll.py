"""One poll: lock and check the lanes, move the positions, decide whole batches, write, all in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson

from shared.runtime import metrics
from shared.runtime.applying import run_handler
from shared.runtime.definition import Input, Kind, Service
from shared.runtime.errors import PoisonMessage
from shared.runtime.guards import Guards
from shared.runtime.lanes import LOCK_LANES, Lane
from shared.runtime.logs import error_text, get_logger
from shared.runtime.records import MARKERS, UNREADABLE, Malformed, Record, lost, unknown_type_code, who_sent
from shared.runtime.slicing import Slice, Slicing
from shared.runtime.strays import freeze
from shared.runtime.work import Work
from shared.values.hashing import murmur2_many

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


ANSWERED_CHARACTERS_MAX = 200
"""An answer repeats at most so much of what a sender wrote: it has to fit in a record."""


class Poll:
    """What a worker does with the slices of a poll; keeps nothing from one to the next."""

    def __init__(
        self, service: Service, guards: Guards, marker_secret: bytes, market_mode: bool, partitions: int
    ) -> None:
        self.service, self.guards, self.partitions = service, guards, partitions
        self.slicing = Slicing(guards, marker_secret, market_mode, partitions)

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
                raise lost(record, "carries no sequence") from None
            place = (part.lane.number, stream)
            last = work.received.get(place) or part.lane.received.get(stream, (1, 0))
            if self.guards.sequence.is_repeat(last, epoch, seq):
                metrics.RECORDS_REPEATED.labels(topic=record.topic).inc()
                continue
            self.guards.gap.check_sequence(part.lane.number, stream, last, epoch, seq)
            work.received[place] = (epoch, seq)
            fresh.append(record)
        return fresh

    async def _not_an_event(self, work: Work, source: Input, part: Slice, record: Record) -> None:
        """Markers, and records of a type this input does not know."""
        ce_type = record.ce_type
        if ce_type in MARKERS:
            trade_date = self.slicing.marker_date(source, record, ce_type)
            if trade_date is None and source.internal:
                raise lost(record, f"a marker that names no date, {ce_type}")
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
            raise lost(record, f"unknown internal type {ce_type!r}")
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
            said_by_us = source.internal and record.landed is None
            try:
                items = kind.explode(record) if not said_by_us else _unpacked(kind, record)
            except PoisonMessage as poison:
                await self._refuse(work, source, record, poison)
                continue
            if not runs or runs[-1][0] is not kind:
                runs.append((kind, []))
            runs[-1][1].extend(items)
        for kind, items in runs:
            for day_items in _by_date(items):
                await run_handler(work, kind, day_items)


def _unpacked(kind: Kind, record: Record) -> Sequence[Any]:
    """The items of a record that a service of ours wrote: one that can't be read is a fault of its log, no poison."""
    try:
        return kind.explode(record)
    except (PoisonMessage, *UNREADABLE) as broken:
        raise lost(record, f"can't be read: {error_text(broken)}") from broken


def _by_date(items: list[Any]) -> list[list[Any]]:
    """Consecutive items of one business date: what a handler sees is always of one date."""
    if len({item.trade_date for item in items}) <= 1:
        return [items] if items else []
    grouped: dict[date, list[Any]] = {}
    for item in items:
        grouped.setdefault(item.trade_date, []).append(item)
    return [grouped[day] for day in sorted(grouped)]

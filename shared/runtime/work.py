"""The unit of work of one poll: what handlers may do, collected and written set-wise at its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson

from shared.runtime import metrics
from shared.runtime.clients import Connection
from shared.runtime.copying import copy_rows
from shared.runtime.definition import Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane
from shared.runtime.outbox import Message, OutboxRow, append, milliseconds, pack
from shared.runtime.records import Record, headers_as_json, letter_headers, short_detail

INSERT_TASKS = """
INSERT INTO tasks (lane, cycle, trade_date, kind, body, recorded_at)
SELECT * FROM unnest($1::int[], $2::text[], $3::date[], $4::text[], $5::jsonb[], $6::timestamptz[])"""
UPSERT_COUNTS = """
INSERT INTO input_counts (lane, topic, trade_date, outcome, records)
SELECT * FROM unnest($1::int[], $2::text[], $3::date[], $4::text[], $5::bigint[])
ON CONFLICT (trade_date, topic, lane, outcome) DO UPDATE SET records = input_counts.records + excluded.records"""
UPSERT_RECEIVED = """
INSERT INTO lane_received (lane, stream, epoch, seq)
SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::bigint[])
ON CONFLICT (lane, stream) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq"""
UPDATE_LANES = """
UPDATE lanes SET next_entry = moved.next_entry, recorded_at = greatest(lanes.recorded_at, moved.recorded_at)
FROM unnest($1::int[], $2::bigint[], $3::timestamptz[]) AS moved(lane, next_entry, recorded_at)
WHERE lanes.lane = moved.lane"""
INSERT_DEAD_LETTERS = """
INSERT INTO dead_letters (lane, topic, partition, record_offset, code, detail, trade_date, recorded_at, key, value,
                          headers, cents)
SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::date[],
                     $8::timestamptz[], $9::bytea[], $10::bytea[], $11::json[], $12::bigint[])
ON CONFLICT (topic, partition, record_offset) DO NOTHING"""
PARKED_COLUMNS = [
    "lane", "key", "number", "topic", "record_offset", "trade_date", "recorded_at", "code", "detail", "cents", "item",
]  # fmt: skip
NOTIFY = "SELECT pg_notify('nestwork', '')"
CE_TYPE_CHARACTERS_MAX = 128
DEAD_LETTER = "nestwork.dead-letter.v1"


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the builder for one lane; ``position`` is what its last slice returned."""

    number: int
    lane: int
    cycle: str
    trade_date: date
    kind: str
    body: Any
    position: Any
    recorded_at: datetime


class ParkedItem(NamedTuple):
    """A row of ``parked``."""

    lane: int
    key: str
    number: int
    topic: str
    record_offset: int
    trade_date: date
    recorded_at: datetime
    code: str
    detail: str
    cents: int
    item: bytes


class DeadLetter(NamedTuple):
    """A row of ``dead_letters``."""

    lane: int
    topic: str
    partition: int
    record_offset: int
    code: str
    detail: str
    trade_date: date
    recorded_at: datetime
    key: bytes | None
    value: bytes | None
    headers: str
    cents: int


class Mark(NamedTuple):
    """How far the collections were, so that a failed handler's share can be taken back."""

    messages: dict[tuple[int, str, int], int]
    entries: dict[int, int]
    counts: dict[tuple[int, str, date, str], int]
    letters: int
    parked: int
    tasks: int
    hooks: int


class Work:
    """One poll's unit of work. Handlers read and write through ``connection`` and say the rest through methods."""

    def __init__(
        self, connection: Connection, service: Service, lanes: Mapping[int, Lane], facts: FactCache, guards: Guards
    ) -> None:
        self.connection, self.service, self.lanes, self.facts, self.guards = connection, service, lanes, facts, guards
        self.partitions = 1
        self.messages: dict[tuple[int, str, int], list[Message]] = defaultdict(list)
        self.entries: dict[int, int] = {}
        self.recorded: dict[int, datetime] = {}
        self.counts: dict[tuple[int, str, date, str], int] = defaultdict(int)
        self.letters: list[DeadLetter] = []
        self.parked: list[ParkedItem] = []
        self.received: dict[tuple[int, str], tuple[int, int]] = {}
        self.tasks: list[tuple[int, str, date, str, str, datetime]] = []
        self.hooks: list[Callable[[], None]] = []
        self.rows: list[OutboxRow] = []
        self.ends: dict[tuple[int, str, int], tuple[int, int]] = {}
        self.wakes_others = False
        self.backlog_done = 0
        """Items of backlogs that were looked at, of all lanes together: who works one off bounds the transaction."""

    # -- what handlers say ---------------------------------------------------------------------------------------

    def emit(
        self,
        lane: int,
        topic: str,
        *,
        key: bytes | None,
        ce_type: str,
        ce_id: str,
        value: bytes,
        recorded_at: datetime,
        partition: int | None = None,
        trace: str | None = None,
        extra: list[tuple[str, bytes | None]] | None = None,
    ) -> None:
        """Say something on ``topic``, in the lane's own partition unless another is given."""
        place = (lane, topic, lane if partition is None else partition)
        self.messages[place].append(Message(key, ce_type, ce_id, milliseconds(recorded_at), value, trace, extra))

    def next_entry(self, lane: int, count: int = 1) -> int:
        """The first of ``count`` journal entry numbers of this lane."""
        first = self.entries.get(lane, self.lanes[lane].next_entry)
        self.entries[lane] = first + count
        return first

    def at(self, lane: int, recorded_at: datetime) -> datetime:
        """The recorded time of an effect of a record appended at ``recorded_at``: monotone per lane."""
        known = self.recorded.get(lane, self.lanes[lane].recorded_at)
        if recorded_at > known:
            self.recorded[lane] = known = recorded_at
        return known

    def now(self, lane: int) -> datetime:
        """The lane's recorded time: the append time of its newest record."""
        return self.recorded.get(lane, self.lanes[lane].recorded_at)

    def count(self, lane: int, topic: str, day: date, outcome: str, records: int = 1) -> None:
        """Count what became of public records."""
        self.counts[lane, topic, day, outcome] += records

    def dead_letter(self, record: Record, code: str, detail: str, cents: int = 0) -> None:
        """Keep a record that broke the contract, in the table and on its ``.dlq`` topic."""
        detail = short_detail(detail)
        topic, partition, offset = record.origin
        self.letters.append(
            DeadLetter(
                record.lane,
                topic,
                partition,
                offset,
                code,
                detail,
                record.trade_date,
                record.recorded_at,
                record.key,
                record.original_value,
                headers_as_json(record),
                cents,
            )
        )
        self.count(record.lane, record.topic, record.trade_date, "dead_lettered")
        self.emit(
            record.lane,
            f"{topic}.dlq",
            key=record.key,
            ce_type=record.ce_type[:CE_TYPE_CHARACTERS_MAX] or DEAD_LETTER,
            ce_id=f"{topic}/{partition}/{offset}",
            value=record.original_value or b"",
            recorded_at=record.recorded_at,
            partition=partition,
            extra=letter_headers(record.raw_headers, code, detail, self.service.name, record.recorded_at),
        )

    def add_task(self, lane: int, cycle: str, day: date, kind: str, body: Any, recorded_at: datetime) -> None:
        """Ask the owner of ``lane`` to post something for ``day`` (builder only)."""
        self.tasks.append((lane, cycle, day, kind, orjson.dumps(body).decode(), recorded_at))

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Change memory only once the poll is committed."""
        self.hooks.append(hook)

    # -- what the frame does with it -----------------------------------------------------------------------------

    def mark(self) -> Mark:
        """Remember the state before a handler runs."""
        return Mark(
            {place: len(said) for place, said in self.messages.items()},
            dict(self.entries),
            dict(self.counts),
            len(self.letters),
            len(self.parked),
            len(self.tasks),
            len(self.hooks),
        )

    def restore(self, mark: Mark) -> None:
        """Take back all that was said since ``mark``."""
        for place, said in self.messages.items():
            del said[mark.messages.get(place, 0) :]
        self.entries = dict(mark.entries)
        self.counts = defaultdict(int, mark.counts)
        for collected, length in (
            (self.letters, mark.letters),
            (self.parked, mark.parked),
            (self.tasks, mark.tasks),
            (self.hooks, mark.hooks),
        ):
            del collected[length:]

    async def reload_caches(self) -> None:
        """Make the lanes' caches anew from the rows: a handler that failed may have changed them on its way."""
        if self.service.on_claim is not None:
            for number, cache in (await self.service.on_claim(self.connection, list(self.lanes))).items():
                self.lanes[number].cache = cache

    async def flush(self) -> None:
        """Write everything that was collected; the last statements before COMMIT."""
        for (lane, topic, partition), said in self.messages.items():
            if not said:
                continue
            epoch, next_seq = self.lanes[lane].streams.get((topic, partition), (1, 1))
            rows, next_seq = pack(lane, topic, partition, epoch, next_seq, said)
            self.rows += rows
            self.ends[lane, topic, partition] = (epoch, next_seq)
        await append(self.connection, self.rows, self.ends)
        await self._flush_lanes()
        if self.letters:
            await self.connection.execute(INSERT_DEAD_LETTERS, *map(list, zip(*self.letters, strict=True)))
        if self.parked:
            await copy_rows(self.connection, "parked", PARKED_COLUMNS, self.parked)
        if self.tasks:
            await self.connection.execute(INSERT_TASKS, *map(list, zip(*self.tasks, strict=True)))
            self.wakes_others = True
        if self.wakes_others:
            await self.connection.execute(NOTIFY)

    async def _flush_lanes(self) -> None:
        moved = sorted(self.entries.keys() | self.recorded.keys())
        if moved:
            await self.connection.execute(
                UPDATE_LANES,
                moved,
                [self.entries.get(lane, self.lanes[lane].next_entry) for lane in moved],
                [self.now(lane) for lane in moved],
            )
        if self.received:
            keys, values = list(self.received), list(self.received.values())
            await self.connection.execute(
                UPSERT_RECEIVED,
                [key[0] for key in keys],
                [key[1] for key in keys],
                [value[0] for value in values],
                [value[1] for value in values],
            )
        if self.counts:
            rows = [(*key, records) for key, records in self.counts.items() if records]
            await self.connection.execute(UPSERT_COUNTS, *map(list, zip(*rows, strict=True)))

    def committed(self) -> None:
        """Move memory to where the database is now."""
        for lane, entry in self.entries.items():
            self.lanes[lane].next_entry = entry
        for lane, instant in self.recorded.items():
            self.lanes[lane].recorded_at = instant
        for (lane, topic, partition), end in self.ends.items():
            self.lanes[lane].streams[topic, partition] = end
        for (lane, stream), seen in self.received.items():
            self.lanes[lane].received[stream] = seen
        for item in self.parked:
            self.lanes[item.lane].parked.add(item.key)
        for hook in self.hooks:
            hook()
        self._count_metrics()

    def _count_metrics(self) -> None:
        for (_, topic, _, outcome), records in self.counts.items():
            # A held record that is decided later leaves "held" again; a counter only counts what came.
            metrics.RECORD_OUTCOMES.labels(topic=topic, outcome=outcome).inc(max(0, records))
        for letter in self.letters:
            metrics.DEAD_LETTERS.labels(code=letter.code).inc()
        for item in self.parked:
            metrics.PARKED.labels(code=item.code).inc()

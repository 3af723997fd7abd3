"""Reading what a business date has in a public log, between its cut and the one before, without the engine's help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.operate.partitions import places_of
from deploy.operate.target import OperatorError
from shared.runtime.clients import kafka_reader
from shared.runtime.records import DAY_CUT, MARKERS, VALUE_CUT, Record, date_by_stamp, record_of
from shared.runtime.settings import Settings
from shared.runtime.signing import SIGNATURE_HEADER, is_signed
from shared.values.trading_days import GENESIS

HINT_MARGIN_MS = 300_000
"""Clocks of database and broker may differ by this much; a marker not found behind the hint is looked for from 0."""
POLL_MS = 500
QUIET_POLLS_MAX = 40

Visit = Callable[[list[Record]], Awaitable[None]]


@dataclass(slots=True)
class DatedLog:
    """What one partition holds of a date."""

    partition: int
    records: int = 0
    markers: int = 0
    holes: int = 0
    cut_offset: int | None = None

    @property
    def offsets(self) -> int:
        """Offsets that the date takes."""
        return self.records + self.markers + self.holes


@dataclass(frozen=True, slots=True)
class DateBounds:
    """A date and what is known about the cuts around it. ``before`` is ``None`` on the cluster's first date."""

    day: date
    before: date | None
    before_marked_at: datetime | None
    cutoff_before: datetime | None
    """In market mode: records stamped from here on may belong to ``day`` although they stand before the cut."""

    @property
    def labels(self) -> tuple[date, ...]:
        """The labels of what belongs to the date: before the first cut nobody could know its name."""
        return (self.day,) if self.before is not None else (GENESIS, self.day)

    def hint_ms(self) -> int:
        """No record of the date was appended before this (milliseconds since 1970)."""
        known = [instant for instant in (self.before_marked_at, self.cutoff_before) if instant is not None]
        return max(0, int(min(known).timestamp() * 1000) - HINT_MARGIN_MS) if known else 0


@dataclass(slots=True)
class _Scan:
    """One partition on its way from the cut before to the cut of the date."""

    found: DatedLog
    next_offset: int
    is_open: bool
    """Whether the cut before was met."""
    pending: list[Record] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return self.found.cut_offset is not None


class DateReader:
    """Reads one topic's partitions between two cuts."""

    def __init__(self, config: Settings, topic: str, bounds: DateBounds) -> None:
        self._topic, self._bounds = topic, bounds
        self._secret = config.marker_secret()
        self._market_mode = config.market_mode == "on"
        self._config = config

    async def read(self, visit: Visit) -> list[DatedLog]:
        """What every partition holds of the date; ``visit`` sees its records (no markers). Raises ``OperatorError``."""
        places = await places_of(self._config, self._topic)
        consumer = kafka_reader(self._config)
        await consumer.start()
        try:
            consumer.assign(places)
            starts = await self._starts(consumer, places)
            return await self._scan_all(consumer, places, starts, visit)
        finally:
            await consumer.stop()

    async def _starts(self, consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self._bounds.before is None:
            return dict.fromkeys(places, 0)
        hinted = await consumer.offsets_for_times(dict.fromkeys(places, self._bounds.hint_ms()))
        return {place: hinted[place].offset if hinted.get(place) else 0 for place in places}

    async def _scan_all(
        self, consumer: AIOKafkaConsumer, places: list[TopicPartition], starts: dict[TopicPartition, int], visit: Visit
    ) -> list[DatedLog]:
        scans = {}
        for place in places:
            scans[place] = _Scan(DatedLog(place.partition), starts[place], self._bounds.before is None)
            consumer.seek(place, starts[place])
        quiet = 0
        while waiting := [place for place, scan in scans.items() if not scan.is_done]:
            fetched = await consumer.getmany(*waiting, timeout_ms=POLL_MS, max_records=10_000)
            quiet = 0 if fetched else quiet + 1
            if quiet > QUIET_POLLS_MAX:
                names = ", ".join(str(place.partition) for place in waiting)
                raise OperatorError(f"{self._topic}: partitions {names} hold no cut of {self._bounds.day}")
            for place, records in fetched.items():
                scan = scans[place]
                self._take(scan, records)
                if scan.is_done and not scan.is_open:
                    # The hint was behind the cut before: this partition is read from its beginning.
                    scans[place] = _Scan(DatedLog(place.partition), 0, False)
                    consumer.seek(place, 0)
                    continue
                if scan.pending:
                    await visit(scan.pending)
                    scan.pending = []
        return [scan.found for scan in scans.values()]

    def _take(self, scan: _Scan, fetched: list[Any]) -> None:
        for raw in fetched:
            record = record_of(raw.partition, raw)
            cut = self._marker_date(record)
            if scan.is_open and not scan.is_done:
                scan.found.holes += raw.offset - scan.next_offset
            scan.next_offset = raw.offset + 1
            if cut is None:
                self._count(scan, record, raw.timestamp)
            elif scan.is_open:
                scan.found.markers += 1
            if cut == (DAY_CUT, self._bounds.day):
                scan.found.cut_offset = raw.offset
                return
            if cut == (DAY_CUT, self._bounds.before):
                scan.is_open = True

    def _count(self, scan: _Scan, record: Record, timestamp_ms: int) -> None:
        """Count a record that belongs to the date; market mode dates a record by its stamp when that is later."""
        day = self._bounds.day
        stamped = date_by_stamp(self._topic, timestamp_ms) if self._market_mode else date.min
        if stamped == day or (scan.is_open and stamped < day):
            record.trade_date = day
            scan.found.records += 1
            scan.pending.append(record)

    def _marker_date(self, record: Record) -> tuple[str, date] | None:
        """(type, date) of a marker that the engine signed; anything else is a record like any other."""
        if record.ce_type not in MARKERS or record.ce_type not in (DAY_CUT, VALUE_CUT):
            return None
        try:
            text = orjson.loads(record.value or b"")["trade_date"]
            found = date.fromisoformat(text)
        except (ValueError, KeyError, TypeError):
            return None
        signature = record.headers.get(SIGNATURE_HEADER, b"")
        genuine = is_signed(self._secret, signature, record.ce_type, text, record.topic, record.partition)
        return (record.ce_type, found) if genuine else None

"""What a poll takes from one partition: whole records up to the next marker, in an order that nothing disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from operator import lt
from typing import Any

import orjson
from aiokafka import TopicPartition

from shared.runtime.definition import Input
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, LaneInput
from shared.runtime.records import LANE_CLOSED, MARKERS, UNREADABLE, VALUE_CUT, Record, date_by_stamp, lost, record_of
from shared.runtime.signing import SIGNATURE_HEADER, is_signed
from shared.runtime.strays import thaw
from shared.values.trading_days import CalendarUnknown


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


class Slicing:
    """Cuts slices and reads markers; knows the key that signs them and how many lanes send to each."""

    def __init__(self, guards: Guards, marker_secret: bytes, market_mode: bool, partitions: int) -> None:
        self.guards, self.secret = guards, marker_secret
        self.market_mode, self.partitions = market_mode, partitions

    def cut(
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
                try:
                    record.trade_date = max(open_date, date_by_stamp(place.topic, raw.timestamp))
                except CalendarUnknown:
                    break
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
        trade_date = self.marker_date(chosen.source, record, ce_type)
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

    def marker_date(self, source: Input, record: Record, ce_type: str) -> date | None:
        """Return the marker's date, or ``None`` when it is not one of ours."""
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
        try:
            sender = record.headers["stream"].decode().split("/")[1]
        except UNREADABLE:
            raise lost(record, "a marker that names no sender") from None
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

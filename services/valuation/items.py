"""The items this service's handlers see."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from shared.events.packed import Fill, FilledBatch
from shared.runtime.records import Record, dated

_decode = msgspec.json.Decoder(FilledBatch).decode


class FilledItem(msgspec.Struct, gc=False):
    """One order's fill for the participants of one lane."""

    lane: int
    topic: str
    offset: int
    recorded_at: datetime
    trade_date: date
    key: str
    fill: Fill

    @property
    def cents(self) -> int:
        """Cents at stake."""
        return sum(self.fill.cents)


def explode_filled(record: Record) -> list[FilledItem]:
    """The fills of a packed record."""
    batch = _decode(record.value or b"")
    book_date = dated(record, batch.book_date)
    return [
        FilledItem(record.lane, record.topic, record.offset, record.recorded_at, book_date, fill.order_id, fill)
        for fill in batch.fills
    ]

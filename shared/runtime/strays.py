"""Records that came by the wrong partition: how they travel to their participant's lane, and what they are there."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from shared.runtime.logs import error_text
from shared.runtime.records import UNREADABLE, Record, lost, present, unfolded

Landed = tuple[str, int, int, datetime, date]
_decode_frozen = msgspec.msgpack.Decoder(
    tuple[Landed, bytes | None, bytes | None, list[tuple[str, bytes | None]]]
).decode


def freeze(record: Record) -> bytes:
    """A record as bytes, with where it landed and the date that place gave it."""
    landed = (record.topic, record.partition, record.offset, record.recorded_at, record.trade_date)
    return msgspec.msgpack.encode((landed, record.key, record.original_value, record.raw_headers))


def thaw(carrier: Record) -> Record:
    """The record that ``freeze`` wrote, now in the lane of its participant, counted under the carrying topic.

    Raises ``LogLoss`` for what ``freeze`` never wrote.
    """
    try:
        landed, key, value, raw = _decode_frozen(carrier.value or b"")
        sequence = {name: carrier.headers[name] for name in ("stream", "epoch", "seq")}
    except UNREADABLE as broken:
        raise lost(carrier, f"can't be read: {error_text(broken)}") from broken
    topic, partition, offset, recorded_at, trade_date = landed
    record = unfolded(
        Record(
            carrier.lane, carrier.topic, carrier.partition, carrier.offset, recorded_at, key, value,
            present(raw), raw, trade_date, (topic, partition, offset),
        )
    )  # fmt: skip
    record.headers |= sequence
    return record

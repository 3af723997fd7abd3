"""The items this service's handlers see."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from shared.events.custodian import Confirmation
from shared.events.packed import InstructedBatch
from shared.runtime.errors import PoisonMessage
from shared.runtime.facts import parse_body
from shared.runtime.records import Record, dated, present, unpacked, who_sent

_decode = msgspec.json.Decoder(InstructedBatch).decode


class InstructedLine(msgspec.Struct, gc=False):
    """One line split over funds; ``legs`` is a matrix, sources by funds."""

    lane: int
    topic: str
    offset: int
    recorded_at: datetime
    trade_date: date
    key: str
    plan_id: str
    bucket: int
    cause: str
    sources: list[str]
    funds: list[str]
    legs: list[int]
    trace: str | None = None

    @property
    def cents(self) -> int:
        """Cents at stake."""
        return sum(self.legs)


class ConfirmationItem(msgspec.Struct, gc=False):
    """One confirmation with the bytes it came as, in case it has to be dead-lettered."""

    lane: int
    topic: str
    partition: int
    offset: int
    recorded_at: datetime
    trade_date: date
    key: str
    order_id: str
    status: str
    version: int
    shares: str | None
    price: str | None
    cents: int
    reason: str | None
    raw_key: bytes | None
    raw_value: bytes | None
    raw_headers: list[tuple[str, bytes | None]]

    def as_record(self) -> Record:
        """The record it came in."""
        return Record(
            self.lane, self.topic, self.partition, self.offset, self.recorded_at, self.raw_key, self.raw_value,
            present(self.raw_headers), self.raw_headers, self.trade_date,
        )  # fmt: skip


class ConfirmedOrder(msgspec.Struct, array_like=True, gc=False):
    """A confirmed order as the builder hands it to the lanes that hold its legs; ``cut`` ranks all of them."""

    order_id: str
    version: int
    reverses: int | None
    """The version whose fills are taken back first."""
    plan_id: str
    fund_id: str
    side: str
    trade_date: date
    price: str
    units: int
    amount: int
    cut: list[Any]


def explode_instructed(record: Record) -> list[InstructedLine]:
    """The lines of a packed record."""
    batch = _decode(record.value or b"")
    return unpacked(
        InstructedLine, record, dated(record, batch.trade_date), batch.participants, batch.plan_ids, batch.buckets,
        batch.causes, batch.sources, batch.funds, batch.cents, batch.traces or [None] * len(batch.participants),
    )  # fmt: skip


def explode_confirmation(record: Record) -> list[ConfirmationItem]:
    """The confirmation of a record. Raises ``PoisonMessage`` when its shape is wrong."""
    key, _, _ = who_sent(record)
    said = parse_body(Confirmation, record)
    assert isinstance(said, Confirmation)
    if key != said.order_id:
        raise PoisonMessage("KEY_MISMATCH", "the record's key is not its order_id")
    return [
        ConfirmationItem(
            record.lane, record.topic, record.partition, record.offset, record.recorded_at, record.trade_date,
            said.order_id, said.order_id, said.status, said.version, said.shares, said.price, said.cents or 0,
            said.reason, record.key, record.original_value, [(name, value) for name, value in record.raw_headers],
        )
    ]  # fmt: skip

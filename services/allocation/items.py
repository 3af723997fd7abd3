"""The items this service's handlers see."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from shared.events.packed import ReleasedBatch
from shared.runtime.records import Record, dated

_decode = msgspec.json.Decoder(ReleasedBatch).decode


class ReleasedLine(msgspec.Struct, gc=False):
    """One accepted payroll line that may trade on ``trade_date``; ``label`` is the log's own open date."""

    lane: int
    topic: str
    offset: int
    recorded_at: datetime
    label: date
    trade_date: date
    key: str
    plan_id: str
    bucket: int
    cause: str
    rule_set: str
    sources: list[str]
    amounts: list[int]
    trace: str | None = None

    @property
    def cents(self) -> int:
        """Cents at stake."""
        return sum(self.amounts)


def explode_released(record: Record) -> list[ReleasedLine]:
    """The lines of a packed record."""
    batch = _decode(record.value or b"")
    trade_date = dated(record, batch.trade_date)
    traces = batch.traces or [None] * len(batch.participants)
    return [
        ReleasedLine(
            record.lane, record.topic, record.offset, record.recorded_at, record.trade_date, trade_date, participant,
            plan, bucket, cause, batch.rule_set, sources, cents, trace,
        )
        for participant, plan, bucket, cause, sources, cents, trace in zip(
            batch.participants, batch.plan_ids, batch.buckets, batch.causes, batch.sources, batch.cents, traces,
            strict=True,
        )
    ]  # fmt: skip

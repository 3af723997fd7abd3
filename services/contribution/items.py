"""The items this service's handlers see."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from services.contribution.rules import intake
from shared.runtime.errors import PoisonMessage
from shared.runtime.records import Record, public_record


class LineItem(msgspec.Struct, gc=False):
    """One payroll line with its place in the log."""

    lane: int
    topic: str
    offset: int
    recorded_at: datetime
    trade_date: date
    key: str
    ce_id: str
    ce_source: str
    identity: bytes
    body_hash: bytes
    line: intake.Line
    trace: str | None = None
    resolution: str | None = None
    """What an operator said about a line that was held as a repeat: book or withdraw."""

    @property
    def cents(self) -> int:
        """Cents at stake when the line is parked."""
        return intake.requested_cents(self.line)

    @property
    def receipt_id(self) -> str:
        """The stable id of the final receipt."""
        return self.identity.hex()

    @property
    def waits_behind(self) -> tuple[str, str, int]:
        """A held line makes later ones of the same participant, plan and year wait."""
        return (self.line.participant_id, self.line.plan_id, self.line.pay_date.year)


def explode_line(record: Record) -> list[LineItem]:
    """The line of a public record. Raises ``PoisonMessage`` when its shape is wrong."""
    (public,) = public_record(record)
    try:
        line = intake.read_line(public.body)
    except intake.Broken as broken:
        raise PoisonMessage(broken.code, str(broken)) from None
    return [
        LineItem(
            public.lane, public.topic, public.offset, public.recorded_at, public.trade_date, public.key, public.ce_id,
            public.ce_source, public.identity, public.body_hash, line, public.trace,
        )
    ]  # fmt: skip

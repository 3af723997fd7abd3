"""The items this service's handlers see."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from services.contribution.rules import intake
from services.contribution.rules.reversals import Amounts
from shared.events.payroll import Forfeiture, Reversal
from shared.runtime.errors import PoisonMessage
from shared.runtime.publicevents import explode_model
from shared.runtime.records import PublicRecord, Record, public_record
from shared.values.identity import identity_of

_explode, _explode_forfeiture = explode_model(Reversal), explode_model(Forfeiture)


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


class ReversalRequest(PublicRecord):
    """A reversal with its place in the log."""

    @property
    def cents(self) -> int:
        """It submits nothing, so nothing of payroll's is at stake when it is parked."""
        return 0

    @property
    def forfeits(self) -> bool:
        """Whether it takes the unvested part, and not what payroll sent by mistake."""
        return self.ce_type == Forfeiture.ce_type

    @property
    def line_identity(self) -> bytes:
        """The line it names: a reversal's was sent for the same participant by the same source."""
        if self.forfeits:
            return bytes.fromhex(self.body["line"])
        return identity_of(self.key, self.ce_source, self.body["reverses"])

    @property
    def amounts(self) -> Amounts | None:
        """What it asks for; ``None`` = all that is left."""
        asked = self.body.get("amounts")
        return None if asked is None else tuple((part["source"], part["cents"]) for part in asked)


def explode_reversal(record: Record) -> list[ReversalRequest]:
    """The reversal of a public record. Raises ``PoisonMessage`` when its shape is wrong."""
    (public,) = _explode(record)
    return [ReversalRequest(*msgspec.structs.astuple(public))]


def explode_forfeiture(record: Record) -> list[ReversalRequest]:
    """The forfeiture of a public record. Raises ``PoisonMessage`` when its shape is wrong."""
    (public,) = _explode_forfeiture(record)
    return [ReversalRequest(*msgspec.structs.astuple(public))]

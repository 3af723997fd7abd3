"""The engine's answers to payroll lines and participant requests. All amounts are integer US cents."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from shared.events.base import Event
from shared.events.codes import Severity
from shared.events.fields import Body, Id, IsoDate, NotNegativeCents
from shared.events.payroll import Amount
from shared.events.topics import PARTICIPANT_RECEIPTS, PAYROLL_RECEIPTS, Topic

Status = Literal["accepted", "partially_accepted", "rejected", "duplicate", "held"]


class RequestRef(Body):
    """Which event is answered."""

    source: str
    """Its ce_source."""
    id: str
    """Its ce_id."""


class ReceiptCode(Body):
    """One reason; the registry of codes says what to do about it."""

    code: str
    """Name in the registry of reason codes."""
    severity: Severity
    """`error` cut cents or refused the request; `warning` and `info` did not."""
    source: str | None = None
    """The source whose cents it concerns."""
    cents: NotNegativeCents | None = None
    """How many cents it cut."""
    message: str
    """One sentence for a person."""


class Answer(Event):
    """What every answer has."""

    request: RequestRef
    """Which event is answered."""
    status: Status
    """One final answer per request; `held` is followed by a final one; `duplicate` repeats the first decision."""
    codes: tuple[ReceiptCode, ...] = ()
    """Why; each cut cent carries its code."""
    original_receipt_id: str | None = None
    """For a resend: the ce_id of the first answer."""
    decided_at: datetime
    """Append time of the record that caused the decision."""


class PayrollReceipt(Answer):
    """The answer to one payroll line; accepted + rejected = requested. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.receipt.v1"
    topic: ClassVar[Topic] = PAYROLL_RECEIPTS

    payroll_id: Id | None = None
    """The run of the line; null when the line could not be read."""
    accepted_cents: NotNegativeCents
    """What was accepted of the request."""
    rejected_cents: NotNegativeCents
    """What was cut."""
    credited: tuple[Amount, ...] = ()
    """What was recorded by source, after relabelling and with the engine's match."""
    trade_date: IsoDate | None = None
    """The business date of the decision; null before the first date of a new engine was closed."""


class ParticipantReceipt(Answer):
    """The answer to one participant request. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.participant.receipt.v1"
    topic: ClassVar[Topic] = PARTICIPANT_RECEIPTS

    effective_after: IsoDate | None = None
    """The business date it came on; it governs the dates after that. Null before any date was closed."""

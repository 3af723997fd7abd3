"""The engine's answers to payroll lines and requests."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Literal

from shared.events.base import EventBody, Id, NotNegativeCents
from shared.events.payroll import Amount


class RequestRef(EventBody):
    """Which request is answered: its ``ce_source`` and ``ce_id``."""

    source: str
    id: str


class ReceiptCode(EventBody):
    """One reason, from the registry; cents are those that this reason cut."""

    code: str
    severity: Literal["error", "warning", "info"]
    source: str | None = None
    cents: NotNegativeCents | None = None
    message: str


class PayrollReceipt(EventBody):
    """The answer to one payroll line. accepted + rejected = requested; ``held`` is followed by a final one."""

    ce_type: ClassVar[str] = "nestwork.payroll.receipt.v1"
    topic: ClassVar[str] = "payroll.receipts.v1"

    request: RequestRef
    payroll_id: Id | None
    status: Literal["accepted", "partially_accepted", "rejected", "duplicate", "held"]
    accepted_cents: NotNegativeCents
    rejected_cents: NotNegativeCents
    credited: list[Amount]
    codes: list[ReceiptCode]
    original_receipt_id: str | None = None
    decided_at: datetime
    trade_date: date | None = None


class ParticipantReceipt(EventBody):
    """The answer to one participant request."""

    ce_type: ClassVar[str] = "nestwork.participant.receipt.v1"
    topic: ClassVar[str] = "participant.receipts.v1"

    request: RequestRef
    status: Literal["accepted", "rejected", "duplicate", "held"]
    codes: list[ReceiptCode]
    effective_after: date | None = None
    original_receipt_id: str | None = None
    decided_at: datetime

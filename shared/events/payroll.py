"""Said by payroll integrations and the treasury."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from pydantic import Field, StrictInt

from shared.events.base import Cents, EventBody, Id, NotNegativeCents, PositiveCents


class Amount(EventBody):
    """Cents of one source."""

    source: Id
    cents: Cents


class Contribution(EventBody):
    """One participant's line of one payroll: what was withheld and what the employer adds, by source."""

    ce_type: ClassVar[str] = "nestwork.payroll.contribution.v1"
    topic: ClassVar[str] = "payroll.contributions.v1"

    plan_id: Id
    participant_id: Id
    payroll_id: Id
    pay_date: date
    compensation_cents: NotNegativeCents
    hours: Annotated[float | int, Field(ge=0)] | None = None
    amounts: Annotated[list[Amount], Field(max_length=64)]
    ytd: list[Amount] | None = None
    line_no: int | None = None


class Reversal(EventBody):
    """Takes back an accepted line, or part of it (default: all that is left)."""

    ce_type: ClassVar[str] = "nestwork.payroll.reversal.v1"
    topic: ClassVar[str] = "payroll.contributions.v1"

    plan_id: Id
    participant_id: Id
    payroll_id: Id
    reverses: Id
    amounts: Annotated[list[Amount], Field(max_length=64)] | None = None
    reason: str


class PayrollOpened(EventBody):
    """A payroll run begins."""

    ce_type: ClassVar[str] = "nestwork.payroll.opened.v1"
    topic: ClassVar[str] = "payroll.runs.v1"

    payroll_id: Id
    plan_id: Id | None = None
    pay_date: date | None = None
    line_count: StrictInt | None = None


class PayrollClosed(EventBody):
    """A payroll run is complete; its control totals must agree with what was submitted, or the run waits."""

    ce_type: ClassVar[str] = "nestwork.payroll.closed.v1"
    topic: ClassVar[str] = "payroll.runs.v1"

    payroll_id: Id
    plan_id: Id | None = None
    line_count: StrictInt | None = None
    cents_total: NotNegativeCents | None = None
    cents_by_source: dict[str, NotNegativeCents] | None = None
    hash_total: StrictInt | None = None


class PayrollFunded(EventBody):
    """Cash for a payroll run arrived."""

    ce_type: ClassVar[str] = "nestwork.payroll.funded.v1"
    topic: ClassVar[str] = "payroll.runs.v1"

    payroll_id: Id
    plan_id: Id | None = None
    cents: PositiveCents
    reference: str
    received_on: date | None = None


class PayrollReturned(EventBody):
    """The bank took the cash of a payroll run back."""

    ce_type: ClassVar[str] = "nestwork.payroll.returned.v1"
    topic: ClassVar[str] = "payroll.runs.v1"

    payroll_id: Id
    plan_id: Id | None = None
    cents: PositiveCents
    reference: str
    received_on: date | None = None

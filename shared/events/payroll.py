"""Said by payroll: lines and their reversals, and the life of a payroll run. All amounts are integer US cents."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.base import Event
from shared.events.fields import (
    Body,
    Cents,
    Count,
    DecimalText,
    Id,
    IsoDate,
    NotNegativeCents,
    PositiveCents,
    Text,
)
from shared.events.topics import PAYROLL_CONTRIBUTIONS, PAYROLL_RUNS, Topic

AMOUNTS_MAX = 64


class Amount(Body):
    """Money of one source on a line."""

    source: Id
    """Money type. One that is unknown or that the plan lacks is cut alone; the rest of the line goes on."""
    cents: Cents
    """Zero or more; a negative amount rejects the whole line (use a reversal)."""


Amounts = Annotated[tuple[Amount, ...], Field(max_length=AMOUNTS_MAX)]


class Contribution(Event):
    """One participant's money of one pay date. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.contribution.v1"
    topic: ClassVar[Topic] = PAYROLL_CONTRIBUTIONS

    plan_id: Id
    """The plan that receives the money."""
    participant_id: Id
    """Opaque id, never a name or a tax id; must equal the record's key."""
    payroll_id: Id
    """The payroll run this line belongs to; its cash comes on payroll.runs.v1."""
    pay_date: IsoDate
    """The day the pay is available; a deferral belongs to the calendar year of this date."""
    compensation_cents: NotNegativeCents
    """Plan compensation of the line; counts toward the annual cap even if the money is rejected."""
    hours: DecimalText | Count | None = None
    """Hours worked in the pay period."""
    amounts: Amounts
    """Money by source; a source named twice means the sum."""
    line_no: Count | None = None
    """The line's number in the payroll file, for people who look for it there."""
    ytd: Amounts | None = None
    """What payroll believes was contributed this year, this line included; compared, never booked."""
    employer_money: Literal["true_up", "nonelective", "discretionary", "restoration"] | None = None
    """Set on money the employer gives for a whole year (`nestwork employer`): the line may then carry employer sources
    only, also the one the engine matches into, and also for somebody who has left. A `restoration` gives back what was
    forfeited: no limit counts it."""


class Reversal(Event):
    """Take back what one accepted line contributed, wholly or in part. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.reversal.v1"
    topic: ClassVar[Topic] = PAYROLL_CONTRIBUTIONS

    plan_id: Id
    """The plan of the line."""
    participant_id: Id
    """The participant of the line; must equal the record's key."""
    payroll_id: Id
    """The payroll run of the reversal."""
    reverses: Id
    """The ce_id of the line, sent by the same ce_source."""
    amounts: Amounts | None = None
    """What to take back, by source as credited; left out = all that is left of the line."""
    reason: Text
    """Why, for the people who read the books."""


class Forfeiture(Event):
    """Take the unvested part of one recorded line from somebody who left. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.forfeiture.v1"
    topic: ClassVar[Topic] = PAYROLL_CONTRIBUTIONS

    plan_id: Id
    """The plan of the line."""
    participant_id: Id
    """The participant of the line; must equal the record's key."""
    payroll_id: Id
    """The name under which these forfeitures are found again."""
    line: Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{32}$")]
    """The line's identity: the ce_id of its receipt."""
    amounts: Annotated[tuple[Amount, ...], Field(min_length=1, max_length=AMOUNTS_MAX)]
    """What is forfeited, by source as credited: at most the unvested part, rounded up to the cent."""
    because: Literal["cash_out", "breaks"]
    """`cash_out`: the vested balance was paid out. `breaks`: five one-year breaks, which the census must show."""
    reason: Text
    """Why, for the people who read the books."""


class RepeatResolved(Event):
    """Somebody looked at a line held with DUPLICATE_PAYROLL_LINE and says what it is. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.repeat-resolved.v1"
    topic: ClassVar[Topic] = PAYROLL_CONTRIBUTIONS

    plan_id: Id
    """The plan of the line."""
    participant_id: Id
    """The participant of the line; must equal the record's key."""
    payroll_id: Id
    """The payroll run of the line."""
    resolves: Text
    """The ce_id of the held line."""
    line_source: Text | None = None
    """The ce_source of the held line; left out = that of this event."""
    action: Literal["book", "withdraw"]
    """`book`: it is a further line, decide it now. `withdraw`: it was sent twice, reject it."""
    reason: Text
    """Why, for the people who read the books."""


class PayrollOpened(Event):
    """A payroll run is about to be sent. Key: payroll_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.opened.v1"
    topic: ClassVar[Topic] = PAYROLL_RUNS

    payroll_id: Id
    """The run."""
    plan_id: Id | None = None
    """The plan of the run; a run belongs to one plan."""
    pay_date: IsoDate | None = None
    """The pay date of the run."""
    line_count: Count | None = None
    """How many lines will be sent."""
    cents_total: NotNegativeCents | None = None
    """How much will be sent."""


class PayrollClosed(Event):
    """All lines of a run have been sent; totals that differ from the lines stop the run. Key: payroll_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.closed.v1"
    topic: ClassVar[Topic] = PAYROLL_RUNS

    payroll_id: Id
    """The run."""
    plan_id: Id | None = None
    """The plan of the run."""
    line_count: Count | None = None
    """Lines submitted, rejected ones included, resends not."""
    cents_total: NotNegativeCents | None = None
    """Cents submitted over all lines and sources."""
    cents_by_source: dict[Id, NotNegativeCents] | None = None
    """Cents submitted by source."""
    hash_total: Annotated[int, Field(strict=True, ge=0, lt=10**10)] | None = None
    """Over all lines, the sum of the first four bytes (unsigned, big-endian) of SHA-256 of the participant id, modulo
    10,000,000,000: catches a line sent for the wrong person."""


class PayrollFunded(Event):
    """Cash for a run arrived at the trust. Key: payroll_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.funded.v1"
    topic: ClassVar[Topic] = PAYROLL_RUNS

    payroll_id: Id
    """The run the cash is for."""
    plan_id: Id | None = None
    """The plan; needed only for cash whose run has no lines yet."""
    cents: PositiveCents
    """How much arrived."""
    reference: Id
    """The bank's reference."""
    received_on: IsoDate | None = None
    """The day the bank booked it; information only, the cut in the log decides the trade date."""


class PayrollReturned(Event):
    """The bank took cash of a run back. Key: payroll_id."""

    ce_type: ClassVar[str] = "nestwork.payroll.returned.v1"
    topic: ClassVar[Topic] = PAYROLL_RUNS

    payroll_id: Id
    """The run the cash was for."""
    plan_id: Id | None = None
    """The plan of the run."""
    cents: PositiveCents
    """How much was taken back."""
    reference: Id
    """The bank's reference of the return."""
    received_on: IsoDate | None = None
    """The day the bank booked the return."""

"""Said by plan administration and payroll about a participant: dates, wages, hours, opening amounts. No names."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from shared.events.base import Event
from shared.events.fields import Body, Count, Id, IsoDate, NotNegativeCents
from shared.events.topics import PARTICIPANT_CENSUS, Topic

Year = Annotated[int, Field(ge=1900, le=2200)]


class Opening(Body):
    """What was deferred elsewhere, or before the engine kept the books, in one calendar year."""

    year: Annotated[int, Field(strict=True, ge=1900, le=2200)]
    """The calendar year."""
    regular_cents: NotNegativeCents = 0
    """Deferrals that count toward 402(g)."""
    catch_up_cents: NotNegativeCents = 0
    """Catch-up deferrals."""
    compensation_cents: NotNegativeCents = 0
    """Compensation that counts toward 401(a)(17)."""


class Census(Event):
    """A participant of a plan as known now; a later record replaces what it restates. Key: participant_id."""

    ce_type: ClassVar[str] = "nestwork.participant.census.v1"
    topic: ClassVar[Topic] = PARTICIPANT_CENSUS

    plan_id: Id
    """The plan."""
    participant_id: Id
    """Opaque id; must equal the record's key."""
    birth_date: IsoDate
    """Decides catch-up by the age reached on 31 December."""
    hire_date: IsoDate
    """First day of employment."""
    termination_date: IsoDate | None = None
    """Last day of employment."""
    rehire_date: IsoDate | None = None
    """First day of a later spell of employment; spells are kept as a history."""
    prior_year_wages_cents: NotNegativeCents | None = None
    """Social Security wages of the year before; above the threshold catch-up must be Roth. Unknown: not subject."""
    hours_by_year: dict[Year, Count] | None = None
    """Hours of service by calendar year."""
    group: Id | None = None
    """Employee group, for plans that leave groups out."""
    opening: Opening | None = None
    """Amounts of a year that are not in these books."""

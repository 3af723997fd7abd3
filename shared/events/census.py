"""Facts about participants. No names, no tax ids: the participant id is opaque."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from pydantic import StrictInt

from shared.events.base import EventBody, Id, NotNegativeCents


class Opening(EventBody):
    """What was already deferred elsewhere or before conversion."""

    year: StrictInt
    regular_cents: NotNegativeCents = 0
    catch_up_cents: NotNegativeCents = 0
    compensation_cents: NotNegativeCents = 0


class Census(EventBody):
    """A participant of a plan as the plan's records know him. A later one replaces it from the next trade date on."""

    ce_type: ClassVar[str] = "nestwork.participant.census.v1"
    topic: ClassVar[str] = "participant.census.v1"

    plan_id: Id
    participant_id: Id
    birth_date: date
    hire_date: date
    termination_date: date | None = None
    rehire_date: date | None = None
    prior_year_wages_cents: NotNegativeCents | None = None
    hours_by_year: dict[str, float | int] | None = None
    opening: Opening | None = None

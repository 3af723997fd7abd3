"""All public events in one place: documentation, compatibility tests and tools read this list."""

from __future__ import annotations

from shared.events.base import Event
from shared.events.census import Census
from shared.events.custodian import Confirmation, Holdings, Order
from shared.events.fund import FundFact
from shared.events.limits import LimitsFact
from shared.events.market import CloseRequested, DayCutMarker, PriceFact, ValueCutMarker, ValueRequested
from shared.events.payroll import (
    Contribution,
    Forfeiture,
    PayrollClosed,
    PayrollFunded,
    PayrollOpened,
    PayrollReturned,
    RepeatResolved,
    Reversal,
)
from shared.events.plan import PlanFact
from shared.events.receipts import ParticipantReceipt, PayrollReceipt
from shared.events.requests import (
    DistributionRequested,
    ElectionChanged,
    ExchangeRequested,
    RebalanceRequested,
)
from shared.events.topics import CUT_TOPICS, VALUE_CUT_TOPICS, Topic
from shared.events.valuation import DayClosed

EVENTS: tuple[type[Event], ...] = (
    Contribution, Reversal, Forfeiture, RepeatResolved, PayrollReceipt, PayrollOpened, PayrollClosed, PayrollFunded,
    PayrollReturned, Census, ElectionChanged, ExchangeRequested, RebalanceRequested, DistributionRequested,
    ParticipantReceipt, PlanFact, FundFact, LimitsFact, PriceFact, CloseRequested, ValueRequested, Order,
    Confirmation, Holdings, DayClosed, DayCutMarker, ValueCutMarker,
)  # fmt: skip

MARKERS: tuple[type[Event], ...] = (DayCutMarker, ValueCutMarker)
"""Written by the engine to many topics; their ``topic`` is only the first of these."""


def events_on(topic: Topic) -> tuple[type[Event], ...]:
    """Return the public events of a topic, cut markers included."""
    own = [event for event in EVENTS if event.topic == topic and event not in MARKERS]
    if topic in CUT_TOPICS:
        own.append(DayCutMarker)
    if topic in VALUE_CUT_TOPICS:
        own.append(ValueCutMarker)
    return tuple(own)

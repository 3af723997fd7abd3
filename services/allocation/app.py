"""Wiring: which event goes to which handler. The app id is the consumer group: never rename it casually."""

from __future__ import annotations

from services.allocation import closing, handlers, metrics, pages, reversing
from services.allocation.items import ReleasedLine, explode_released
from services.allocation.reversing import Reversal, explode_reversals
from shared.events import requests
from shared.events.fund import FundFact
from shared.events.plan import PlanFact
from shared.events.topics import (
    CONTRIBUTIONS_RELEASED,
    FUNDS,
    PARTICIPANT_REQUESTS,
    PLANS,
    REQUESTS_REROUTED,
    TRADES_INSTRUCTED,
)
from shared.runtime.definition import Cycle, FactTopic, Input, Kind, Rerouting, Service
from shared.runtime.facts import scale_is_kept
from shared.runtime.publicevents import explode_model
from shared.runtime.records import PublicRecord
from shared.runtime.worker import worker_app

LATER = (requests.ExchangeRequested, requests.RebalanceRequested, requests.DistributionRequested)
REQUESTS = (
    Kind(
        requests.ElectionChanged.ce_type,
        explode_model(requests.ElectionChanged),
        handlers.change_elections,
        PublicRecord,
    ),
    *(Kind(model.ce_type, explode_model(model), handlers.refuse_request, PublicRecord) for model in LATER),
)

SERVICE = Service(
    name="allocation",
    inputs=(
        Input(
            CONTRIBUTIONS_RELEASED,
            (
                Kind("nestwork.contributions.released.v1", explode_released, handlers.split_lines, ReleasedLine),
                Kind("nestwork.contributions.reversed.v1", explode_reversals, reversing.take_back_lines, Reversal),
            ),
            internal=True,
            waits_for_inputs=(PARTICIPANT_REQUESTS.name, REQUESTS_REROUTED.name),
            waits_for_closed="day",  # What is split must stand behind the marker of the date before.
        ),
        Input(PARTICIPANT_REQUESTS, REQUESTS, malformed=handlers.answer_malformed),
        Input(REQUESTS_REROUTED, REQUESTS, internal=True, all_to_all=True, malformed=handlers.answer_malformed),
    ),
    facts=(
        FactTopic(PLANS, {PlanFact.ce_type: PlanFact}, key=lambda fact: fact.plan_id),
        FactTopic(FUNDS, {FundFact.ce_type: FundFact}, key=lambda fact: fact.fund_id, check=scale_is_kept),
    ),
    cycles=(
        Cycle(
            "day",
            inputs=(CONTRIBUTIONS_RELEASED.name, PARTICIPANT_REQUESTS.name, REQUESTS_REROUTED.name),
            facts=(PLANS.name, FUNDS.name),
            read=closing.read_date,
            close=closing.close_date,
            outputs=(TRADES_INSTRUCTED,),
        ),
    ),
    rerouting=Rerouting(REQUESTS_REROUTED, (PARTICIPANT_REQUESTS.name,)),
    snapshot=metrics.snapshot,
    genesis_tables=("journal", "held_requests"),
)
app = worker_app(SERVICE, pages.PAGES)

"""Wiring: which event goes to which handler. The app id is the consumer group: never rename it casually."""

from __future__ import annotations

from services.contribution import (
    census,
    closing,
    handlers,
    holding,
    metrics,
    pages,
    receipts,
    reversing,
    store,
    waiting,
)
from services.contribution.items import LineItem, ReversalRequest, explode_forfeiture, explode_line, explode_reversal
from services.contribution.rules.limits import limits_of_fact
from shared.events import payroll, plan
from shared.events.census import Census
from shared.events.limits import LimitsFact
from shared.events.topics import (
    CONTRIBUTIONS_RELEASED,
    CONTRIBUTIONS_REROUTED,
    LIMITS,
    PARTICIPANT_CENSUS,
    PAYROLL_CONTRIBUTIONS,
    PAYROLL_RUNS,
    PLANS,
)
from shared.runtime.definition import Cycle, FactTopic, Input, Kind, Rerouting, Service
from shared.runtime.publicevents import explode_model
from shared.runtime.records import PublicRecord
from shared.runtime.worker import worker_app

LINE = Kind(payroll.Contribution.ce_type, explode_line, holding.accept_lines, LineItem)
REVERSAL = Kind(payroll.Reversal.ce_type, explode_reversal, reversing.accept_reversals, ReversalRequest)
FORFEITURE = Kind(payroll.Forfeiture.ce_type, explode_forfeiture, reversing.accept_reversals, ReversalRequest)
RESOLUTION = Kind(
    payroll.RepeatResolved.ce_type, explode_model(payroll.RepeatResolved), holding.resolve_repeats, PublicRecord
)
CENSUS = Kind(Census.ce_type, explode_model(Census), census.note_census, PublicRecord)
RUN_EVENTS = (payroll.PayrollOpened, payroll.PayrollClosed, payroll.PayrollFunded, payroll.PayrollReturned)

SERVICE = Service(
    name="contribution",
    inputs=(
        Input(PAYROLL_CONTRIBUTIONS, (LINE, REVERSAL, FORFEITURE, RESOLUTION), malformed=receipts.answer_malformed),
        Input(PARTICIPANT_CENSUS, (CENSUS,)),
        Input(
            CONTRIBUTIONS_REROUTED,
            (LINE, REVERSAL, FORFEITURE, RESOLUTION, CENSUS),
            internal=True,
            all_to_all=True,
            malformed=receipts.answer_malformed,
        ),
    ),
    facts=(
        FactTopic(
            PLANS,
            {plan.PlanFact.ce_type: plan.PlanFact},
            key=lambda fact: fact.plan_id,
            validate=handlers.check_plan,
            build=handlers.PlanTerms,
        ),
        FactTopic(LIMITS, {LimitsFact.ce_type: LimitsFact}, key=lambda fact: str(fact.year), build=limits_of_fact),
        FactTopic(
            PAYROLL_RUNS,
            {model.ce_type: model for model in RUN_EVENTS},
            key=lambda fact: fact.payroll_id,
            store=store.store_run_facts,
            gates_money=False,
        ),
    ),
    cycles=(
        Cycle(
            "day",
            inputs=(PAYROLL_CONTRIBUTIONS.name, PARTICIPANT_CENSUS.name, CONTRIBUTIONS_REROUTED.name),
            facts=(PLANS.name, LIMITS.name, PAYROLL_RUNS.name),
            read=closing.read_date,
            decide=closing.decide_runs,
            close=closing.close_date,
            outputs=(CONTRIBUTIONS_RELEASED,),
        ),
    ),
    tasks={"release": closing.release_lines, "post_cash": closing.post_cash, "take_back": reversing.take_back},
    rerouting=Rerouting(CONTRIBUTIONS_REROUTED, (PAYROLL_CONTRIBUTIONS.name, PARTICIPANT_CENSUS.name)),
    before_beats=holding.free_if_facts_changed,
    snapshot=metrics.snapshot,
    genesis_tables=("journal", "held_lines", "reversals"),
    on_claim=waiting.on_claim,
)
app = worker_app(SERVICE, pages.PAGES)

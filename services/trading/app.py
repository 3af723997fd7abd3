"""Wiring: which event goes to which handler. The app id is the consumer group: never rename it casually."""

from __future__ import annotations

from services.trading import building, dayclock, filling, handlers, metrics, pages, plancash, reversing, sales, store
from services.trading.items import ConfirmationItem, InstructedLine, explode_confirmation, explode_instructed
from services.trading.reversing import ReversedLine, explode_reversed
from shared.events.custodian import Confirmation
from shared.events.fund import FundFact
from shared.events.market import CloseRequested, PriceFact, ValueRequested
from shared.events.topics import (
    CUSTODIAN_CONFIRMATIONS,
    DAY_COMMANDS,
    FUNDS,
    MARKET_PRICES,
    TRADES_FILLED,
    TRADES_INSTRUCTED,
)
from shared.runtime.definition import Cycle, FactTopic, Input, Kind, Service
from shared.runtime.facts import scale_is_kept
from shared.runtime.worker import worker_app

SERVICE = Service(
    name="trading",
    inputs=(
        Input(
            TRADES_INSTRUCTED,
            (
                Kind("nestwork.trades.instructed.v1", explode_instructed, handlers.keep_instructed, InstructedLine),
                Kind("nestwork.trades.reversed.v1", explode_reversed, reversing.keep_reversed, ReversedLine),
            ),
            internal=True,
        ),
        Input(
            CUSTODIAN_CONFIRMATIONS,
            (Kind(Confirmation.ce_type, explode_confirmation, handlers.keep_confirmations, ConfirmationItem),),
            keyed_by_participant=False,
            facts_gate=False,
            waits_for_decided="day",
        ),
    ),
    facts=(
        FactTopic(FUNDS, {FundFact.ce_type: FundFact}, key=lambda fact: fact.fund_id, check=scale_is_kept),
        FactTopic(
            MARKET_PRICES,
            {PriceFact.ce_type: PriceFact},
            key=lambda fact: f"{fact.fund_id}:{fact.price_date}",
            store=store.store_prices,
            gates_money=False,
            by_value_cut=True,
        ),
        FactTopic(
            DAY_COMMANDS,
            {CloseRequested.ce_type: CloseRequested, ValueRequested.ce_type: ValueRequested},
            key=lambda fact: fact.trade_date.isoformat(),
            store=store.store_commands,
            gates_money=False,
        ),
    ),
    cycles=(
        Cycle(
            "day",
            inputs=(TRADES_INSTRUCTED.name, CUSTODIAN_CONFIRMATIONS.name),
            facts=(FUNDS.name,),
            decides_after="value",
            read=reversing.read_date,
            decide=building.build_orders,
            close=building.close_cut,
        ),
        Cycle(
            "value",
            inputs=(CUSTODIAN_CONFIRMATIONS.name,),
            facts=(MARKET_PRICES.name,),
            by_value_cut=(CUSTODIAN_CONFIRMATIONS.name, MARKET_PRICES.name),
            after="day",
            decide=filling.decide_value,
            close=filling.close_value,
            outputs=(TRADES_FILLED,),
        ),
    ),
    tasks={
        "say_orders": building.say_orders,
        "fill": filling.post_fills,
        "fill_sales": sales.post_sales,
        "write_off": sales.write_off,
        "post_plan_cash": plancash.post_plan_cash,
        "post_forfeitures": plancash.post_forfeitures,
    },
    standing=filling.judge_confirmations,
    background=(dayclock.run_day_clock,),
    snapshot=metrics.snapshot,
    genesis_tables=("journal",),
)
app = worker_app(SERVICE, pages.PAGES)

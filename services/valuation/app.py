"""Wiring: which event goes to which handler. The app id is the consumer group: never rename it casually."""

from __future__ import annotations

from services.valuation import closing, handlers, metrics, pages, store
from services.valuation.items import FilledItem, explode_filled
from shared.events.custodian import Holdings
from shared.events.fund import FundFact
from shared.events.market import PriceFact
from shared.events.topics import CUSTODIAN_HOLDINGS, FUNDS, MARKET_PRICES, TRADES_FILLED
from shared.runtime.definition import Cycle, FactTopic, Input, Kind, Service
from shared.runtime.facts import scale_is_kept
from shared.runtime.worker import worker_app

SERVICE = Service(
    name="valuation",
    inputs=(
        Input(
            TRADES_FILLED,
            (Kind("nestwork.trades.filled.v1", explode_filled, handlers.post_fills, FilledItem),),
            internal=True,
            facts_gate=False,
            waits_for_closed="day",
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
            CUSTODIAN_HOLDINGS,
            {Holdings.ce_type: Holdings},
            key=lambda fact: fact.date.isoformat(),
            store=store.store_holdings,
            gates_money=False,
            by_value_cut=True,
        ),
    ),
    cycles=(
        Cycle(
            "day",
            inputs=(TRADES_FILLED.name,),
            facts=(MARKET_PRICES.name, FUNDS.name),
            by_value_cut=(MARKET_PRICES.name,),
            read=closing.value_lane,
            decide=closing.prove_date,
            close=closing.close_lane,
        ),
    ),
    snapshot=metrics.snapshot,
    genesis_tables=("journal",),
)
app = worker_app(SERVICE, pages.PAGES)

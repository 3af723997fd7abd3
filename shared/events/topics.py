"""The topic catalogue: names, partitions, keys, who writes and who reads. Names are public and never change silently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Plane = Literal["money", "control", "internal", "output", "dead_letters"]

KEPT_FOR_EVER = {"retention.ms": "-1", "cleanup.policy": "delete", "max.message.bytes": "1048588"}
STAMPED_BY_BROKER = {"message.timestamp.type": "LogAppendTime"}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``partitioned`` topics have P partitions, the others one."""

    name: str
    plane: Plane
    partitioned: bool
    key: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    summary: str
    config: dict[str, str] = field(default_factory=lambda: dict(KEPT_FOR_EVER), hash=False)


def _public(
    name: str, key: str, writers: str, readers: str, summary: str, *, partitioned: bool = True, plane: Plane = "money"
) -> Topic:
    config = KEPT_FOR_EVER | (STAMPED_BY_BROKER if plane in ("money", "control") else {})
    return Topic(name, plane, partitioned, key, tuple(writers.split()), tuple(readers.split()), summary, config)


def _control(name: str, key: str, writers: str, readers: str, summary: str) -> Topic:
    return _public(name, key, writers, readers, summary, partitioned=False, plane="control")


def _internal(name: str, writers: str, readers: str, summary: str) -> Topic:
    config = KEPT_FOR_EVER | STAMPED_BY_BROKER
    return Topic(name, "internal", True, "none: the lane's partition", (writers,), (readers,), summary, config)


PAYROLL_CONTRIBUTIONS = _public(
    "payroll.contributions.v1", "participant_id", "payroll", "contribution", "Payroll lines and their reversals."
)
PARTICIPANT_CENSUS = _public(
    "participant.census.v1", "participant_id", "plan_admin payroll", "contribution", "Facts about participants."
)
PARTICIPANT_REQUESTS = _public(
    "participant.requests.v1", "participant_id", "participant_site advisers", "allocation", "Elections and other requests."
)
CUSTODIAN_CONFIRMATIONS = _public(
    "custodian.confirmations.v1", "order_id", "custodian", "trading", "What became of each order."
)
PLANS = _control("plans.v1", "plan_id", "plan_admin", "contribution allocation valuation", "The rules of each plan.")
FUNDS = _control("funds.v1", "fund_id", "plan_admin", "allocation trading valuation custodian", "The scales of each fund.")
LIMITS = _control("limits.v1", "year", "plan_admin", "contribution", "The legal limits of each year.")
PAYROLL_RUNS = _control(
    "payroll.runs.v1", "payroll_id", "payroll treasury", "contribution", "Opening, closing and cash of payroll runs."
)
MARKET_PRICES = _control(
    "market.prices.v1", "fund_id:date", "market_data", "trading valuation custodian", "Prices with status and version."
)
CUSTODIAN_HOLDINGS = _control(
    "custodian.holdings.v1", "date", "custodian", "valuation", "What the custodian holds at the end of a date."
)
DAY_COMMANDS = _control(
    "day.commands.v1", "date", "scheduler operator", "trading", "Requests to close or to value a trade date."
)
PAYROLL_RECEIPTS = _public(
    "payroll.receipts.v1", "participant_id", "contribution", "payroll", "The answer to each payroll line.", plane="output"
)
PARTICIPANT_RECEIPTS = _public(
    "participant.receipts.v1", "participant_id", "allocation", "participant_site", "The answer to each request.",
    plane="output",
)  # fmt: skip
CUSTODIAN_ORDERS = _public(
    "custodian.orders.v1", "order_id", "trading", "custodian", "One order per plan, fund, side, unit, date and wave.",
    plane="output",
)  # fmt: skip
VALUATION_DAYS = _public(
    "valuation.days.v1", "date", "valuation", "anyone", "A closed day with its proof.", partitioned=False, plane="output"
)
CONTRIBUTIONS_REROUTED = _internal(
    "contributions.rerouted.v1", "contribution", "contribution", "Lines and census that came by the wrong partition."
)
REQUESTS_REROUTED = _internal(
    "requests.rerouted.v1", "allocation", "allocation", "Requests that came by the wrong partition."
)
CONTRIBUTIONS_RELEASED = _internal(
    "contributions.released.v1", "contribution", "allocation", "Accepted lines that may trade, packed."
)
TRADES_INSTRUCTED = _internal("trades.instructed.v1", "allocation", "trading", "Lines split over funds, packed.")
TRADES_FILLED = _internal("trades.filled.v1", "trading", "valuation", "Confirmed shares per participant, packed.")

PUBLIC_INPUTS = (PAYROLL_CONTRIBUTIONS, PARTICIPANT_CENSUS, PARTICIPANT_REQUESTS, CUSTODIAN_CONFIRMATIONS)
CONTROL_TOPICS = (PLANS, FUNDS, LIMITS, PAYROLL_RUNS, MARKET_PRICES, CUSTODIAN_HOLDINGS, DAY_COMMANDS)
CUT_TOPICS = (
    *PUBLIC_INPUTS, PLANS, FUNDS, LIMITS, PAYROLL_RUNS, MARKET_PRICES, CUSTODIAN_HOLDINGS,
)  # fmt: skip
"""Every public input and control topic gets a cut marker; ``day.commands`` asks for it and carries none."""
VALUE_CUT_TOPICS = (CUSTODIAN_CONFIRMATIONS, MARKET_PRICES, CUSTODIAN_HOLDINGS)
OUTPUT_TOPICS = (PAYROLL_RECEIPTS, PARTICIPANT_RECEIPTS, CUSTODIAN_ORDERS, VALUATION_DAYS)
INTERNAL_TOPICS = (
    CONTRIBUTIONS_REROUTED, REQUESTS_REROUTED, CONTRIBUTIONS_RELEASED, TRADES_INSTRUCTED, TRADES_FILLED,
)  # fmt: skip


def _dead_letters_of(topic: Topic) -> Topic:
    name = f"{topic.name}.dlq"
    summary = f"Records of {topic.name} that broke the contract, with reason, service and failed_at."
    return Topic(name, "dead_letters", topic.partitioned, topic.key, topic.readers, ("operator",), summary)


DEAD_LETTER_TOPICS = tuple(_dead_letters_of(topic) for topic in (*PUBLIC_INPUTS, *CONTROL_TOPICS))
ALL_TOPICS = (*PUBLIC_INPUTS, *CONTROL_TOPICS, *OUTPUT_TOPICS, *INTERNAL_TOPICS, *DEAD_LETTER_TOPICS)

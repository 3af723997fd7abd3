"""Every topic of the engine: who writes it, who reads it, how it is keyed, partitioned and configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Plane = Literal["money", "control", "internal", "output", "dead_letters"]

RECORD_BYTES_MAX = 1_048_576
"""A record's limit (1 MiB); the broker's refusal is the answer above it."""

LOG_OVERHEAD_BYTES = 12
"""Kafka counts the head of a log entry against ``max.message.bytes``; its own default is 1 MiB and this."""

KEPT_FOR_EVER = {
    # Rebuilding the books reads the logs from their beginning, so nothing is ever compacted or dropped.
    "retention.ms": "-1",
    "cleanup.policy": "delete",
    "max.message.bytes": str(RECORD_BYTES_MAX + LOG_OVERHEAD_BYTES),
    # The cut-off of market mode compares the time of arrival, so nobody may choose a stamp.
    "message.timestamp.type": "LogAppendTime",
}

WRAPPED_BYTES_MAX = 2 * RECORD_BYTES_MAX
WRAPPED = KEPT_FOR_EVER | {
    # A record of the full size must still fit when it is carried on with a few headers more.
    "max.message.bytes": str(WRAPPED_BYTES_MAX),
}

DEAD_LETTER_SUFFIX = ".dlq"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``partitioned``: P partitions by the bucket of the key; else exactly one."""

    name: str
    plane: Plane
    partitioned: bool
    key: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    summary: str
    config: Mapping[str, str] = field(default_factory=lambda: dict(KEPT_FOR_EVER), hash=False)


INTEGRATIONS, ADMINS, CUSTODIAN, MARKET = "payroll integrations", "plan administration", "custodian", "market data"
CONTRIBUTION, ALLOCATION, TRADING, VALUATION = "contribution", "allocation", "trading", "valuation"

PAYROLL_CONTRIBUTIONS = Topic(
    "payroll.contributions.v1", "money", True, "participant_id", (INTEGRATIONS,), (CONTRIBUTION,),
    "Payroll lines: what one participant contributes on one pay date, and reversals of such lines.",
)  # fmt: skip
PAYROLL_RECEIPTS = Topic(
    "payroll.receipts.v1", "output", True, "participant_id", (CONTRIBUTION,), (INTEGRATIONS,),
    "The answer to every payroll line: what was accepted, what was cut, and why.",
)  # fmt: skip
PAYROLL_RUNS = Topic(
    "payroll.runs.v1", "control", False, "payroll_id", (INTEGRATIONS, "treasury"), (CONTRIBUTION,),
    "Opening, closing totals and cash of payroll runs.",
)  # fmt: skip
PARTICIPANT_CENSUS = Topic(
    "participant.census.v1", "money", True, "participant_id", (ADMINS, INTEGRATIONS), (CONTRIBUTION,),
    "What is known about a participant of a plan: birth, employment, wages, hours, opening amounts.",
)  # fmt: skip
PARTICIPANT_REQUESTS = Topic(
    "participant.requests.v1", "money", True, "participant_id", ("participant site", "advisers"), (ALLOCATION,),
    "What participants ask for: elections, exchanges, rebalances, distributions.",
)  # fmt: skip
PARTICIPANT_RECEIPTS = Topic(
    "participant.receipts.v1", "output", True, "participant_id", (ALLOCATION,), ("participant site", "advisers"),
    "The answer to every participant request.",
)  # fmt: skip
PLANS = Topic(
    "plans.v1", "control", False, "plan_id", (ADMINS,), (CONTRIBUTION, ALLOCATION, VALUATION),
    "The rules of each plan.",
)  # fmt: skip
FUNDS = Topic(
    "funds.v1", "control", False, "fund_id", (ADMINS,), (ALLOCATION, TRADING, VALUATION, CUSTODIAN),
    "Each fund's share scale, settlement and dividend type.",
)  # fmt: skip
LIMITS = Topic(
    "limits.v1", "control", False, "year", (ADMINS,), (CONTRIBUTION,),
    "The yearly dollar limits of the Internal Revenue Code, as announced.",
)  # fmt: skip
MARKET_PRICES = Topic(
    "market.prices.v1", "control", False, "fund_id:price_date", (MARKET,), (TRADING, VALUATION, CUSTODIAN),
    "Net asset values: estimated, final, corrected.",
)  # fmt: skip
DAY_COMMANDS = Topic(
    "day.commands.v1", "control", False, "trade_date", ("scheduler", "operator"), (TRADING,),
    "Requests to close a trade date and to value it.",
)  # fmt: skip
CUSTODIAN_ORDERS = Topic(
    "custodian.orders.v1", "output", True, "order_id", (TRADING,), (CUSTODIAN,),
    "Orders per plan trust account, fund, side and trade date.",
)  # fmt: skip
CUSTODIAN_CONFIRMATIONS = Topic(
    "custodian.confirmations.v1", "money", True, "order_id", (CUSTODIAN,), (TRADING,),
    "What the custodian says about each order; the confirmation wins.",
)  # fmt: skip
CUSTODIAN_HOLDINGS = Topic(
    "custodian.holdings.v1", "control", False, "date", (CUSTODIAN,), (VALUATION,),
    "Shares per plan and fund as the custodian books them, daily, in parts.",
)  # fmt: skip
VALUATION_DAYS = Topic(
    "valuation.days.v1", "output", False, "trade_date", (VALUATION,), ("operators", INTEGRATIONS),
    "Each closed date with the totals of its conservation proof.",
)  # fmt: skip
CONTRIBUTIONS_REROUTED = Topic(
    "contributions.rerouted.v1", "internal", True, "participant_id", (CONTRIBUTION,), (CONTRIBUTION,),
    "Payroll lines and census that came by the wrong partition, on their way to the right lane.", WRAPPED,
)  # fmt: skip
REQUESTS_REROUTED = Topic(
    "requests.rerouted.v1", "internal", True, "participant_id", (ALLOCATION,), (ALLOCATION,),
    "Participant requests that came by the wrong partition, on their way to the right lane.", WRAPPED,
)  # fmt: skip
CONTRIBUTIONS_RELEASED = Topic(
    "contributions.released.v1", "internal", True, "none: the lane's own partition", (CONTRIBUTION,), (ALLOCATION,),
    "Accepted money whose run may trade.",
)  # fmt: skip
TRADES_INSTRUCTED = Topic(
    "trades.instructed.v1", "internal", True, "none: the lane's own partition", (ALLOCATION,), (TRADING,),
    "Released money split over funds.",
)  # fmt: skip
TRADES_FILLED = Topic(
    "trades.filled.v1", "internal", True, "none: the lane's own partition", (TRADING,), (VALUATION,),
    "What was instructed, and the dollars and shares of each confirmed order split over its legs.",
)  # fmt: skip

PUBLIC_INPUTS = (PAYROLL_CONTRIBUTIONS, PARTICIPANT_CENSUS, PARTICIPANT_REQUESTS, CUSTODIAN_CONFIRMATIONS)
CONTROL_TOPICS = (PLANS, FUNDS, LIMITS, PAYROLL_RUNS, MARKET_PRICES, CUSTODIAN_HOLDINGS, DAY_COMMANDS)
OUTPUT_TOPICS = (PAYROLL_RECEIPTS, PARTICIPANT_RECEIPTS, CUSTODIAN_ORDERS, VALUATION_DAYS)
INTERNAL_TOPICS = (
    CONTRIBUTIONS_REROUTED, REQUESTS_REROUTED, CONTRIBUTIONS_RELEASED, TRADES_INSTRUCTED, TRADES_FILLED,
)  # fmt: skip
PUBLIC_TOPICS = (*PUBLIC_INPUTS, *CONTROL_TOPICS, *OUTPUT_TOPICS)


def _dead_letters_of(topic: Topic) -> Topic:
    name, key = topic.name + DEAD_LETTER_SUFFIX, f"the key of the record in {topic.name}"
    summary = (
        f"Records of {topic.name} that broke the contract: original bytes and headers, reason, service, failed_at."
    )
    return Topic(name, "dead_letters", topic.partitioned, key, topic.readers, ("operators",), summary, WRAPPED)


DEAD_LETTER_TOPICS = tuple(_dead_letters_of(topic) for topic in PUBLIC_TOPICS)

ALL_TOPICS: tuple[Topic, ...] = (*PUBLIC_TOPICS, *INTERNAL_TOPICS, *DEAD_LETTER_TOPICS)
"""What ``create_topics`` creates."""

CUT_TOPICS: tuple[Topic, ...] = (*PUBLIC_INPUTS, *CONTROL_TOPICS)
"""Each partition of these gets the signed marker ``nestwork.day.cut.v1`` of each date."""

VALUE_CUT_TOPICS: tuple[Topic, ...] = (CUSTODIAN_CONFIRMATIONS, MARKET_PRICES, CUSTODIAN_HOLDINGS)
"""Those that also get ``nestwork.day.value-cut.v1``: what stands below it belongs to the date's valuation."""

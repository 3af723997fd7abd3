"""From records to facts: what the custodian takes out of the three topics it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from deploy.custodian.answers import Order
from shared.events.fund import FundFact
from shared.events.market import PriceFact
from shared.events.topics import CUSTODIAN_ORDERS, FUNDS, MARKET_PRICES
from shared.runtime.logs import get_logger
from shared.runtime.records import VALUE_CUT, Record, record_of
from shared.runtime.signing import SIGNATURE_HEADER, is_signed

log = get_logger(__name__)

READ_TOPICS = (FUNDS.name, CUSTODIAN_ORDERS.name, MARKET_PRICES.name)
USED_STATUSES = frozenset({"final", "corrected"})


@dataclass(frozen=True, slots=True)
class FundSeen:
    """A fund's share scale."""

    fund_id: str
    share_decimals: int


@dataclass(frozen=True, slots=True)
class PriceSeen:
    """A price that counts: final, or corrected later."""

    fund_id: str
    price_date: str
    price: str
    version: int


@dataclass(frozen=True, slots=True)
class ValueCutSeen:
    """Everything below this point belongs to ``trade_date`` or earlier."""

    trade_date: str


Fact = FundSeen | Order | PriceSeen | ValueCutSeen


def read_fact(fetched: Any, marker_secret: bytes | None) -> Fact | None:
    """The fact in a fetched record, or nothing; what cannot be read is logged and left (the engine dead-letters it)."""
    record = record_of(fetched.partition, fetched)
    try:
        if record.topic == CUSTODIAN_ORDERS.name:
            return _order(_body(record))
        if record.topic == FUNDS.name:
            return _fund(_body(record)) if record.ce_type == FundFact.ce_type else None
        return _price_or_cut(record, marker_secret)
    except (KeyError, TypeError, ValueError) as problem:
        log.warning("record_unreadable", topic=record.topic, offset=record.offset, problem=repr(problem))
        return None


def _body(record: Record) -> Mapping[str, Any]:
    body = orjson.loads(record.value or b"")
    if not isinstance(body, dict):
        raise TypeError("the value must be a JSON object")
    return body


def _order(body: Mapping[str, Any]) -> Order:
    cents, shares = body.get("cents"), body.get("shares")
    if (cents is None) == (shares is None):
        raise ValueError("an order names either dollars or shares")
    return Order(
        str(body["order_id"]),
        str(body["plan_id"]),
        str(body["fund_id"]),
        str(body["trade_date"]),
        str(body["side"]),
        None if cents is None else int(cents),
        None if shares is None else str(shares),
    )


def _fund(body: Mapping[str, Any]) -> FundSeen:
    fund = FundFact.model_validate(body)
    return FundSeen(fund.fund_id, fund.share_decimals)


def _price_or_cut(record: Record, marker_secret: bytes | None) -> Fact | None:
    if record.ce_type == VALUE_CUT:
        trade_date = str(_body(record)["trade_date"])
        return ValueCutSeen(trade_date) if _is_genuine(record, trade_date, marker_secret) else None
    if record.ce_type != PriceFact.ce_type:
        return None
    price = PriceFact.model_validate(_body(record))
    if price.status not in USED_STATUSES:
        return None
    return PriceSeen(price.fund_id, price.price_date.isoformat(), price.price, price.version)


def _is_genuine(record: Record, trade_date: str, marker_secret: bytes | None) -> bool:
    """A custodian that was given the key refuses a marker nobody signed; without a key it believes the log."""
    if marker_secret is None:
        return True
    signature = record.headers.get(SIGNATURE_HEADER, b"")
    return is_signed(marker_secret, signature, record.ce_type, trade_date, record.topic, record.partition)

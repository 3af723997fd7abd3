"""Records as outsiders send them: good ones that a bad one is compared with, and the pieces bad ones are made of."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import orjson

from shared.events import topics
from shared.events.census import Census
from shared.events.custodian import Confirmation
from shared.events.envelope import event_headers
from shared.events.fund import FundFact
from shared.events.market import PriceFact
from shared.events.payroll import (
    Contribution,
    Forfeiture,
    PayrollClosed,
    PayrollFunded,
    PayrollOpened,
    PayrollReturned,
    Reversal,
)
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged
from shared.values.hashing import murmur2

SOURCE = "/tests/outsider"
PLAN, FUND = "ACME", "F1"
PAY_DATE = "2026-11-20"
RUN_EVENTS = {model.ce_type: model for model in (PayrollOpened, PayrollClosed, PayrollFunded, PayrollReturned)}

_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    """An id that no other record of the test session has."""
    return f"{prefix}-{next(_numbers)}"


@dataclass(frozen=True)
class Outgoing:
    """A record before it is sent: every part may be wrong. ``partition`` None = where the key belongs."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    partition: int | None = None

    @property
    def ce_id(self) -> str:
        """Its ce_id."""
        return dict(self.headers)["ce_id"].decode()

    def but(self, **changes: Any) -> Self:
        """The same record with other fields, and with other values in its JSON body (``body={...}``)."""
        body = changes.pop("body", None)
        if body is not None:
            changes["value"] = orjson.dumps(orjson.loads(self.value or b"{}") | body)
        return replace(self, **changes)

    def with_header(self, name: str, value: bytes) -> Self:
        """The same record with one header replaced or added."""
        return replace(self, headers=[pair for pair in self.headers if pair[0] != name] + [(name, value)])

    def without_header(self, name: str) -> Self:
        """The same record without a header."""
        return replace(self, headers=[pair for pair in self.headers if pair[0] != name])


def home(key: bytes | str, partitions: int) -> int:
    """The partition a key belongs to."""
    return murmur2(key.encode() if isinstance(key, str) else key) % partitions


def event(topic: topics.Topic, key: str, ce_type: str, body: Mapping[str, Any], ce_id: str | None = None) -> Outgoing:
    """A well-formed record."""
    ce_id = ce_id or fresh("event")
    return Outgoing(topic.name, key.encode(), orjson.dumps(body), event_headers(ce_id, SOURCE, ce_type))


def nested_too_deep(record: Outgoing) -> Outgoing:
    """The record in structured mode, with a field that nobody reads: nested so that it can be read, not written."""
    said = {name.removeprefix("ce_"): value.decode() for name, value in record.headers if name.startswith("ce_")}
    data = (record.value or b"")[:-1] + b',"x":' + b"[" * 300 + b"]" * 300 + b"}"
    return replace(
        record,
        value=orjson.dumps(said)[:-1] + b',"data":' + data + b"}",
        headers=[("content-type", b"application/cloudevents+json"), ("ce_id", record.ce_id.encode())],
    )


def line(
    participant: str, amounts: Mapping[str, int] | None = None, *, payroll: str | None = None, plan: str = PLAN,
    ce_id: str | None = None, **more: Any,
) -> Outgoing:  # fmt: skip
    """A payroll line; ``more`` replaces or adds fields."""
    body = {
        "plan_id": plan,
        "participant_id": participant,
        "payroll_id": payroll or fresh("run"),
        "pay_date": PAY_DATE,
        "compensation_cents": 500_000,
        "amounts": [{"source": source, "cents": cents} for source, cents in (amounts or {"pre_tax": 10_000}).items()],
    } | more
    return event(topics.PAYROLL_CONTRIBUTIONS, participant, Contribution.ce_type, body, ce_id)


def reversal(line: Outgoing, amounts: Mapping[str, int] | None = None) -> Outgoing:
    """What takes a line back, wholly or in part."""
    said = orjson.loads(line.value or b"")
    body = {name: said[name] for name in ("plan_id", "participant_id", "payroll_id")}
    body |= {"reverses": line.ce_id, "reason": "sent by mistake"}
    if amounts is not None:
        body["amounts"] = [{"source": source, "cents": cents} for source, cents in amounts.items()]
    return event(topics.PAYROLL_CONTRIBUTIONS, said["participant_id"], Reversal.ce_type, body)


def forfeiture(participant: str, plan: str, line: str, amounts: Mapping[str, int], **more: Any) -> Outgoing:
    """What takes the unvested part of a line, named by its identity."""
    body = {
        "plan_id": plan, "participant_id": participant, "payroll_id": "forfeitures", "line": line,
        "amounts": [{"source": source, "cents": cents} for source, cents in amounts.items()],
        "because": "cash_out", "reason": "he left",
    } | more  # fmt: skip
    return event(topics.PAYROLL_CONTRIBUTIONS, participant, Forfeiture.ce_type, body)


def census(participant: str, plan: str = PLAN, **more: Any) -> Outgoing:
    """A participant as first known."""
    body = {"plan_id": plan, "participant_id": participant, "birth_date": "1986-03-02", "hire_date": "2020-01-06"}
    return event(topics.PARTICIPANT_CENSUS, participant, Census.ce_type, body | more)


def election(participant: str, percent_by_fund: Mapping[str, str], plan: str = PLAN) -> Outgoing:
    """What a participant chooses."""
    parts = [{"fund_id": fund, "percent": percent} for fund, percent in percent_by_fund.items()]
    body = {"plan_id": plan, "participant_id": participant, "elections": parts}
    return event(topics.PARTICIPANT_REQUESTS, participant, ElectionChanged.ce_type, body)


def plan_fact(plan: str = PLAN, **more: Any) -> Outgoing:
    """A plan that takes three sources and has no match of its own."""
    body = {"plan_id": plan, "sources": ["pre_tax", "roth", "match"], "default_fund": FUND}
    return event(topics.PLANS, plan, PlanFact.ce_type, body | more)


def fund_fact(fund: str = FUND, decimals: int = 3) -> Outgoing:
    """A fund."""
    return event(topics.FUNDS, fund, FundFact.ce_type, {"fund_id": fund, "share_decimals": decimals})


def price(fund: str, day: str, text: str = "10.00", version: int = 1) -> Outgoing:
    """A final price."""
    body = {"fund_id": fund, "price_date": day, "price": text, "status": "final", "version": version}
    return event(topics.MARKET_PRICES, f"{fund}:{day}", PriceFact.ce_type, body)


def run_event(ce_type: str, payroll: str, **more: Any) -> Outgoing:
    """An event of a payroll run."""
    return event(topics.PAYROLL_RUNS, payroll, ce_type, {"payroll_id": payroll} | more)


def funding(payroll: str, cents: int, **more: Any) -> Outgoing:
    """Cash of a run."""
    body = {"cents": cents, "reference": fresh("wire"), "plan_id": PLAN} | more
    return run_event(PayrollFunded.ce_type, payroll, **body)


def confirmation(order_id: str, version: int = 1, **more: Any) -> Outgoing:
    """What a custodian says about an order."""
    body = {"order_id": order_id, "version": version, "status": "confirmed", "shares": "1.000", "price": "10.00"}
    return event(topics.CUSTODIAN_CONFIRMATIONS, order_id, Confirmation.ce_type, body | {"cents": 1_000} | more)

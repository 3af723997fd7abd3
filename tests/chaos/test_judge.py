"""The judge of long runs complains about each kind of wrong, and only then."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from shared.events import topics
from shared.runtime.settings import Settings
from tests.support import events
from tests.support.chaos_checker import CUT, VALUE_CUT, Judge
from tests.support.chaos_world import POISON_SOURCE

pytestmark = pytest.mark.chaos_short
LINES, RECEIPTS = topics.PAYROLL_CONTRIBUTIONS.name, topics.PAYROLL_RECEIPTS.name
ORDERS, DAY = topics.CUSTODIAN_ORDERS.name, "2026-11-18"
FINAL = {"status": "final", "version": 1}
Logs = dict[str, list[Any]]


def record(topic: str, offset: int, headers: dict[str, str], body: Any) -> Any:
    value = body if isinstance(body, bytes) else orjson.dumps(body)
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return SimpleNamespace(topic=topic, partition=0, offset=offset, value=value, headers=pairs)


def log(topic: str, *records: tuple[dict[str, str], Any]) -> list[Any]:
    """Records of one date, and the marker that ends it."""
    found = [record(topic, offset, headers, body) for offset, (headers, body) in enumerate(records)]
    return [*found, record(topic, len(found), {"ce_type": CUT}, {"trade_date": DAY})]


def a_good_run() -> Logs:
    """Two lines of one run, one resend, one poison; bought at 10.00."""
    asked = [{"ce_source": events.SOURCE, "ce_id": name} for name in ("line-1", "line-2", "line-1")]
    bodies = [
        {"participant_id": "P1", "plan_id": "PLAN0", "payroll_id": "R", "amounts": [{"source": "roth", "cents": cents}]}
        for cents in (700, 301, 700)
    ]
    poison = ({"ce_source": POISON_SOURCE, "ce_id": "poison-1", "expected": "NOT_JSON"}, b"{")
    answers = [
        ({"ce_id": name}, {"request": {"source": source, "id": request}, "status": status, "codes": []})
        for name, source, request, status in (
            ("r1", events.SOURCE, "line-1", "accepted"), ("r2", events.SOURCE, "line-2", "accepted"),
            ("r3", events.SOURCE, "line-1", "duplicate"), ("r4", POISON_SOURCE, "poison-1", "rejected"),
        )
    ]  # fmt: skip
    order = {"order_id": "O1", "plan_id": "PLAN0", "fund_id": "F1", "trade_date": DAY, "cents": 1001}
    held = {"date": DAY, "positions": [{"plan_id": "PLAN0", "fund_id": "F1", "shares": "1.001"}]}
    letter = {"ce_id": f"{LINES}/0/3", "reason": "NOT_JSON"}
    return {
        LINES: log(LINES, *zip(asked, bodies, strict=True), poison),
        RECEIPTS: log(RECEIPTS, *answers),
        ORDERS: log(ORDERS, ({"ce_id": "o1"}, order), ({"ce_id": "o1"}, order)),
        topics.PARTICIPANT_CENSUS.name: log(topics.PARTICIPANT_CENSUS.name, ({}, {"participant_id": "P1"})),
        topics.PAYROLL_RUNS.name: log(topics.PAYROLL_RUNS.name, ({}, {"payroll_id": "R", "cents": 1001})),
        topics.MARKET_PRICES.name: log(
            topics.MARKET_PRICES.name, ({}, {"fund_id": "F1", "price_date": DAY, "price": "10.00"} | FINAL)
        ),
        topics.CUSTODIAN_HOLDINGS.name: log(topics.CUSTODIAN_HOLDINGS.name, ({}, held)),
        topics.VALUATION_DAYS.name: log(
            topics.VALUATION_DAYS.name, ({"ce_id": "d"}, {"trade_date": DAY, "status": "proven"})
        ),
        f"{LINES}.dlq": log(f"{LINES}.dlq", (letter, b"{")),
    }


def complaints(logs: Logs, acked: list[tuple[str, int, int, bytes | None]] | None = None) -> list[str]:
    return Judge(Settings()).compare(acked or [], logs)


def without(topic: str, offset: int) -> Callable[[Logs], None]:
    return lambda logs: logs.update({topic: [one for one in logs[topic] if one.offset != offset]})


def changed(topic: str, offset: int, **body: Any) -> Callable[[Logs], None]:
    def change(logs: Logs) -> None:
        logs[topic][offset].value = orjson.dumps(orjson.loads(logs[topic][offset].value) | body)

    return change


def said_again(topic: str, offset: int, ce_id: str) -> Callable[[Logs], None]:
    def say(logs: Logs) -> None:
        again = record(topic, 99, {"ce_id": ce_id}, logs[topic][offset].value)
        logs[topic].append(again)

    return say


def one_cent_more(order: Any) -> Any:
    body = orjson.loads(order.value)
    return SimpleNamespace(**vars(order) | {"value": orjson.dumps(body | {"cents": body.get("cents", 0) + 1})})


WRONG: dict[str, Callable[[Logs], None]] = {
    "a resend without an answer": without(RECEIPTS, 2),
    "a line without an answer": without(RECEIPTS, 1),
    "a line answered twice": said_again(RECEIPTS, 1, "r9"),
    "an answer to nobody": without(LINES, 1),
    "two bodies under one id": changed(ORDERS, 1, cents=1),
    "a cent too many in an order": lambda logs: logs.update({ORDERS: [one_cent_more(one) for one in logs[ORDERS]]}),
    "an order said under two ids": changed(ORDERS, 1, order_id="O2"),
    "no order": lambda logs: logs.update({ORDERS: []}),
    "a unit too few at the custodian": changed(
        topics.CUSTODIAN_HOLDINGS.name, 0, positions=[{"plan_id": "PLAN0", "fund_id": "F1", "shares": "1.000"}]
    ),
    "a run paid too little": changed(topics.PAYROLL_RUNS.name, 0, cents=1000),
    "a poison that vanished": without(f"{LINES}.dlq", 0),
    "a refused price that vanished": lambda logs: logs[topics.MARKET_PRICES.name].insert(
        1, record(topics.MARKET_PRICES.name, 50, {"expected": "PRICE_CONFLICT"}, {"fund_id": "F1"} | {"price": "1"})
    ),
    "a good line as a dead letter": said_again(f"{LINES}.dlq", 0, f"{LINES}/0/1"),
    "a day that is not proven": changed(topics.VALUATION_DAYS.name, 0, status="broken"),
}


def test_a_good_run_draws_no_complaint() -> None:
    logs = a_good_run()
    acked = [(LINES, 0, one.offset, one.value) for one in logs[LINES][:4]]
    assert complaints(logs, acked) == []


@pytest.mark.parametrize("what", WRONG)
def test_each_wrong_is_complained_about(what: str) -> None:
    logs = a_good_run()
    WRONG[what](logs)
    assert complaints(logs) != []


@pytest.mark.parametrize("acked", [(LINES, 0, 9, b"{}"), (LINES, 0, 0, b"something else")])
def test_what_was_acknowledged_and_is_gone_or_changed_is_complained_about(
    acked: tuple[str, int, int, bytes | None],
) -> None:
    assert complaints(a_good_run(), [acked]) != []


def test_shares_are_bought_at_the_first_final_price_and_valued_with_the_last_before_the_value_cut() -> None:
    logs, topic = a_good_run(), topics.MARKET_PRICES.name
    said = [("9.00", "estimated"), ("10.00", "final"), ("12.00", "corrected")]
    bodies = [
        {"fund_id": "F1", "price_date": DAY, "price": price, "status": status, "version": version}
        for version, (price, status) in enumerate(said, 1)
    ]
    records = [record(topic, offset, {}, body) for offset, body in enumerate(bodies)]
    records.append(record(topic, 3, {"expected": "PRICE_CONFLICT"}, bodies[2] | {"price": "13.00"}))
    records.append(record(topic, 4, {"ce_type": VALUE_CUT}, {"trade_date": DAY}))
    records.append(record(topic, 5, {}, bodies[2] | {"price": "99.00", "version": 4}))
    logs[topic] = records
    logs[f"{topic}.dlq"] = log(f"{topic}.dlq", ({"ce_id": f"{topic}/0/3", "reason": "PRICE_CONFLICT"}, b"{}"))
    judge = Judge(Settings())
    assert judge.compare([], logs) == []
    assert judge.positions["PLAN0", "P1", "roth"] == {"F1": 1_001}
    assert judge.balances == {(DAY, "PLAN0", "P1"): 1_201}
    assert (judge.figures["prices_changed"], judge.figures["prices_changed_too_late"]) == (1, 1)

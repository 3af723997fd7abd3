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
from tests.support.chaos_answers import WAITING
from tests.support.chaos_checker import Judge
from tests.support.chaos_logs import CUT, VALUE_CUT
from tests.support.chaos_poison import POISON_SOURCE

pytestmark = pytest.mark.chaos_short
LINES, RECEIPTS = topics.PAYROLL_CONTRIBUTIONS.name, topics.PAYROLL_RECEIPTS.name
ORDERS, DAY = topics.CUSTODIAN_ORDERS.name, "2026-11-18"
EVE = "2026-11-17"
REQUESTS, ANSWERS = topics.PARTICIPANT_REQUESTS.name, topics.PARTICIPANT_RECEIPTS.name
CENSUS, PRICES, LETTERS = topics.PARTICIPANT_CENSUS.name, topics.MARKET_PRICES.name, f"{LINES}.dlq"
SAID = {topic.name for topic in (*topics.OUTPUT_TOPICS, *topics.DEAD_LETTER_TOPICS)}
FINAL = {"status": "final", "version": 1}
Logs = dict[str, list[Any]]


def record(topic: str, offset: int, headers: dict[str, str], body: Any, key: str = "P1") -> Any:
    value = body if isinstance(body, bytes) else orjson.dumps(body)
    if topic in SAID:
        headers = {"stream": f"engine/0/{topic}/0", "epoch": "1", "seq": str(offset + 1)} | headers
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return SimpleNamespace(topic=topic, partition=0, offset=offset, key=key.encode(), value=value, headers=pairs)


def log(topic: str, *records: tuple[dict[str, str], Any]) -> list[Any]:
    """Records of one date, and the markers that end it and the one before."""
    found = [record(topic, offset, headers, body) for offset, (headers, body) in enumerate(records)]
    return [*found, *(record(topic, at, {"ce_type": CUT}, {"trade_date": day}) for at, day in ((-9, EVE), (999, DAY)))]


def line(cents: int, person: str = "P1", **more: Any) -> dict[str, Any]:
    amounts = [{"source": "roth", "cents": cents}]
    return {"participant_id": person, "plan_id": "PLAN0", "payroll_id": "R", "amounts": amounts} | more


def asked(ce_id: str, source: str = events.SOURCE, **more: str) -> dict[str, str]:
    return {"ce_source": source, "ce_id": ce_id} | more


def answer(
    request: str,
    status: str,
    accepted: int = 0,
    rejected: int = 0,
    *codes: str,
    source: str = events.SOURCE,
    **more: str,
) -> dict[str, Any]:
    said = [{"code": code} for code in codes]
    credited = [{"source": "roth", "cents": accepted}] if accepted else []
    return {
        "request": {"source": source, "id": request}, "status": status, "accepted_cents": accepted,
        "rejected_cents": rejected, "credited": credited, "codes": said, "trade_date": DAY,
    } | more  # fmt: skip


def chosen(request: str, status: str, *codes: str, **more: str) -> dict[str, Any]:
    said = [{"code": code} for code in codes]
    body = {"request": {"source": events.SOURCE, "id": request}, "status": status, "codes": said}
    return body | {"effective_after": DAY} | more


def payroll() -> Logs:
    """Lines of one run: two good ones, a resend, another body, somebody unknown who is waited for; and two poisons."""
    negative = [{"source": "roth", "cents": -5}, {"source": "match", "cents": 9}]
    return {
        LINES: log(
            LINES, (asked("line-1"), line(700)), (asked("line-2"), line(301)), (asked("line-1"), line(700)),
            (asked("poison-1", POISON_SOURCE, expected="NOT_JSON", answer="MALFORMED"), b"{"),
            (asked("line-1"), line(700, compensation_cents=1)), (asked("line-3"), line(50, "X1")),
            (asked("line-3"), line(50, "X1")),
            (asked("poison-2", POISON_SOURCE, answer="INVALID_AMOUNT"), line(0) | {"amounts": negative}),
        ),
        RECEIPTS: log(
            RECEIPTS, ({"ce_id": "r1"}, answer("line-1", "accepted", 700)),
            ({"ce_id": "r2"}, answer("line-2", "accepted", 301)),
            ({"ce_id": "r3"}, answer("line-1", "duplicate", 700, original_receipt_id="r1")),
            ({"ce_id": "r4"}, answer("poison-1", "rejected", 0, 0, "MALFORMED", source=POISON_SOURCE)),
            ({"ce_id": "r5"}, answer("line-1", "rejected", 0, 700, "IDEMPOTENCY_MISMATCH", original_receipt_id="r1")),
            ({"ce_id": "r6"}, answer("line-3", "held", 0, 0, "UNKNOWN_PARTICIPANT")),
            ({"ce_id": "r7"}, answer("line-3", "duplicate", 0, 0, WAITING, original_receipt_id="r9")),
            ({"ce_id": "r8"}, answer("poison-2", "rejected", 0, 9, "INVALID_AMOUNT", source=POISON_SOURCE)),
            ({"ce_id": "r9"}, answer("line-3", "rejected", 0, 50, "UNKNOWN_PARTICIPANT")),
        ),
        LETTERS: log(LETTERS, ({"ce_id": f"{LINES}/0/3", "reason": "NOT_JSON"}, b"{")),
    }  # fmt: skip


def elections() -> Logs:
    """Both are sent twice; one names a fund that nobody knows."""
    parts = {"participant_id": "P1", "plan_id": "PLAN0", "elections": [{"fund_id": "F1", "percent": "100"}]}
    return {
        REQUESTS: log(
            REQUESTS, (asked("e1"), parts), (asked("e2", answer="UNKNOWN_FUND"), parts), (asked("e1"), parts),
            (asked("e2", answer="UNKNOWN_FUND"), parts),
        ),
        ANSWERS: log(
            ANSWERS, ({"ce_id": "a1"}, chosen("e1", "accepted")),
            ({"ce_id": "a2"}, chosen("e2", "held", "UNKNOWN_FUND")),
            ({"ce_id": "a3"}, chosen("e1", "duplicate", original_receipt_id="a1")),
            ({"ce_id": "a4"}, chosen("e2", "rejected", "UNKNOWN_FUND")),
            ({"ce_id": "a5"}, chosen("e2", "duplicate", "UNKNOWN_FUND", original_receipt_id="a4")),
        ),
    }  # fmt: skip


def a_good_run() -> Logs:
    """What two good lines came to, bought at 10.00; the order is said twice on the wire, the cash once more."""
    order = {"order_id": "O1", "plan_id": "PLAN0", "fund_id": "F1", "trade_date": DAY, "cents": 1001}
    held = {"date": DAY, "positions": [{"plan_id": "PLAN0", "fund_id": "F1", "shares": "1.001"}]}
    cash = ({"ce_id": "c1"}, {"payroll_id": "R", "cents": 1001})
    return payroll() | elections() | {
        ORDERS: log(ORDERS, ({"ce_id": "o1"}, order), ({"ce_id": "o1", "seq": "1"}, order)),
        CENSUS: log(CENSUS, ({}, {"participant_id": "P1"})),
        topics.PAYROLL_RUNS.name: log(topics.PAYROLL_RUNS.name, cash, cash),
        PRICES: log(PRICES, ({"ce_id": "p1"}, {"fund_id": "F1", "price_date": DAY, "price": "10.00"} | FINAL)),
        topics.CUSTODIAN_HOLDINGS.name: log(topics.CUSTODIAN_HOLDINGS.name, ({}, held)),
        topics.VALUATION_DAYS.name: log(
            topics.VALUATION_DAYS.name, ({"ce_id": "d"}, {"trade_date": DAY, "status": "proven"})
        ),
    }  # fmt: skip


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
        following = {"ce_id": ce_id, "seq": str(len(logs[topic]) - 1)}  # The two markers are not counted.
        logs[topic].append(record(topic, 99, following, logs[topic][offset].value))

    return say


def told(topic: str, offset: int, **headers: str) -> Callable[[Logs], None]:
    """Other headers."""

    def tell(logs: Logs) -> None:
        found = dict(logs[topic][offset].headers) | {name: text.encode() for name, text in headers.items()}
        logs[topic][offset].headers = list(found.items())

    return tell


def exchanged(topic: str, one: int, other: int) -> Callable[[Logs], None]:
    """Two records say what the other one said, each in the other's place."""

    def exchange(logs: Logs) -> None:
        first, second = logs[topic][one], logs[topic][other]
        first.value, second.value = second.value, first.value
        first_id, second_id = (dict(said.headers)["ce_id"].decode() for said in (first, second))
        told(topic, one, ce_id=second_id)(logs)
        told(topic, other, ce_id=first_id)(logs)

    return exchange


def one_cent_more(order: Any) -> Any:
    body = orjson.loads(order.value)
    return SimpleNamespace(**vars(order) | {"value": orjson.dumps(body | {"cents": body.get("cents", 0) + 1})})


def a_refused_price(logs: Logs) -> None:
    body = {"fund_id": "F1", "price": "1"}
    logs[PRICES].insert(1, record(PRICES, 50, {"ce_id": "p2", "expected": "PRICE_CONFLICT"}, body))


def credited(cents: int) -> list[dict[str, Any]]:
    return [{"source": "roth", "cents": cents}]


HELD_SHARES = [{"plan_id": "PLAN0", "fund_id": "F1", "shares": "1.000"}]
NO_CODES: list[Any] = []
Wrong = tuple[Callable[[Logs], None], str]
"""What is done to a good run, and words that some complaint must have."""
WRONG: dict[str, Wrong] = {
    "a resend without an answer": (without(RECEIPTS, 2), "sent 3 times and answered 2"),
    "a line without an answer": (without(RECEIPTS, 1), "sent 1 times and answered 0"),
    "a line answered twice": (said_again(RECEIPTS, 1, "r10"), "sent 1 times and answered 2"),
    "an answer to nobody": (without(LINES, 1), "answered and never sent"),
    "a line held that nobody sent": (changed(RECEIPTS, 5, request={"source": "s", "id": "i"}), "held and never sent"),
    "two bodies under one id": (changed(ORDERS, 1, cents=1), "twice with different bodies"),
    "a cent too many in an order": (
        lambda logs: logs.update({ORDERS: [one_cent_more(one) for one in logs[ORDERS]]}), "should be 1001 cents",
    ),
    "an order said under two ids": (changed(ORDERS, 1, order_id="O2"), "should be 1001 cents"),
    "no order": (lambda logs: logs.update({ORDERS: []}), "should be 1001 cents"),
    "a unit too few at the custodian": (
        changed(topics.CUSTODIAN_HOLDINGS.name, 0, positions=HELD_SHARES), "the custodian holds",
    ),
    "a run paid too little": (changed(topics.PAYROLL_RUNS.name, 0, cents=1000), "was paid 1000"),
    "a poison that vanished": (without(LETTERS, 0), "should be a dead letter NOT_JSON"),
    "a refused price that vanished": (a_refused_price, "should be a dead letter PRICE_CONFLICT"),
    "a good line as a dead letter": (said_again(LETTERS, 0, f"{LINES}/0/1"), "should be a dead letter None"),
    "a day that is not proven": (changed(topics.VALUATION_DAYS.name, 0, status="broken"), "is broken, expected"),
    # -- what answers say --
    "a cent too few accepted": (changed(RECEIPTS, 1, accepted_cents=300, rejected_cents=1), "'line-2'"),
    "a cent that is neither accepted nor rejected": (changed(RECEIPTS, 1, accepted_cents=300), "'line-2'"),
    "a cent more credited than accepted": (changed(RECEIPTS, 1, credited=credited(302)), "'line-2'"),
    "a line credited to another source": (
        changed(RECEIPTS, 1, credited=[{"source": "pre_tax", "cents": 301}]), "'line-2'",
    ),
    "a good line rejected": (
        changed(RECEIPTS, 1, status="rejected", accepted_cents=0, rejected_cents=301, credited=[]), "'line-2'",
    ),
    "a code for nothing": (changed(RECEIPTS, 1, codes=[{"code": "LIMIT_402G"}]), "'line-2'"),
    "a resend told another amount": (changed(RECEIPTS, 2, accepted_cents=699, credited=credited(699)), "'line-1'"),
    "a resend that does not name the first answer": (changed(RECEIPTS, 2, original_receipt_id="r2"), "not the first"),
    "another body called a duplicate": (changed(RECEIPTS, 4, status="duplicate", codes=[]), "'line-1'"),
    "another body refused without a code": (changed(RECEIPTS, 4, codes=NO_CODES), "'line-1'"),
    "another body refused with a cent less": (changed(RECEIPTS, 4, rejected_cents=699), "'line-1'"),
    "somebody unknown accepted": (
        changed(RECEIPTS, 8, status="accepted", accepted_cents=50, rejected_cents=0, codes=[]), "'line-3'",
    ),
    "somebody unknown refused with a cent less": (changed(RECEIPTS, 8, rejected_cents=49), "'line-3'"),
    "a poison called something else": (changed(RECEIPTS, 3, codes=[{"code": "NOT_ELIGIBLE"}]), "'poison-1'"),
    "a negative amount accepted": (changed(RECEIPTS, 7, status="accepted"), "'poison-2'"),
    "an answer for another date": (changed(RECEIPTS, 1, trade_date="2026-11-19"), "answered for"),
    "an election without an answer": (without(ANSWERS, 0), "sent 2 times and answered 1"),
    "an election answered twice": (said_again(ANSWERS, 0, "a9"), "sent 2 times and answered 3"),
    "an election rejected": (changed(ANSWERS, 0, status="rejected"), "'e1'"),
    "an election of a fund nobody knows accepted": (changed(ANSWERS, 3, status="accepted", codes=[]), "'e2'"),
    "an election in force from another date": (changed(ANSWERS, 0, effective_after="2026-11-19"), "answered for"),
    # -- order, streams --
    "answers out of order": (exchanged(RECEIPTS, 0, 1), "answers to P1 are out of order"),
    "an election answered out of order": (
        lambda logs: logs[REQUESTS].insert(0, record(REQUESTS, -1, asked("e0"), orjson.loads(logs[REQUESTS][0].value))),
        "answers to P1 are out of order",
    ),
    "a number left out": (told(RECEIPTS, 8, seq="10"), "(1, 9) is missing before (1, 10)"),
    "a number said of two records": (told(RECEIPTS, 8, seq="8"), "is said of two records"),
    "an epoch that goes back": (told(RECEIPTS, 2, epoch="2", seq="1"), "goes back from epoch 2 to 1"),
    "an epoch that does not begin at one": (told(RECEIPTS, 8, epoch="2", seq="2"), "(2, 1) is missing"),
    "an order of no stream": (told(ORDERS, 0, stream=""), "belongs to no stream"),
    "a dead letter that was left out": (told(LETTERS, 0, seq="2"), "(1, 1) is missing"),
}  # fmt: skip


def test_a_good_run_draws_no_complaint() -> None:
    logs = a_good_run()
    acked = [(LINES, 0, one.offset, one.value) for one in logs[LINES][:4]]
    assert complaints(logs, acked) == []


@pytest.mark.parametrize("what", WRONG)
def test_each_wrong_is_complained_about(what: str) -> None:
    logs = a_good_run()
    spoil, words = WRONG[what]
    spoil(logs)
    found = complaints(logs)
    assert any(words in one for one in found), found


def test_a_new_epoch_begins_at_one_and_repeats_are_no_complaint() -> None:
    logs = a_good_run()
    told(RECEIPTS, 8, epoch="2", seq="1")(logs)
    logs[RECEIPTS].append(SimpleNamespace(**vars(logs[RECEIPTS][8]) | {"offset": 99}))
    assert complaints(logs) == []


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
    records = [record(topic, offset, {"ce_id": f"p{offset}"}, body) for offset, body in enumerate(bodies)]
    records.append(record(topic, 3, {"ce_id": "p3", "expected": "PRICE_CONFLICT"}, bodies[2] | {"price": "13.00"}))
    records.append(record(topic, 4, {"ce_type": VALUE_CUT}, {"trade_date": DAY}))
    records.append(record(topic, 5, {"ce_id": "p5"}, bodies[2] | {"price": "99.00", "version": 4}))
    records.append(record(topic, 6, {"ce_id": "p1"}, bodies[1]))
    logs[topic] = records
    logs[f"{topic}.dlq"] = log(f"{topic}.dlq", ({"ce_id": f"{topic}/0/3", "reason": "PRICE_CONFLICT"}, b"{}"))
    judge = Judge(Settings())
    assert judge.compare([], logs) == []
    assert judge.positions["PLAN0", "P1", "roth"] == {"F1": 1_001}
    assert judge.balances == {(DAY, "PLAN0", "P1"): 1_201}
    assert (judge.figures["prices_changed"], judge.figures["prices_changed_too_late"]) == (1, 1)


def test_answers_to_what_came_before_the_first_date_was_closed_need_no_date() -> None:
    logs = a_good_run()
    logs[LINES] = [one for one in logs[LINES] if one.offset >= 0]
    changed(RECEIPTS, 1, trade_date=None)(logs)
    assert complaints(logs) == []

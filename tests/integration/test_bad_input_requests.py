"""Elections and confirmations that break the contract: a coded answer each, and the orders still trade and prove."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from shared.events import topics
from tests.support import events
from tests.support.events import Outgoing, fresh
from tests.support.payday import PARTITIONS, Payday
from tests.support.waiting import eventually
from tests.support.wire import codes

pytestmark = pytest.mark.slow
RECEIPTS = topics.PARTICIPANT_RECEIPTS.name
Break = Callable[[Outgoing], Outgoing]


def raw(value: bytes | None) -> Break:
    return lambda record: record.but(value=value)


def parts(*named: tuple[object, object], **more: object) -> Break:
    return lambda record: record.but(
        body={"elections": [{"fund_id": fund, "percent": percent} | more for fund, percent in named]}
    )


UNREADABLE: dict[str, tuple[Break, str, str]] = {
    "not JSON": (raw(b"{"), "NOT_JSON", "MALFORMED"),
    "a tombstone": (raw(None), "NOT_JSON", "MALFORMED"),
    "nothing chosen": (lambda record: record.but(body={"elections": None}), "WRONG_SHAPE", "MALFORMED"),
    "an empty list": (parts(), "WRONG_SHAPE", "MALFORMED"),
    "percent as a number": (parts(("F1", 100)), "WRONG_SHAPE", "MALFORMED"),
    "101 percent": (parts(("F1", "101")), "WRONG_SHAPE", "MALFORMED"),
    "a negative percent": (parts(("F1", "-1"), ("F2", "101")), "WRONG_SHAPE", "MALFORMED"),
    "a percent too fine": (parts(("F1", "33.333"), ("F2", "66.667")), "WRONG_SHAPE", "MALFORMED"),
    "a percent in Arabic digits": (parts(("F1", "١٠٠")), "WRONG_SHAPE", "MALFORMED"),
    "a group nobody knows": (parts(("F1", "100"), source_group="friends"), "WRONG_SHAPE", "MALFORMED"),
    "ten thousand funds": (parts(*((f"F{n}", "0.01") for n in range(10_000))), "WRONG_SHAPE", "MALFORMED"),
    "a NUL in a fund": (parts(("F1\x00", "100")), "WRONG_SHAPE", "MALFORMED"),
    "another participant": (lambda record: record.but(body={"participant_id": "x"}), "KEY_MISMATCH", "KEY_MISMATCH"),
    "an unknown type": (
        lambda record: record.with_header("ce_type", b"nestwork.wish.v1"), "UNKNOWN_EVENT_TYPE", "UNKNOWN_EVENT_TYPE",
    ),
    "a newer version": (
        lambda record: record.with_header("ce_type", b"nestwork.election.changed.v2"), "NEWER_VERSION", "NEWER_VERSION",
    ),
}  # fmt: skip


@pytest.mark.parametrize("strays", [False, True], ids=["at home", "in the wrong partition"])
async def test_a_request_that_cannot_be_read_is_a_dead_letter_and_answered(payday: Payday, strays: bool) -> None:
    cases = []
    for how, letter, receipt in UNREADABLE.values():
        bad = how(events.election(payday.person(2), {events.FUND: "100"}))
        known_type = letter not in ("UNKNOWN_EVENT_TYPE", "NEWER_VERSION")
        cases.append((bad.but(partition=1 if strays and known_type else 2), letter, receipt))
    async with payday.between_good_ones(2):
        sent = await payday.wire.send(*(bad for bad, _, _ in cases))
    for one, (bad, letter, receipt) in zip(sent, cases, strict=True):
        await payday.dead_letter(one, "allocation", letter)
        answer = await payday.wire.receipt(bad.ce_id, RECEIPTS)
        assert (answer["status"], codes(answer)) == ("rejected", [receipt])


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "less than a hundred": ({events.FUND: "99.99"}, "INVALID_ELECTION"),
    "more than a hundred": ({events.FUND: "60", "F2": "60"}, "INVALID_ELECTION"),
}


async def test_an_election_that_does_not_add_up_is_rejected_and_one_of_an_unknown_fund_held_until_the_close(
    payday: Payday,
) -> None:
    wrong = {name: events.election(payday.person(), percents) for name, (percents, _) in REFUSED.items()}
    late, never = fresh("late-fund"), fresh("no-fund")
    freed, lost = events.election(payday.person(), {late: "100"}), events.election(payday.person(), {never: "100"})
    exchange = events.event(
        topics.PARTICIPANT_REQUESTS, person := payday.person(), "nestwork.rebalance.requested.v1",
        {"plan_id": events.PLAN, "participant_id": person},
    )  # fmt: skip
    first = events.election(payday.person(), {events.FUND: "100"})
    changed = first.but(body={"elections": [{"fund_id": events.FUND, "percent": "100.00"}]})
    async with payday.between_good_ones():
        await payday.wire.send(*wrong.values(), freed, lost, exchange, first, first, changed)
    for name, election in wrong.items():
        answer = await payday.wire.receipt(election.ce_id, RECEIPTS)
        assert (answer["status"], codes(answer)) == ("rejected", [REFUSED[name][1]])
    for election in (freed, lost):
        answer = await payday.wire.receipt(election.ce_id, RECEIPTS)
        assert (answer["status"], codes(answer)) == ("held", ["UNKNOWN_FUND"])
    answer = await payday.wire.receipt(exchange.ce_id, RECEIPTS)
    assert (answer["status"], codes(answer)) == ("rejected", ["NOT_SUPPORTED_YET"])
    answers = [await payday.wire.receipt(first.ce_id, RECEIPTS, number) for number in (1, 2, 3)]
    assert [one["status"] for one in answers] == ["accepted", "duplicate", "rejected"]
    assert codes(answers[2]) == ["IDEMPOTENCY_MISMATCH"]
    await payday.wire.send(events.fund_fact(late))
    await payday.close_day()
    assert (await payday.wire.receipt(freed.ce_id, RECEIPTS, 2))["status"] == "accepted"
    answer = await payday.wire.receipt(lost.ce_id, RECEIPTS, 2)
    assert (answer["status"], codes(answer)) == ("rejected", ["UNKNOWN_FUND"])


@pytest.mark.parametrize("kind", ["rebalance", "exchange", "distribution"])
async def test_a_resend_of_a_request_the_engine_cannot_carry_out_is_a_duplicate_with_its_code(
    payday: Payday, kind: str
) -> None:
    body = {"plan_id": events.PLAN, "participant_id": (person := payday.person())} | FURTHER[kind]
    asked = events.event(topics.PARTICIPANT_REQUESTS, person, f"nestwork.{kind}.requested.v1", body)
    async with payday.between_good_ones():
        await payday.wire.send(asked, asked, asked.but(body={"plan_id": "another"}))
    answers = [await payday.wire.receipt(asked.ce_id, RECEIPTS, number) for number in (1, 2, 3)]
    assert [(one["status"], codes(one)) for one in answers] == [
        ("rejected", ["NOT_SUPPORTED_YET"]),
        ("duplicate", ["NOT_SUPPORTED_YET"]),
        ("rejected", ["IDEMPOTENCY_MISMATCH"]),
    ]


FURTHER: dict[str, dict[str, Any]] = {
    "rebalance": {},
    "exchange": {"from_fund_id": events.FUND, "to_fund_id": "F2", "percent": "50"},
    "distribution": {"kind": "hardship", "cents": 100},
}


async def test_a_resend_of_a_refused_election_repeats_the_codes_of_the_refusal_whatever_is_known_by_then(
    payday: Payday,
) -> None:
    later = fresh("known-later")
    wrong = events.election(payday.person(), {events.FUND: "99.99"})
    waits = events.election(payday.person(), {later: "100"})
    async with payday.between_good_ones():
        await payday.wire.send(wrong, wrong, waits, waits)
    await _repeats(payday, wrong, ["rejected", "duplicate"])
    await _repeats(payday, waits, ["held", "duplicate"])
    await payday.close_day()
    await _repeats(payday, waits, ["held", "duplicate", "rejected"])
    await payday.wire.send(events.fund_fact(later))
    await payday.close_day()
    async with payday.between_good_ones():
        await payday.wire.send(waits, wrong)
    await _repeats(payday, waits, ["held", "duplicate", "rejected", "duplicate"])
    await _repeats(payday, wrong, ["rejected", "duplicate", "duplicate"])


async def _repeats(payday: Payday, request: Outgoing, statuses: list[str]) -> None:
    """All answers to a request have these statuses, and the code and sentence of the first."""
    answers = [await payday.wire.receipt(request.ce_id, RECEIPTS, number) for number in range(1, len(statuses) + 1)]
    assert [one["status"] for one in answers] == statuses
    assert answers[0]["codes"]
    assert [one["codes"] for one in answers] == [answers[0]["codes"]] * len(answers)


# -- confirmations -------------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[Break, str]] = {
    "not JSON": (raw(b"confirmed!"), "NOT_JSON"),
    "a tombstone": (raw(None), "NOT_JSON"),
    "a price of 0": (lambda record: record.but(body={"price": "0"}), "INVALID_PRICE"),
    "a negative price": (lambda record: record.but(body={"price": "-10.00"}), "INVALID_PRICE"),
    "no figures": (lambda record: record.but(body={"shares": None, "cents": None}), "WRONG_SHAPE"),
    "negative dollars": (lambda record: record.but(body={"cents": -1}), "WRONG_SHAPE"),
    "dollars as a boolean": (lambda record: record.but(body={"cents": True}), "WRONG_SHAPE"),
    "shares as a number": (lambda record: record.but(body={"shares": 1.5}), "WRONG_SHAPE"),
    "shares with an exponent": (lambda record: record.but(body={"shares": "1e9"}), "WRONG_SHAPE"),
    "shares of sixteen digits": (lambda record: record.but(body={"shares": "1" * 16}), "WRONG_SHAPE"),
    "version 0": (lambda record: record.but(body={"version": 0}), "WRONG_SHAPE"),
    "an unknown status": (lambda record: record.but(body={"status": "perhaps"}), "WRONG_SHAPE"),
    "a NUL in the reason": (lambda record: record.but(body={"reason": "\x00"}), "WRONG_SHAPE"),
    "another key": (lambda record: record.but(key=b"another-order"), "KEY_MISMATCH"),
    "no key": (lambda record: record.but(key=None, partition=0), "MISSING_HEADERS"),
    "no ce_id": (lambda record: record.without_header("ce_id"), "MISSING_HEADERS"),
    "no type": (lambda record: record.without_header("ce_type"), "MISSING_HEADERS"),
    "an unknown type": (lambda record: record.with_header("ce_type", b"nestwork.gossip.v1"), "UNKNOWN_EVENT_TYPE"),
    "a newer version": (
        lambda record: record.with_header("ce_type", b"nestwork.custodian.confirmation.v3"), "NEWER_VERSION",
    ),
    "binary headers": (
        lambda record: record.but(value=b"{", headers=[*record.headers, ("b3", b"\x00"), ("no", None)]), "NOT_JSON",
    ),
    "an order nobody sent": (lambda record: record, "UNKNOWN_ORDER"),
    "an order nobody sent, in any partition": (lambda record: record.but(partition=3), "UNKNOWN_ORDER"),
}  # fmt: skip


async def test_a_broken_confirmation_or_one_of_an_unknown_order_is_a_dead_letter(payday: Payday) -> None:
    cases = [(how(events.confirmation(fresh("order"))), code) for how, code in BROKEN.values()]
    async with payday.between_good_ones():
        sent = await payday.wire.send(*(bad for bad, _ in cases))
    for one, (_, code) in zip(sent, cases, strict=True):
        await payday.dead_letter(one, "trading", code)
    await payday.close_day()


async def confirmed_order(payday: Payday, day: date) -> dict[str, Any]:
    """The order of the date once the custodian's answer to it was judged and booked."""

    async def judged() -> bool:
        return bool(await rows())

    async def rows() -> list[Any]:
        return await payday.wire.query(
            "trading",
            "SELECT o.order_id, o.status, o.version, c.shares, c.price, c.cents FROM orders AS o"
            " JOIN confirmations AS c USING (order_id, version) WHERE o.trade_date = $1 AND o.status = 'confirmed'",
            day,
        )

    await eventually(judged, seconds=60)
    return dict((await rows())[0])


async def test_a_second_different_confirmation_is_a_conflict_and_the_first_one_stands(payday: Payday) -> None:
    async with payday.between_good_ones():
        pass
    day = await payday.cut()
    await payday.wire.send(events.price(events.FUND, day.isoformat()))
    order = await confirmed_order(payday, day)
    figures = {name: order[name] for name in ("shares", "price", "cents")}
    same = events.confirmation(order["order_id"], order["version"], **figures)
    other = same.but(body={"cents": order["cents"] + 1})
    finer = events.confirmation(order["order_id"], order["version"] + 1, **figures | {"shares": "1.0001"})
    enormous = events.confirmation(order["order_id"], order["version"] + 2, **figures | {"shares": "9" * 15})
    sent = await payday.wire.send(
        same, same.but(partition=(payday.wire.partition_of(same) + 1) % PARTITIONS), other, finer, enormous
    )
    await payday.dead_letter(sent[2], "trading", "CONFIRMATION_CONFLICT")
    await payday.dead_letter(sent[3], "trading", "WRONG_SHAPE")
    await payday.dead_letter(sent[4], "trading", "WRONG_SHAPE")
    await payday.wire.send(
        events.confirmation(order["order_id"], order["version"] + 3, **figures),
        events.confirmation(order["order_id"], order["version"] + 4, **figures | {"cents": 1}),
    )
    codes_by_version = {order["version"] + 3: "CONFIRMATION_CONFLICT", order["version"] + 4: "AMOUNT_MISMATCH"}

    async def is_refused() -> bool:
        refused = (await payday.trading_page(day))["refused_confirmations"]
        return {one["version"]: one["code"] for one in refused} == codes_by_version

    await eventually(is_refused, seconds=60)
    assert (await confirmed_order(payday, day)) == order
    await payday.value(day)


async def test_after_all_this_the_day_closes_proven_and_nothing_was_started_again(payday: Payday) -> None:
    await payday.close_day()
    await payday.everything_is_alive()
    await payday.the_good_have_their_money()

"""Bad input at the edges of the protocol and of the day: unreadable header names, senseless prices, late answers."""

from __future__ import annotations

import signal
from datetime import date
from typing import Any

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from deploy.operate.proof import prove
from deploy.scenarios.facts import CLOSE_REQUESTED
from services.contribution.holding import HELD_PER_PAGE
from shared.events import topics
from shared.events.custodian import Holdings
from shared.values.nyse_calendar import LAST_YEAR
from tests.support import events
from tests.support.events import Outgoing, fresh
from tests.support.headernames import RawName
from tests.support.payday import FIRST_DAY, GOOD_CENTS, PRICE, Payday
from tests.support.waiting import eventually
from tests.support.wire import Sent, codes

pytestmark = pytest.mark.slow
RECEIPTS = topics.PARTICIPANT_RECEIPTS.name
RAW = b"\xff\xfe-trace"


async def send_with_raw_name(payday: Payday, record: Outgoing) -> Sent:
    """Send a record with one more header, whose name no client would write."""
    producer, partition = payday.wire.producer, payday.wire.partition_of(record)
    batch = producer.create_batch()
    batch._builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, 0, 100_000)
    batch.append(
        key=record.key, value=record.value, timestamp=None, headers=[*record.headers, (RawName(RAW), b"\x00\xff")]
    )
    stored = await (await producer.send_batch(batch, record.topic, partition=partition))
    return Sent(record, stored.partition, stored.offset)


async def test_a_header_name_that_is_not_utf8_stops_nobody_and_its_bytes_are_kept(payday: Payday) -> None:
    line, run = events.line(payday.person(), payroll=(payroll := fresh("run"))), events.funding(payroll, 10_000)
    fund = events.fund_fact(fresh("fund"))
    async with payday.between_good_ones():
        good = [await send_with_raw_name(payday, one) for one in (line, run, fund)]
        bad = [
            (await send_with_raw_name(payday, events.line(payday.person()).but(value=b"{")), "contribution"),
            (await send_with_raw_name(payday, events.funding(fresh("run"), 5).but(value=b"{")), "contribution"),
            (await send_with_raw_name(payday, events.confirmation(fresh("order")).but(value=b"{")), "trading"),
        ]
    assert (await payday.wire.receipt(line.ce_id))["status"] == "accepted"
    for sent, service in bad:
        row = await payday.dead_letter(sent, service, "NOT_JSON")
        assert f"not-utf8:{RAW.hex()}" in row["headers"]
    known = "SELECT count(*) AS known FROM facts WHERE topic = 'funds.v1' AND key = $1"
    assert (await payday.wire.query("allocation", known, good[2].outgoing.key.decode()))[0]["known"] == 1  # type: ignore[union-attr]
    await payday.close_day()
    payday.good[line.key.decode()] += 10_000  # type: ignore[union-attr]
    await payday.the_good_have_their_money()


async def test_a_senseless_price_is_refused_and_a_second_price_of_a_version_does_not_replace_the_first(
    payday: Payday,
) -> None:
    fund, day = fresh("fund"), "2026-11-20"
    async with payday.between_good_ones():
        first, repeat, other, as_estimate, highest, beyond = await payday.wire.send(
            events.price(fund, day, "10.00"),
            events.price(fund, day, "10.0"),
            events.price(fund, day, "10.01"),
            events.price(fund, day, "10.00").but(body={"status": "estimated"}),
            events.price(fund, day, "10000000", version=2),
            events.price(fund, day, "10000000.01", version=3),
        )
    for service in ("trading", "valuation"):
        await payday.dead_letter(other, service, "PRICE_CONFLICT")
        await payday.dead_letter(as_estimate, service, "PRICE_CONFLICT")
        await payday.dead_letter(beyond, service, "INVALID_PRICE")
        rows = await payday.wire.query(
            service, "SELECT version, price, status FROM prices WHERE fund_id = $1 ORDER BY version", fund
        )
        assert [tuple(row) for row in rows] == [(1, "10.00", "final"), (2, "10000000", "final")]
    letters = {one.headers["ce_id"] for one in payday.wire.heard[f"{first.outgoing.topic}.dlq"]}
    for accepted in (first, repeat, highest):
        topic, partition, offset = accepted.place
        assert f"{topic}/{partition}/{offset}".encode() not in letters


async def test_the_first_statement_of_a_part_of_the_holdings_stands(payday: Payday) -> None:
    """A second one, of other positions or another number of parts, is neither mixed into it nor forgotten."""
    day = "2027-12-30"

    def part(number: int, parts: int, **shares: str) -> Outgoing:
        positions = [{"plan_id": events.PLAN, "fund_id": fund, "shares": text} for fund, text in shares.items()]
        body = {"date": day, "part": number, "parts": parts, "positions": positions}
        return events.event(topics.CUSTODIAN_HOLDINGS, day, Holdings.ce_type, body)

    twice = part(2, 2, F9="1.5")
    named = [{"plan_id": events.PLAN, "fund_id": "F9", "shares": text} for text in ("1.5", "0.25")]
    async with payday.between_good_ones():
        _, _, *refused, _ = await payday.wire.send(
            part(1, 2, F1="10.00", F2="5"), part(1, 2, F2="5.0", F1="10.0"), part(1, 2, F1="10.00"),
            part(1, 2, F1="10.00", F2="5", F3="1"), part(1, 1, F1="10.00", F2="5"), part(2, 3, F9="1"),
            twice.but(body={"positions": named}),
        )  # fmt: skip
    for sent in refused:
        await payday.dead_letter(sent, "valuation", "HOLDINGS_CONFLICT")
    rows = await payday.wire.query(
        "valuation",
        "SELECT part, fund_id, shares FROM custodian_holdings WHERE date = $1 ORDER BY part, fund_id",
        date.fromisoformat(day),
    )
    assert [tuple(row) for row in rows] == [(1, "F1", "10.00"), (1, "F2", "5"), (2, "F9", "1.75")]
    (seen,) = await payday.wire.query(
        "valuation",
        "SELECT count(*) AS seen, max(parts) AS parts FROM custodian_parts WHERE date = $1",
        date.fromisoformat(day),
    )
    assert tuple(seen) == (2, 2)


async def test_an_election_that_names_an_unknown_plan_waits_for_it_and_is_rejected_at_the_close(
    payday: Payday,
) -> None:
    late, never = fresh("late-plan"), fresh("no-plan")
    freed = events.election(payday.person(), {events.FUND: "100"}, late)
    lost = events.election(payday.person(), {events.FUND: "100"}, never)
    async with payday.between_good_ones():
        await payday.wire.send(freed, lost)
    for election in (freed, lost):
        answer = await payday.wire.receipt(election.ce_id, RECEIPTS)
        assert (answer["status"], codes(answer)) == ("held", ["UNKNOWN_PLAN"])
    await payday.wire.send(events.plan_fact(late))
    await payday.close_day()
    assert (await payday.wire.receipt(freed.ce_id, RECEIPTS, 2))["status"] == "accepted"
    answer = await payday.wire.receipt(lost.ce_id, RECEIPTS, 2)
    assert (answer["status"], codes(answer)) == ("rejected", ["UNKNOWN_PLAN"])


async def test_an_older_confirmation_that_comes_after_a_broken_newer_one_is_refused(payday: Payday) -> None:
    async with payday.between_good_ones():
        pass
    custodian = payday.cluster.process("custodian").identity
    custodian.send(signal.SIGSTOP)
    try:
        day = await payday.cut()
        text = day.isoformat()
        await payday.wire.send(events.price(events.FUND, text))
        order = await payday.wire.until(
            lambda: next(
                (o.body for o in payday.wire.heard[topics.CUSTODIAN_ORDERS.name] if o.body["trade_date"] == text), None
            ),
            "the order",
        )
        order_id, cents = order["order_id"], order["cents"]
        right = {"cents": cents, "price": PRICE, "shares": f"{cents / 1000:.3f}"}
        await payday.wire.send(events.confirmation(order_id, 2, **right | {"price": "10.50"}))
        assert await became(payday, order_id, 2) == "broken:PRICE_MISMATCH"
        await payday.wire.send(events.confirmation(order_id, 1, **right))
        assert await became(payday, order_id, 1) == "refused:CONFIRMATION_CONFLICT"
        assert (await payday.trading_page(day))["corrections_outstanding"] == 1
        await payday.wire.send(events.confirmation(order_id, 3, status="corrected", **right))
        assert await became(payday, order_id, 3) == f"accepted:{text}"
    finally:
        custodian.send(signal.SIGCONT)
    await payday.value(day)
    await payday.the_good_have_their_money()


async def became(payday: Payday, order_id: str, version: int) -> str:
    """The verdict on a confirmation, once there is one."""
    verdicts: list[Any] = []

    async def is_judged() -> bool:
        rows = await payday.wire.query(
            "trading", "SELECT verdict FROM confirmations WHERE order_id = $1 AND version = $2", order_id, version
        )
        verdicts[:] = [row["verdict"] for row in rows if row["verdict"]]
        return bool(verdicts)

    await eventually(is_judged, seconds=60)
    return str(verdicts[0])


async def test_the_first_date_of_an_engine_is_proven_from_its_logs_too(payday: Payday) -> None:
    """What came before any cut has no date of its own in the books, until the first cut names it."""
    proof, _ = await prove(payday.wire.config, FIRST_DAY)
    assert [one.name for one in proof.equations if not one.ok] == []
    submitted = [one for one in proof.equations if one.name.startswith("submitted cents")]
    assert submitted[0].left == GOOD_CENTS


async def test_the_last_date_of_the_calendar_is_not_closed(payday: Payday) -> None:
    last = date(LAST_YEAR, 12, 29)
    await payday.command(CLOSE_REQUESTED, last)

    async def outcome() -> bool:
        rows = await payday.wire.query("trading", "SELECT outcome FROM day_commands WHERE trade_date = $1", last)
        return any("calendar ends" in (row["outcome"] or "") for row in rows)

    await eventually(outcome, seconds=60)
    await payday.close_day()


async def test_more_held_lines_than_are_read_at_once_are_all_freed_in_their_order(payday: Payday) -> None:
    plan, person = fresh("late-plan"), payday.person()
    lines = [
        events.line(person, {"pre_tax": 1}, plan=plan, compensation_cents=1_000 + number)
        for number in range(2 * HELD_PER_PAGE + 7)
    ]
    async with payday.between_good_ones():
        await payday.wire.send(*lines)
    await payday.wire.receipt(lines[-1].ce_id)
    await payday.wire.send(events.plan_fact(plan), events.census(person, plan))
    assert (await payday.wire.receipt(lines[-1].ce_id, number=2))["status"] == "accepted"
    finals = [one.body for one in payday.wire.heard[topics.PAYROLL_RECEIPTS.name] if one.body["status"] == "accepted"]
    order = {line.ce_id: number for number, line in enumerate(lines)}
    freed = [order[body["request"]["id"]] for body in finals if body["request"]["id"] in order]
    assert freed == list(range(len(lines)))
    await payday.close_day()

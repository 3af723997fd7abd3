"""Control records that break the contract: a dead letter each; the topic goes on, and money with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from deploy.operate.letters import list_letters
from deploy.operate.proof import prove
from deploy.operate.replay import replay
from shared.events import topics
from shared.events.payroll import PayrollClosed, PayrollOpened, PayrollReturned
from shared.runtime.records import DAY_CUT
from tests.support import events
from tests.support.events import Outgoing, fresh
from tests.support.payday import GOOD_CENTS, Payday
from tests.support.waiting import eventually
from tests.support.wire import page

pytestmark = pytest.mark.slow
Break = Callable[[Outgoing], Outgoing]
TRACE = b"\x00\x01\xff"


def raw(value: bytes | None) -> Break:
    return lambda record: record.but(value=value)


def typed(ce_type: bytes) -> Break:
    return lambda record: record.with_header("ce_type", ce_type)


def body(**changes: object) -> Break:
    return lambda record: record.but(body=changes)


GOOD: dict[str, tuple[Callable[[], Outgoing], str]] = {
    # what is broken below, and a service that reads it
    "plan": (lambda: events.plan_fact(fresh("plan")), "contribution"),
    "fund": (lambda: events.fund_fact(fresh("fund")), "allocation"),
    "price": (lambda: events.price(fresh("fund"), "2026-11-20"), "trading"),
    "funding": (lambda: events.funding(fresh("run"), 100), "contribution"),
    "day command": (
        lambda: events.event(
            topics.DAY_COMMANDS, "2026-12-31", "nestwork.trade-date.close-requested.v1", {"trade_date": "2026-12-31"}
        ),
        "trading",
    ),
    "holdings": (
        lambda: events.event(
            topics.CUSTODIAN_HOLDINGS, "2027-12-31", "nestwork.custodian.holdings.v1",
            {"date": "2027-12-31", "part": 1, "parts": 1, "positions": []},
        ),
        "valuation",
    ),
}  # fmt: skip

ANYWHERE: dict[str, tuple[Break, str]] = {
    "not JSON": (raw(b"{"), "NOT_JSON"),
    "a header of the sender's own": (lambda record: record.but(value=b"{").with_header("note", b"\xff"), "NOT_JSON"),
    "a tombstone": (raw(None), "NOT_JSON"),
    "a list": (raw(b"[]"), "WRONG_SHAPE"),
    "a NUL for a body": (raw(b'"\\u0000"'), "WRONG_SHAPE"),
    "a structured event nested too deep to be written again": (events.nested_too_deep, "WRONG_SHAPE"),
    "an unknown type": (typed(b"nestwork.rumour.v1"), "UNKNOWN_EVENT_TYPE"),
    "a type with a NUL": (typed(b"nestwork\x00rumour"), "UNKNOWN_EVENT_TYPE"),
    "no type": (lambda record: record.without_header("ce_type"), "MISSING_HEADERS"),
    "no ce_id": (lambda record: record.without_header("ce_id"), "MISSING_HEADERS"),
    "no headers": (lambda record: record.but(headers=[]), "MISSING_HEADERS"),
    "a ce_id with a NUL": (lambda record: record.with_header("ce_id", b"a\x00"), "WRONG_SHAPE"),
    "no key": (lambda record: record.but(key=None), "MISSING_HEADERS"),
    "an empty key": (lambda record: record.but(key=b""), "MISSING_HEADERS"),
    "another key": (lambda record: record.but(key=b"somebody else"), "KEY_MISMATCH"),
    "binary headers beside a broken body": (
        lambda record: record.but(value=b"{", headers=[*record.headers, ("b3", TRACE), ("none", None), ("a\x00", b"")]),
        "NOT_JSON",
    ),
    "an unsigned cut marker": (
        lambda record: record.but(value=b'{"trade_date":"2026-12-31"}').with_header("ce_type", DAY_CUT.encode()),
        "UNSIGNED_MARKER",
    ),
}

OF_ITS_OWN: dict[str, tuple[str, Break, str]] = {
    "a plan with an unknown source": ("plan", body(sources=["pre_tax", "bonus"]), "WRONG_SHAPE"),
    "a plan without sources": ("plan", body(sources=[]), "WRONG_SHAPE"),
    "a plan without a default fund": ("plan", body(default_fund=None), "WRONG_SHAPE"),
    "a plan with a source twice": ("plan", body(sources=["roth", "roth"]), "WRONG_SHAPE"),
    "a plan of a newer version": ("plan", typed(b"nestwork.plan.v2"), "NEWER_VERSION"),
    "a fund with seven decimals": ("fund", body(share_decimals=7), "WRONG_SHAPE"),
    "a fund with decimals as a boolean": ("fund", body(share_decimals=True), "WRONG_SHAPE"),
    "a price of 0": ("price", body(price="0"), "INVALID_PRICE"),
    "a price of 0.00": ("price", body(price="0.00"), "INVALID_PRICE"),
    "a negative price": ("price", body(price="-1"), "INVALID_PRICE"),
    "a price as a number": ("price", body(price=10.5), "INVALID_PRICE"),
    "a price with an exponent": ("price", body(price="1e3"), "INVALID_PRICE"),
    "a price that is no number": ("price", body(price="NaN"), "INVALID_PRICE"),
    "a price of ten thousand digits": ("price", body(price="1" * 10_000), "INVALID_PRICE"),
    "a price of no date": ("price", body(price_date="2026-02-30"), "WRONG_SHAPE"),
    "no cash": ("funding", body(cents=0), "WRONG_SHAPE"),
    "negative cash": ("funding", body(cents=-5), "WRONG_SHAPE"),
    "cash as a boolean": ("funding", body(cents=True), "WRONG_SHAPE"),
    "cash beyond reason": (
        "funding", raw(b'{"payroll_id":"x","reference":"y","cents":1' + b"0" * 30 + b"}"), "WRONG_SHAPE",
    ),
    "cash without a reference": ("funding", body(reference=None), "WRONG_SHAPE"),
    "totals by a source whose name has a NUL": (
        "funding",
        lambda record: record.but(body={"cents_by_source": {"a\x00": -1}}).with_header(
            "ce_type", PayrollClosed.ce_type.encode()
        ),
        "WRONG_SHAPE",
    ),
    "a day that never was": ("day command", body(trade_date="2026-02-30"), "WRONG_SHAPE"),
    "a day beyond the calendar": ("day command", body(trade_date="9999-12-31"), "WRONG_SHAPE"),
    "part two of one": ("holdings", body(part=2), "WRONG_SHAPE"),
    "shares as a number": (
        "holdings", body(positions=[{"plan_id": "p", "fund_id": "f", "shares": 1}]), "WRONG_SHAPE",
    ),
}  # fmt: skip
CASES = [(kind, case, how, code) for kind in GOOD for case, (how, code) in ANYWHERE.items()] + [
    (kind, case, how, code) for case, (kind, how, code) in OF_ITS_OWN.items()
]


@pytest.mark.parametrize("kind", GOOD)
async def test_a_broken_control_record_is_a_dead_letter_and_the_next_one_is_read(payday: Payday, kind: str) -> None:
    make, service = GOOD[kind]
    cases = [(case, how(make()), code) for one, case, how, code in CASES if one == kind]
    async with payday.between_good_ones():
        sent = await payday.wire.send(*(record for _, record, _ in cases))
    for (case, _, code), one in zip(cases, sent, strict=True):
        row = await payday.dead_letter(one, service, code)
        assert "\x00" not in row["detail"], case


async def test_a_fund_that_changes_its_share_scale_is_refused_and_keeps_the_old_one(payday: Payday) -> None:
    fund = fresh("fund")
    async with payday.between_good_ones():
        _, changed, again = await payday.wire.send(
            events.fund_fact(fund, 3), events.fund_fact(fund, 4), events.fund_fact(fund, 3)
        )
    for service in ("allocation", "trading", "valuation"):
        await payday.dead_letter(changed, service, "SHARE_SCALE_CHANGED")
    rows = await payday.wire.query("allocation", "SELECT body FROM facts WHERE topic = 'funds.v1' AND key = $1", fund)
    assert [orjson.loads(row["body"])["share_decimals"] for row in rows] == [3]
    assert again.offset > changed.offset


# -- held lines ----------------------------------------------------------------------------------------------------


async def test_lines_that_name_unknown_ones_are_held_freed_by_late_facts_and_else_rejected_at_the_close(
    payday: Payday,
) -> None:
    plan, stranger, newcomer = fresh("late-plan"), fresh("stranger"), fresh("newcomer")
    person = payday.person()
    late_plan = events.line(person, plan=plan)
    behind = events.line(person, plan=plan)
    no_plan, no_census, late_census = (
        events.line(payday.person(), plan=fresh("nowhere")),
        events.line(stranger),
        events.line(newcomer),
    )
    held = (late_plan, behind, no_plan, no_census, late_census)
    async with payday.between_good_ones():
        await payday.wire.send(*held)
    for line, reason in zip(
        held,
        ("UNKNOWN_PLAN", "UNKNOWN_PLAN", "UNKNOWN_PLAN", "UNKNOWN_PARTICIPANT", "UNKNOWN_PARTICIPANT"),
        strict=True,
    ):
        receipt = await payday.wire.receipt(line.ce_id)
        assert (receipt["status"], receipt["accepted_cents"], receipt["rejected_cents"]) == ("held", 0, 0)
        assert [code["code"] for code in receipt["codes"]] == [reason]
    await payday.wire.send(events.plan_fact(plan), events.census(person, plan), events.census(newcomer))
    for line in (late_plan, behind, late_census):
        assert (await payday.wire.receipt(line.ce_id, number=2))["status"] == "accepted"
    day = await payday.close_day()
    for line, reason in ((no_plan, "UNKNOWN_PLAN"), (no_census, "UNKNOWN_PARTICIPANT")):
        receipt = await payday.wire.receipt(line.ce_id, number=2)
        assert (receipt["status"], receipt["rejected_cents"], receipt["trade_date"]) == (
            "rejected",
            10_000,
            day.isoformat(),
        )
        assert [code["code"] for code in receipt["codes"]] == [reason]
    assert [len(payday.wire.receipts(line.ce_id)) for line in held] == [2] * 5


# -- payroll runs and their cash -----------------------------------------------------------------------------------


class Run:
    """One line of a run of its own."""

    def __init__(self, payday: Payday, cents: int = 10_000) -> None:
        self.payday, self.cents, self.id, self.person = payday, cents, fresh("run"), payday.person()
        self.line = events.line(self.person, {"pre_tax": cents}, payroll=self.id)

    async def released(self) -> list[tuple[str, int, int]]:
        rows = await self.payday.wire.query(
            "contribution", "SELECT trade_date, cents, cash_used FROM run_releases WHERE payroll_id = $1", self.id
        )
        return [(row["trade_date"].isoformat(), row["cents"], row["cash_used"]) for row in rows]

    async def waits_for(self) -> list[tuple[str, int]]:
        rows = await self.payday.wire.query(
            "contribution", "SELECT code, short_by FROM run_waits WHERE payroll_id = $1", self.id
        )
        return [(row["code"], row["short_by"]) for row in rows]


async def test_cash_that_is_short_late_over_in_parts_twice_or_returned_is_counted_once_and_moves_what_it_covers(
    payday: Payday,
) -> None:
    short, over, parts, twice, contradicted, returned, mismatched, unfunded = (Run(payday) for _ in range(8))
    reference = fresh("wire")
    same = events.funding(twice.id, 5_000, reference=reference)
    other = events.funding(contradicted.id, 10_000, reference=reference)
    async with payday.between_good_ones():
        await payday.wire.send(
            *(run.line for run in (short, over, parts, twice, contradicted, returned, mismatched, unfunded))
        )
        sent = await payday.wire.send(
            events.funding(short.id, 9_999),
            events.funding(over.id, 10_500),
            events.funding(parts.id, 4_000), events.funding(parts.id, 6_000),
            same, same, events.funding(twice.id, 5_000, reference=reference),
            other, other.but(body={"cents": 20_000}),
            events.funding(returned.id, 10_000),
            events.run_event(
                PayrollReturned.ce_type, returned.id, cents=10_000, reference=fresh("back"), plan_id=events.PLAN
            ),
            events.run_event(PayrollOpened.ce_type, mismatched.id, line_count=2, cents_total=20_000),
            events.run_event(PayrollClosed.ce_type, mismatched.id, line_count=2, cents_total=20_000),
            events.funding(mismatched.id, 10_000),
        )  # fmt: skip
    await payday.dead_letter(sent[8], "contribution", "IDEMPOTENCY_MISMATCH")
    day = (await payday.close_day()).isoformat()
    assert await over.released() == [(day, 10_000, 10_000)]
    assert await parts.released() == [(day, 10_000, 10_000)]
    assert await contradicted.released() == [(day, 10_000, 10_000)]
    assert (
        await short.released()
        == await twice.released()
        == await returned.released()
        == await mismatched.released()
        == []
    )
    assert await short.waits_for() == [("FUNDING_SHORT", 1)]
    assert await twice.waits_for() == [("FUNDING_SHORT", 5_000)]
    assert await returned.waits_for() == [("FUNDING_SHORT", 10_000)]
    assert await unfunded.waits_for() == [("FUNDING_SHORT", 10_000)]
    assert await mismatched.waits_for() == [("PAYROLL_TOTALS_MISMATCH", 0)]
    async with payday.between_good_ones():
        await payday.wire.send(
            events.funding(short.id, 1), events.funding(twice.id, 5_000), events.funding(returned.id, 10_000),
            events.run_event(PayrollClosed.ce_type, mismatched.id, line_count=1, cents_total=10_000),
        )  # fmt: skip
    day = (await payday.close_day()).isoformat()
    for run in (short, twice, returned, mismatched):
        assert await run.released() == [(day, 10_000, 10_000)]
        assert await run.waits_for() == []
        payday.good[run.person] += run.cents
    for run in (over, parts, contradicted):
        payday.good[run.person] += run.cents
    await payday.the_good_have_their_money()


async def test_what_an_aborted_transaction_wrote_is_not_seen_and_its_offsets_are_counted_as_holes(
    payday: Payday,
) -> None:
    run, ghost = Run(payday), Run(payday)
    await payday.wire.send(run.line)
    producer = AIOKafkaProducer(
        bootstrap_servers=payday.wire.config.kafka_bootstrap_servers, transactional_id=fresh("treasury")
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        for one in (events.funding(run.id, run.cents), ghost.line, events.census(fresh("ghost"))):
            await producer.send_and_wait(
                one.topic, one.value, key=one.key, headers=one.headers, partition=payday.wire.partition_of(one)
            )
        await producer.abort_transaction()
        async with producer.transaction():
            true = events.funding(run.id, 4_000)
            await producer.send_and_wait(true.topic, true.value, key=true.key, headers=true.headers, partition=0)
    finally:
        await producer.stop()
    async with payday.between_good_ones():
        await payday.wire.send(events.funding(fresh("run"), 5))
    day = await payday.close_day()
    assert await run.waits_for() == [("FUNDING_SHORT", 6_000)]
    assert payday.wire.receipts(ghost.line.ce_id) == []
    holes = await payday.wire.query(
        "contribution",
        "SELECT sum(records)::int AS holes FROM input_counts WHERE outcome = 'holes' AND trade_date = $1",
        day,
    )
    assert holes[0]["holes"] >= 4


async def test_the_census_of_an_unknown_plan_waits_for_it_and_harms_nobody(payday: Payday) -> None:
    person, plan = fresh("early"), fresh("plan-to-come")
    async with payday.between_good_ones():
        await payday.wire.send(events.census(person, plan))
    line = events.line(person, plan=plan)
    await payday.wire.send(line)
    assert (await payday.wire.receipt(line.ce_id))["status"] == "held"
    await payday.wire.send(events.plan_fact(plan))
    assert (await payday.wire.receipt(line.ce_id, number=2))["status"] == "accepted"


# -- a plan's default fund that nobody published --------------------------------------------------------------------


async def balance(payday: Payday, person: str) -> int | None:
    """Cents at the last close; None of one who holds nothing."""
    status, answer = await page(f"{payday.cluster.web_url('valuation')}/v1/participants/{person}/balance")
    assert status in {200, 404}, answer
    return answer["balance_cents"] if status == 200 else None


async def proven_sides(payday: Payday, day: date) -> dict[str, tuple[int, int]]:
    """Both sides of each equation of a date that is proven again."""
    proof, _ = await prove(payday.wire.config, day)
    assert [equation for equation in proof.equations if not equation.ok] == []
    return {equation.name: (equation.left, equation.right) for equation in proof.equations}


async def test_money_for_a_default_fund_nobody_published_is_parked_and_trades_when_it_was_freed(payday: Payday) -> None:
    plan, fund = fresh("plan"), fresh("unheard-of-fund")
    silent, chooser, other = payday.person(), payday.person(), payday.person(partition=1)
    await payday.wire.send(
        events.plan_fact(plan, default_fund=fund, trade_on="file"),
        *(events.census(person, plan) for person in (silent, chooser, other)),
        *(events.election(person, {events.FUND: "100"}, plan) for person in (chooser, other)),
    )
    await payday.close_day()  # Elections govern the dates after.

    cents = {silent: 10_000, chooser: 20_000, other: 3_000}
    async with payday.between_good_ones():
        await payday.wire.send(*(events.line(who, {"pre_tax": paid}, plan=plan) for who, paid in cents.items()))
    parked_on = await payday.close_day()
    assert [await balance(payday, who) for who in cents] == [None, 20_000, 3_000]
    letter = f"allocation:parked:{silent}"
    (parked,) = [one for one in await list_letters(payday.wire.config) if str(one.id) == letter]
    assert (parked.code, parked.cents, parked.items) == ("PARKED", 10_000, 1)
    assert fund in parked.detail
    left, right = (await proven_sides(payday, parked_on))["released + freed = split + parked cents"]
    assert left == right == sum(cents.values()) + 2 * GOOD_CENTS
    (stays,) = await replay(payday.wire.config, [letter], by="tester")
    assert not stays.ok

    known = "SELECT count(*) AS known FROM facts WHERE topic = 'funds.v1' AND key = $1"

    async def is_known() -> bool:
        return bool((await payday.wire.query("allocation", known, fund))[0]["known"])

    await payday.wire.send(events.fund_fact(fund))
    await eventually(is_known, seconds=60)
    payday.funds.add(fund)
    (freed,) = await replay(payday.wire.config, [letter], by="tester")
    assert freed.outcome == "freed"
    day = await payday.close_day()
    assert [await balance(payday, who) for who in cents] == [10_000, 20_000, 3_000]
    orders = await payday.wire.query("trading", "SELECT trade_date, amount FROM orders WHERE fund_id = $1", fund)
    assert [(row["trade_date"], row["amount"]) for row in orders] == [(day, 10_000)]
    for one in (parked_on, day):
        await proven_sides(payday, one)


async def test_after_all_this_the_day_closes_proven_and_nothing_was_started_again(payday: Payday) -> None:
    await payday.close_day()
    await payday.everything_is_alive()
    await payday.the_good_have_their_money()

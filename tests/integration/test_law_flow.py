"""Lines that are held, on a real cluster: repeats that an operator books or withdraws, years whose limits come late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from deploy.operate.asking import ask
from deploy.operate.books import open_books
from deploy.operate.employer import give, true_up_all
from deploy.operate.heldlines import held_lines, resolve
from deploy.operate.proof import prove_books
from deploy.operate.target import OperatorError
from shared.events import topics
from shared.events.limits import LimitsFact
from shared.events.payroll import PayrollClosed, PayrollReturned
from tests.support import events
from tests.support.payday import Payday, open_payday
from tests.support.waiting import eventually
from tests.support.wire import codes, page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DIFFERING = "services.contribution.differing"
LIMITS_2027 = {
    "year": 2027,
    "elective_deferral_cents": 30_000,
    "catch_up_cents": 800_000,
    "annual_additions_cents": 7_400_000,
    "compensation_cents": 37_000_000,
    "notice": "Notice of a test",
}


@pytest_asyncio.fixture(scope="module")
async def law(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Payday]:
    """A cluster of its own: limits that are loaded here must not reach other tests."""
    async with open_payday(tmp_path_factory.mktemp("law")) as opened:
        yield opened


async def prove_all(law: Payday) -> None:
    """Close the open date; it and every date before must prove, from logs and databases."""
    last = await law.close_day()
    async with open_books(law.wire.config) as books:
        rows = await books.contribution.rows("SELECT DISTINCT trade_date FROM journal WHERE trade_date <= $1", last)
        for row in rows:
            proof = await prove_books(books, law.wire.config, row["trade_date"])
            assert [one for one in proof.equations if not one.ok] == [], row["trade_date"]


def money(receipt: dict[str, Any]) -> tuple[str, int, int]:
    return receipt["status"], receipt["accepted_cents"], receipt["rejected_cents"]


async def test_a_repeat_is_held_over_the_end_of_a_date_and_booked_or_withdrawn_on_an_operators_word(
    law: Payday,
) -> None:
    ann, bob = law.person(), law.person()
    first = {person: events.line(person, payroll="twice") for person in (ann, bob)}
    again = {person: events.line(person, payroll="twice") for person in (ann, bob)}
    behind = events.line(bob, {"pre_tax": 777}, payroll="twice")
    await law.wire.send(*first.values(), *again.values(), behind, events.funding("twice", 50_000))
    for person in (ann, bob):
        assert money(await law.wire.receipt(first[person].ce_id)) == ("accepted", 10_000, 0)
        held = await law.wire.receipt(again[person].ce_id)
        assert (money(held), codes(held)) == (("held", 0, 0), ["DUPLICATE_PAYROLL_LINE"])
    assert codes(await law.wire.receipt(behind.ce_id)) == ["WAITING_FOR_EARLIER_LINE"]
    await prove_all(law)

    listed = {line.ce_id for line in await held_lines(law.wire.config, "DUPLICATE_PAYROLL_LINE")}
    assert listed == {line.ce_id for line in again.values()}
    await resolve(law.wire.config, again[ann].ce_id, "book", "a bonus of the same size")
    await resolve(law.wire.config, again[bob].ce_id, "withdraw", "the file was sent twice")
    assert money(await law.wire.receipt(again[ann].ce_id, number=2)) == ("accepted", 10_000, 0)
    withdrawn = await law.wire.receipt(again[bob].ce_id, number=2)
    assert (money(withdrawn), codes(withdrawn)) == (("rejected", 0, 10_000), ["DUPLICATE_PAYROLL_LINE"])
    assert money(await law.wire.receipt(behind.ce_id, number=2)) == ("accepted", 777, 0)
    assert await held_lines(law.wire.config) == []
    with pytest.raises(OperatorError, match="not held"):
        await resolve(law.wire.config, again[ann].ce_id, "book", "once more")
    await prove_all(law)


async def test_a_word_on_a_line_that_is_not_held_is_refused_and_a_resend_of_it_is_a_duplicate(law: Payday) -> None:
    ann = law.person()
    body = {"plan_id": events.PLAN, "participant_id": ann, "payroll_id": "none", "resolves": "nothing"}
    word = events.event(
        topics.PAYROLL_CONTRIBUTIONS,
        ann,
        "nestwork.payroll.repeat-resolved.v1",
        body | {"action": "book", "reason": "?"},
    )
    await law.wire.send(word, word)
    refused = await law.wire.receipt(word.ce_id)
    assert (money(refused), codes(refused)) == (("rejected", 0, 0), ["NOTHING_TO_RESOLVE"])
    again = await law.wire.receipt(word.ce_id, number=2)
    assert (again["status"], again["codes"]) == ("duplicate", refused["codes"])
    await prove_all(law)


async def test_a_corrected_birth_date_lists_what_it_would_change_and_touches_nothing(law: Payday) -> None:
    ann = law.person()
    opening = {"year": 2026, "regular_cents": 2_430_000}
    plan = "CORRECTED"
    await law.wire.send(events.plan_fact(plan), events.census(ann, plan, opening=opening))
    lines = [events.line(ann, {"pre_tax": cents}, payroll="before", plan=plan) for cents in (10_000, 40_000)]
    await law.wire.send(*lines)
    cut = await law.wire.receipt(lines[1].ce_id)
    if cut["status"] == "held":  # The lines overtook their plan.
        cut = await law.wire.receipt(lines[1].ce_id, number=2)
    assert (money(cut), codes(cut)) == (("partially_accepted", 10_000, 30_000), ["LIMIT_402G"])
    question = {"plan_id": plan, "participant_id": ann}
    assert (await ask(law.wire.config, DIFFERING, question))["lines"] == []
    await prove_all(law)
    await law.wire.send(events.census(ann, plan, opening=opening, birth_date="1976-12-31"))
    await eventually(lambda: _corrected(law, ann))
    said = await ask(law.wire.config, DIFFERING, question)
    (line,) = said["lines"]
    assert (line["differences"], line["codes_then"], line["codes_now"]) == (
        [{"source": "pre_tax", "cents": 30_000}], ["LIMIT_402G"], [],
    )  # fmt: skip
    assert (said["cents"], line["payroll_id"], said["corrected_participants"]) == (30_000, "before", 1)
    rows = await law.wire.query("contribution", "SELECT regular_pre_tax FROM year_to_date WHERE plan_id = $1", plan)
    assert [row["regular_pre_tax"] for row in rows] == [2_450_000]


async def _corrected(law: Payday, participant: str) -> bool:
    rows = await law.wire.query("contribution", "SELECT 1 FROM participants WHERE participant_id = $1", participant)
    return len(rows) == 3  # Once in the plan of everybody, twice in this one.


async def test_lines_of_a_year_without_limits_are_released_by_the_fact_in_their_order(law: Payday) -> None:
    ann = law.person()
    held = [
        events.line(ann, {"pre_tax": cents}, payroll="next-year", pay_date="2027-01-04") for cents in (20_000, 15_000)
    ]
    await law.wire.send(*held)
    assert codes(await law.wire.receipt(held[0].ce_id)) == ["LIMITS_NOT_LOADED"]
    assert codes(await law.wire.receipt(held[1].ce_id)) == ["WAITING_FOR_EARLIER_LINE"]
    overtaken = events.line(law.person(), {"pre_tax": 9_000}, payroll="next-year", pay_date="2027-01-04")
    overtaking = events.reversal(overtaken, {"pre_tax": 2_000})
    await law.wire.send(overtaking)
    assert codes(await law.wire.receipt(overtaking.ce_id)) == ["WAITING_FOR_ITS_LINE"]
    await law.wire.send(overtaken.but(partition=3))
    assert codes(await law.wire.receipt(overtaking.ce_id, number=2)) == ["WAITING_FOR_EARLIER_LINE"]
    await prove_all(law)
    await law.wire.send(
        events.event(topics.LIMITS, "2027", LimitsFact.ce_type, LIMITS_2027), events.funding("next-year", 37_000)
    )
    await prove_all(law)
    assert money(await law.wire.receipt(overtaken.ce_id, number=2)) == ("accepted", 9_000, 0)
    assert money(await law.wire.receipt(overtaking.ce_id, number=3)) == ("accepted", 2_000, 0)
    assert money(await law.wire.receipt(held[0].ce_id, number=2)) == ("accepted", 20_000, 0)
    second = await law.wire.receipt(held[1].ce_id, number=2)
    assert (money(second), codes(second)) == (("partially_accepted", 10_000, 5_000), ["LIMIT_402G"])
    await prove_all(law)


async def _are_known(law: Payday, participant: str, plan: str) -> bool:
    """Whether the engine has read of both, so that a line is not held for them."""
    sql = "SELECT 1 FROM participants, facts WHERE participant_id = $1 AND plan_id = $2 AND topic = $3 AND key = $2"
    return bool(await law.wire.query("contribution", sql, participant, plan, topics.PLANS.name))


async def test_a_true_up_is_given_once_funded_and_invested_like_any_line(law: Payday) -> None:
    ann, plan = law.person(), "ANNUAL"
    terms = {"match": {"tiers": [["3", "100"], ["2", "50"]], "period": "annual"}}
    await law.wire.send(events.plan_fact(plan, **terms), events.census(ann, plan))
    await eventually(lambda: _are_known(law, ann, plan))
    lines = [
        events.line(ann, {"pre_tax": cents}, payroll=f"a5-{month}", plan=plan, compensation_cents=500_000,
                    pay_date=f"2026-{month:02}-15")
        for month, cents in enumerate([50_000] * 6 + [0] * 5, start=1)
    ]  # fmt: skip
    await law.wire.send(*lines)
    assert money(await law.wire.receipt(lines[-1].ce_id))[0] == "accepted"
    asked = {"kind": "true_up", "plan_id": plan, "year": 2026}
    looked = await give(law.wire.config, asked, "a5-true-up", date(2026, 12, 31), dry_run=True)
    # Eleven pays of 5,000.00 and 3,000.00 deferred: 3 % is 1,650.00, half of the next 2 % 550.00; 6 x 200.00 are paid.
    assert (looked.shares, looked.drift_cents, looked.sent) == ({ann: 100_000}, 0, False)
    given = await give(law.wire.config, asked, "a5-true-up", date(2026, 12, 31))
    receipt = await law.wire.receipt(f"a5-true-up:{ann}")
    assert (money(receipt), receipt["credited"]) == (("accepted", 100_000, 0), [{"source": "match", "cents": 100_000}])
    assert (await give(law.wire.config, asked, "again", date(2026, 12, 31))).shares == {}
    await law.wire.send(events.funding("a5-true-up", given.cents, plan_id=plan))
    await prove_all(law)
    _, answer = await page(f"{law.cluster.web_url('valuation')}/v1/participants/{ann}/balance")
    assert answer["balance_cents"] == 100_000
    with pytest.raises(OperatorError, match="no annual match"):
        await give(law.wire.config, asked | {"plan_id": events.PLAN}, "none", date(2026, 12, 31), dry_run=True)


async def test_a_job_trues_up_the_year_before_in_every_plan_and_gives_nothing_twice(law: Payday) -> None:
    ben, plan = law.person(), "ANNUAL"
    terms = {"match": {"tiers": [["3", "100"], ["2", "50"]], "period": "annual"}}
    await law.wire.send(events.plan_fact(plan, **terms), events.census(ben, plan))
    await eventually(lambda: _are_known(law, ben, plan))
    lines = [
        events.line(ben, {"pre_tax": cents}, payroll="2025", plan=plan, pay_date=f"2025-{month:02}-15")
        for month, cents in ((10, 50_000), (11, 0), (12, 0))
    ]
    await law.wire.send(*lines[:2])
    assert money(await law.wire.receipt(lines[1].ce_id))[0] == "accepted"
    with pytest.raises(OperatorError, match="2026 is not over"):
        await true_up_all(law.wire.config, 2026)
    # 5 % of 10,000.00 was deferred: 400.00 are due, and 200.00 were paid. Of two jobs at once one may see the other's.
    both = await asyncio.gather(*(true_up_all(law.wire.config, None) for _ in range(2)))
    assert {(one["plan_id"], one["year"]) for given in both for one in given} == {(plan, 2025)}
    sent = [one["cents"] for given in both for one in given if one["cents"]]
    assert sent in ([20_000], [20_000, 20_000])
    answers = [
        await law.wire.receipt(f"true-up-2025-{plan}:{ben}:20000", number=number) for number, _ in enumerate(sent, 1)
    ]
    assert [money(one) for one in answers] == [("accepted", 20_000, 0), ("duplicate", 20_000, 0)][: len(sent)]
    assert [one["cents"] for one in await true_up_all(law.wire.config, 2025)] == [0]
    # A late pay of the year: 3 % of 15,000.00 and half of the 50.00 above it are 475.00.
    await law.wire.send(lines[2])
    await law.wire.receipt(lines[2].ce_id)
    assert [one["cents"] for one in await true_up_all(law.wire.config, 2025)] == [7_500]
    assert money(await law.wire.receipt(f"true-up-2025-{plan}:{ben}:40000")) == ("accepted", 7_500, 0)
    await law.wire.send(events.funding("2025", 70_000, plan_id=plan))
    await law.wire.send(events.funding(f"true-up-2025-{plan}", 27_500, plan_id=plan))
    await prove_all(law)


async def test_discretionary_money_is_divided_over_a_plan_to_the_cent(law: Payday) -> None:
    people, plan = [law.person() for _ in range(3)], "SHARING"
    await law.wire.send(
        events.plan_fact(plan, sources=["pre_tax", "profit_sharing", "qnec"]),
        *(events.census(person, plan) for person in people),
        *(events.line(person, payroll="pay", plan=plan, compensation_cents=423_077) for person in people),
    )
    asked = {"kind": "discretionary", "plan_id": plan, "year": 2026, "cents": 100_000, "source": "profit_sharing"}
    await eventually(lambda: _has_pay(law, plan, 3))
    shared = await give(law.wire.config, asked | {"method": "per_capita"}, "sharing", date(2026, 12, 31))
    assert [cents for _, cents in sorted(shared.shares.items())] == [33_334, 33_333, 33_333]
    three = {"kind": "nonelective", "plan_id": plan, "year": 2026, "percent": "3", "source": "qnec"}
    assert (await give(law.wire.config, three, "three", date(2026, 12, 31))).cents == 3 * 12_692
    for person in people:
        assert money(await law.wire.receipt(f"three:{person}")) == ("accepted", 12_692, 0)
    await law.wire.send(
        events.funding("sharing", 100_000, plan_id=plan), events.funding("three", 3 * 12_692, plan_id=plan)
    )
    await prove_all(law)


async def _has_pay(law: Payday, plan: str, people: int) -> bool:
    rows = await law.wire.query("contribution", "SELECT 1 FROM year_to_date WHERE plan_id = $1", plan)
    return len(rows) == people


async def test_cash_that_comes_late_in_parts_and_goes_back_after_the_trade_is_told_with_its_due_date(
    law: Payday,
) -> None:
    ann = law.person()
    line = events.line(ann, {"pre_tax": 12_000}, payroll="late", pay_date="2026-11-02")
    await law.wire.send(line, events.funding("late", 5_000, plan_id=None))
    await law.wire.receipt(line.ce_id)
    await prove_all(law)
    url = f"{law.cluster.web_url('contribution')}/v1/payrolls/late"
    _, run = await page(url)
    due = {"code": "FUNDING_SHORT", "short_by": 7_000, "deposit_due": "2026-11-12", "deposit_latest": "2026-12-21"}
    assert (run["cash_cents"], run["waits_for"]) == (5_000, due)
    await law.wire.send(events.funding("late", 7_500))
    await prove_all(law)
    _, run = await page(url)
    assert (run["released_cents"], run["waits_for"]) == (12_000, None)
    await law.wire.send(
        events.run_event(PayrollReturned.ce_type, "late", cents=12_500, reference="bounced", plan_id=events.PLAN)
    )
    await prove_all(law)
    _, run = await page(url)
    owed = {"code": "CASH_RETURNED_AFTER_TRADE", "short_by": 12_000, "deposit_due": None, "deposit_latest": None}
    assert (run["cash_cents"], run["waits_for"]) == (0, owed)


async def test_closing_totals_by_source_hold_a_run_and_a_plan_may_trade_all_the_same(law: Payday) -> None:
    ann, ben = law.person(), law.person()
    lenient, run = "LENIENT", {"line_count": 1, "cents_total": 10_000}
    right, wrong = {"pre_tax": 6_000, "roth": 4_000}, {"pre_tax": 4_000, "roth": 6_000}
    amounts = {"pre_tax": 6_000, "roth": 4_000, "match": 0}
    match = {"tiers": [["3", "100"]]}
    await law.wire.send(
        events.plan_fact(lenient, on_totals_mismatch="trade", trade_on="file", match=match), events.census(ben, lenient)
    )
    for payroll, by_source in (("by-source", wrong), ("by-source-right", right)):
        closed = events.run_event(PayrollClosed.ce_type, payroll, cents_by_source=by_source, **run)
        line = events.line(ann, amounts, payroll=payroll)
        await law.wire.send(line, closed, events.funding(payroll, 10_000))
    mine = events.line(ben, {"pre_tax": 6_000, "roth": 4_000}, payroll="lenient", plan=lenient)
    await law.wire.send(
        mine, events.run_event(PayrollClosed.ce_type, "lenient", cents_by_source=wrong, plan_id=lenient, **run)
    )
    assert (await law.wire.receipt(mine.ce_id))["accepted_cents"] == 10_000
    await prove_all(law)
    url = f"{law.cluster.web_url('contribution')}/v1/payrolls"
    _, held = await page(f"{url}/by-source")
    assert (held["released_cents"], held["waits_for"]["code"]) == (0, "PAYROLL_TOTALS_MISMATCH")
    assert [(await page(f"{url}/{name}"))[1]["released_cents"] for name in ("by-source-right", "lenient")] == [
        10_000, 20_000,
    ]  # fmt: skip
    await law.wire.send(events.run_event(PayrollClosed.ce_type, "by-source", cents_by_source=right, **run))
    await prove_all(law)
    assert (await page(f"{url}/by-source"))[1]["released_cents"] == 10_000

"""A custodian that corrects itself: whatever came before, participants end with the last right figures, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date

import pytest
import pytest_asyncio

from deploy.cluster import Cluster
from shared.events.custodian import Holdings
from shared.events.topics import CUSTODIAN_HOLDINGS
from shared.runtime.settings import Settings
from tests.support import events
from tests.support.payday import FIRST_DAY, Payday
from tests.support.waiting import eventually
from tests.support.wire import open_wire, page

PLANS = {"PLAN-A": ("ann", "FUND-A"), "PLAN-B": ("bea", "FUND-B"), "PLAN-C": ("cy", "FUND-C")}
"""Each plan has one participant and trades one fund."""
CENTS = 10_000
DAY = FIRST_DAY.isoformat()


@pytest_asyncio.fixture(scope="module")
async def corrected(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Payday]:
    """A day with three orders, each confirmed and corrected in its own way, valued and proven."""
    cluster = await Cluster.start(tmp_path_factory.mktemp("corrections"), partitions=2, custodian=False)
    try:
        async with open_wire(cluster, Settings.model_validate(cluster.environment())) as wire:
            payday = Payday(cluster, wire, funds=set())
            for plan, (person, fund) in PLANS.items():
                await wire.send(events.fund_fact(fund), events.plan_fact(plan, default_fund=fund))
                await wire.send(events.census(person, plan), events.line(person, payroll=plan, plan=plan))
                await wire.send(events.funding(plan, CENTS, plan_id=plan))
            await confirm(payday, await payday.cut())
            yield payday
    finally:
        await cluster.stop()


async def confirm(payday: Payday, day: date) -> None:
    """Be the custodian."""
    orders = await payday.wire.query("trading", "SELECT plan_id, order_id FROM orders")
    ids = {row["plan_id"]: row["order_id"] for row in orders}

    async def say(plan: str, version: int, status: str, shares: str, price: str) -> None:
        said = {"status": status, "shares": shares, "price": price, "cents": CENTS}
        await payday.wire.send(events.confirmation(ids[plan], version, **said))

    # Two right answers wait together for the price, so that one slice posts both.
    await say("PLAN-A", 1, "confirmed", "7.502", "13.33")
    await say("PLAN-A", 2, "corrected", "7.501", "13.33")
    await say("PLAN-B", 1, "confirmed", "7.502", "13.33")
    await say("PLAN-C", 1, "confirmed", "10.000", "10.00")
    await eventually(lambda: _unjudged(payday, day, 4), seconds=90)
    prices = {"FUND-A": "13.33", "FUND-B": "13.33", "FUND-C": "10.00"}
    await payday.wire.send(*(events.price(fund, DAY, price) for fund, price in prices.items()))
    await eventually(lambda: _unjudged(payday, day, 0), seconds=90)
    # A wrong correction is followed at once by a right one; a price is corrected, and then the order.
    await say("PLAN-B", 2, "corrected", "7.501", "13.34")
    await say("PLAN-B", 3, "corrected", "7.501", "13.33")
    await payday.wire.send(events.price("FUND-C", DAY, "12.50", 2).but(body={"status": "corrected"}))
    await say("PLAN-C", 2, "corrected", "8.000", "12.50")
    await eventually(lambda: _at_version(payday, {"PLAN-A": 2, "PLAN-B": 3, "PLAN-C": 2}), seconds=90)
    held = {"PLAN-A": "7.501", "PLAN-B": "7.501", "PLAN-C": "8.000"}
    positions = [{"plan_id": plan, "fund_id": PLANS[plan][1], "shares": shares} for plan, shares in held.items()]
    body = {"date": DAY, "part": 1, "parts": 1, "positions": positions}
    await payday.wire.send(events.event(CUSTODIAN_HOLDINGS, DAY, Holdings.ce_type, body))
    await payday.value(day)


async def _unjudged(payday: Payday, day: date, confirmations: int) -> bool:
    return bool((await payday.trading_page(day))["confirmations_unjudged"] == confirmations)


async def _at_version(payday: Payday, versions: dict[str, int]) -> bool:
    rows = await payday.wire.query("trading", "SELECT plan_id, version FROM orders WHERE break_code IS NULL")
    return {row["plan_id"]: row["version"] for row in rows} == versions


@pytest.mark.parametrize(
    ("person", "history", "balance"),
    [
        ("ann", [("fill", "7.502", "13.33"), ("fill_reversed", "-7.502", "13.33"), ("fill", "7.501", "13.33")], 9_999),
        ("bea", [("fill", "7.502", "13.33"), ("fill_reversed", "-7.502", "13.33"), ("fill", "7.501", "13.33")], 9_999),
        (
            "cy",
            [("fill", "10.000", "10.00"), ("fill_reversed", "-10.000", "10.00"), ("fill", "8.000", "12.50")],
            10_000,
        ),
    ],
    ids=["two answers at once", "a wrong correction between", "a corrected price"],
)
async def test_a_correction_takes_back_what_was_posted_and_posts_anew(
    corrected: Payday, person: str, history: list[tuple[str, str, str]], balance: int
) -> None:
    participant = f"{corrected.cluster.web_url('valuation')}/v1/participants/{person}"
    _, answer = await page(f"{participant}/transactions")
    assert [(one["kind"], one["shares"], one["price"]) for one in answer["transactions"]] == history
    _, answer = await page(f"{participant}/balance")
    assert answer["balance_cents"] == balance

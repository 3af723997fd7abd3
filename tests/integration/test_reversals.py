"""Reversals on a whole cluster: proven again from logs and databases, and seen by the participant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.cluster import Cluster
from deploy.operate.proof import prove, prove_books
from deploy.operate.story import explain
from deploy.operate.target import of_folder
from shared.runtime.settings import Settings
from shared.values.trading_days import next_trading_day
from tests.integration.test_operate import broken, open_for_tampering
from tests.support import events
from tests.support.operated import operated_cluster
from tests.support.payday import Payday
from tests.support.wire import open_wire, page

TEXT = (Path(__file__).parents[1] / "scenarios" / "reversals-after-trade.yaml").read_text()
BOUGHT, FIRST, SECOND, THIRD, LAST = (date(2026, 11, day) for day in (18, 19, 20, 23, 24))


@pytest_asyncio.fixture(scope="module")
async def reversed_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Five days of buys and reversals, with a custodian that errs."""
    cluster = await operated_cluster(tmp_path_factory.mktemp("reversals"), text=TEXT)
    try:
        yield cluster
    finally:
        await cluster.stop()


@pytest.fixture
def config(reversed_cluster: Cluster) -> Settings:
    """Where the cluster is."""
    return of_folder(reversed_cluster.folder)


@pytest.mark.parametrize("day", [BOUGHT, FIRST, SECOND, THIRD, LAST])
async def test_every_date_is_proven_again_also_after_its_legs_were_sold(config: Settings, day: date) -> None:
    proof, _ = await prove(config, day)
    assert broken(proof) == set()
    assert proof.ok


TAMPERED = {
    "a cent more reversed": (
        "contribution",
        "UPDATE reversals SET cents[1] = cents[1] + 1 WHERE entry = (SELECT min(entry) FROM reversals)",
        "reversed cents of the journal = of the lines",
    ),
    "a reversal of more than the line": (
        "contribution",
        "UPDATE reversals SET cents[1] = cents[1] * 100",
        "sources reversed beyond what their line has",
    ),
    "a cent moved between the funds of a reversal": (
        "allocation",
        "UPDATE journal SET leg_cents[1] = leg_cents[1] + 1, leg_cents[2] = leg_cents[2] - 1"
        " WHERE kind = 'split_reversed' AND cardinality(leg_cents) > 1",
        "digest of divided legs = of instructed back legs of reversals",
    ),
    "a cent moved between the funds of a reversal, its legs as they were": (
        "allocation",
        "UPDATE journal SET amounts[1] = amounts[1] + 1, amounts[2] = amounts[2] - 1"
        " WHERE kind = 'split_reversed' AND cardinality(amounts) > 2",
        "journal entries of allocation whose funds are not the sums of their legs",
    ),
    "a cent moved between the funds to take back, their legs as they were": (
        "trading",
        "UPDATE journal SET amounts[1] = amounts[1] + 1, amounts[2] = amounts[2] - 1"
        " WHERE kind = 'reverse' AND cardinality(amounts) > 2",
        "journal entries of trading whose funds are not the sums of their legs",
    ),
    "a unit more sold": (
        "trading",
        "UPDATE reversal_legs SET units = units + 1 WHERE done = 'sold' AND units > 0",
        "units of legs sold = of sell packs",
    ),
    "a sell nobody was told of": (
        "trading",
        "UPDATE orders SET amount = amount + 1 WHERE unit = 'shares' AND trade_date = '2026-11-19'",
        "orders in the books = in the public log",
    ),
    "a cent less in plan cash": (
        "trading",
        "UPDATE journal SET amounts = ARRAY[amounts[1], amounts[2] + 1, amounts[3] - 1, amounts[4], amounts[5]]"
        " WHERE kind = 'plan_cash'",
        "sold + cancelled = posted to plan cash, cents",
    ),
    "a cost that stays in a position": (
        "valuation",
        "UPDATE journal SET amounts[1] = amounts[1] + 1, amounts[cardinality(amounts) - 1] ="
        " amounts[cardinality(amounts) - 1] - 1 WHERE proceeds IS NOT NULL",
        "cost out of positions + cancelled = reversed by plan cash",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampered_reversals_are_not_proven(config: Settings, what: str) -> None:
    service, statement, equation = TAMPERED[what]
    async with open_for_tampering(config) as books:
        assert await getattr(books, service).connection.execute(statement) != "UPDATE 0"
        proof = await prove_books(books, config, FIRST)
    assert equation in broken(proof)


async def test_a_participant_sees_what_was_sold(reversed_cluster: Cluster) -> None:
    _, answer = await page(f"{reversed_cluster.web_url('valuation')}/v1/participants/s000-P3/transactions")
    told = [(one["kind"], one["shares"], one["cents"], one.get("proceeds_cents")) for one in answer["transactions"]]
    assert told == [("fill", "2.000", 1_000, None), ("fill", "-2.000", -1_000, 1_200)]


async def test_a_reversal_can_be_explained(config: Settings) -> None:
    story = await explain(config, "s000-P1", FIRST)
    (line,) = [one for one in story["lines"] if one["kind"] == "reversal"]
    assert line["receipt"]["credited"] == {"pre_tax": -5_001}
    assert sorted(leg["cents"] for leg in line["split"][0]["legs"]) == [-2_501, -2_500]
    told = [(leg["fund_id"], leg["cents"], leg["done"], leg["shares"]) for leg in story["taken_back"]]
    assert told == [("s000-F1", 2_501, "sold", "2.501"), ("s000-F2", 2_500, "cancelled", None)]
    assert {order["side"] for order in story["orders"]} == {"buy", "sell"}


async def test_a_correction_of_what_was_sold_since_is_a_break_and_changes_nothing(reversed_cluster: Cluster) -> None:
    async with open_wire(reversed_cluster, Settings.model_validate(reversed_cluster.environment())) as wire:
        payday = Payday(
            reversed_cluster, wire, next_trading_day(LAST), funds={f"s000-F{number}" for number in (1, 2, 3, 4)}
        )
        (order,) = await wire.query(
            "trading",
            "SELECT order_id, version, units FROM orders WHERE trade_date = $1 AND fund_id = 's000-F1'",
            BOUGHT,
        )
        figures = {"shares": "15.668", "price": "10.00", "cents": 15_668}
        await wire.send(events.confirmation(order["order_id"], order["version"] + 1, status="corrected", **figures))
        await payday.value(await payday.cut())
    _, trading = await page(f"{reversed_cluster.web_url('trading')}/v1/days/{BOUGHT}")
    refused = [(one["version"], one["code"]) for one in trading["refused_confirmations"]]
    assert refused == [(order["version"] + 1, "SOLD_SINCE")]
    _, answer = await page(f"{reversed_cluster.web_url('valuation')}/v1/participants/s000-P2/balance")
    assert answer["plans"][0]["positions"][0]["shares"] == "6.300"

"""What is kept of a custodian's answers: once by version, and of an order whose fund nobody knows."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.trading import store
from services.trading.handlers import keep_confirmations
from services.trading.items import ConfirmationItem
from shared.events.fund import FundFact
from shared.events.topics import CUSTODIAN_CONFIRMATIONS, FUNDS
from shared.runtime.definition import FactTopic, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, LaneInput
from shared.runtime.work import Work
from shared.values.invariants import InvariantBroken

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOPIC = CUSTODIAN_CONFIRMATIONS.name


class Orders:
    """A database with one order of an unknown fund, and no answers yet."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    async def fetch(self, statement: str, *_: Any) -> list[dict[str, Any]]:
        is_order = statement == store.KNOWN_ORDERS
        return [{"order_id": "O1", "fund_id": "NOWHERE", "trade_date": DAY}] if is_order else []

    async def copy_records_to_table(self, table: str, *, records: list[Any], columns: list[str]) -> None:
        assert table == "confirmations"
        self.kept += [dict(zip(columns, row, strict=True)) for row in records]


def answer(status: str, shares: str | None) -> ConfirmationItem:
    return ConfirmationItem(
        0, TOPIC, 0, 7, NOON, DAY, "O1", "O1", status, 1, shares, None, 0, "NO_SUCH_FUND", b"O1", b"{}", []
    )


def keep(*answers: ConfirmationItem) -> tuple[Orders, Work]:
    orders = Orders()
    lane = Lane(0, 1, 1, 1, NOON, inputs={TOPIC: LaneInput(0, DAY, DAY, None, None, {})})
    facts = FactCache((FactTopic(FUNDS, {FundFact.ce_type: FundFact}, key=lambda fact: fact.fund_id),))
    work = Work(orders, Service("trading", ()), {0: lane}, facts, Guards())
    asyncio.run(keep_confirmations(work, list(answers)))
    return orders, work


@pytest.mark.parametrize("status", ["rejected", "pending"])
def test_an_answer_without_shares_needs_no_fund(status: str) -> None:
    (kept,) = keep(answer(status, None))[0].kept
    assert (kept["order_id"], kept["status"], kept["units"]) == ("O1", status, None)


def test_shares_of_a_fund_nobody_knows_cannot_be_counted() -> None:
    with pytest.raises(InvariantBroken, match="NOWHERE"):
        keep(answer("confirmed", "1.000"))


def test_of_what_comes_twice_in_one_poll_the_first_is_kept_and_another_of_its_version_is_a_letter() -> None:
    orders, work = keep(answer("rejected", None), answer("rejected", None), answer("pending", None))
    assert [kept["status"] for kept in orders.kept] == ["rejected"]
    counted = {outcome: records for (_, _, _, outcome), records in work.counts.items()}
    assert counted == {"decided": 1, "duplicates": 1, "dead_lettered": 1}
    assert [letter.code for letter in work.letters] == ["CONFIRMATION_CONFLICT"]

"""Tests of confirmed sells: what a correction takes back of plan cash."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import orjson

from services.trading import store_forfeitures, store_reversals
from services.trading.rules.unwinding import SaleOutcome
from services.trading.sales import share_out_sales
from shared.runtime.definition import Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane
from shared.runtime.work import Work

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONFIRMED_CENTS = {1: 1_000, 2: 1_100, 3: 900}


class Answers:
    """A database that knows the legs and the confirmations of one sell, and what of it was forfeited."""

    def __init__(self, forfeited: int = 0) -> None:
        self.forfeited = forfeited
        self.noted: list[tuple[Any, ...]] = []

    async def execute(self, statement: str, *columns: Any) -> None:
        assert statement == store_forfeitures.INSERT
        self.noted += zip(*columns, strict=True)

    async def fetch(self, statement: str, *asked: Any) -> list[dict[str, Any]]:
        if statement == store_reversals.SELL_LEGS_OF:
            leg = {"participants": ["P1"], "buckets": [7], "sources": ["pre_tax"], "cents": [950], "units": [10]}
            return [{"order_id": "S1", "lane": 0, **leg}]
        if statement == store_forfeitures.FORFEITED_OF:
            row = {"order_id": "S1", "participant_id": "P1", "source": "pre_tax", "cents": self.forfeited}
            return [row] if self.forfeited else []
        assert statement == store_reversals.CENTS_OF_VERSIONS
        pairs = zip(*asked, strict=True)
        return [{"order_id": name, "version": version, "cents": CONFIRMED_CENTS[version]} for name, version in pairs]


def accepted(version: int) -> tuple[dict[str, Any], int | None]:
    row = {"order_id": "S1", "version": version, "plan_id": "ACME", "fund_id": "F1", "side": "sell",
           "trade_date": DAY, "price": "1", "units": 10, "amount": 10, "cents": CONFIRMED_CENTS[version]}  # fmt: skip
    return row, version - 1 or None


def shared_out(answers: Answers, versions: tuple[int, ...]) -> list[tuple[str, list[list[Any]]]]:
    """The tasks that confirmed versions of the sell ask for."""
    work = Work(answers, Service("trading", ()), {0: Lane(0, 1, 1, 1, NOON)}, FactCache(()), Guards())
    asyncio.run(share_out_sales(work, [accepted(version) for version in versions], DAY))
    return [(kind, orjson.loads(body)) for _, _, _, kind, body, _ in work.tasks]


def test_what_was_forfeited_moves_within_plan_cash_and_follows_corrections() -> None:
    answers = Answers(forfeited=380)
    asked = dict(shared_out(answers, (1, 2, 3)))
    # Two fifths of 1,000, of 1,100 and of 900; the rest of the leg was a reversal.
    assert [(row[4], row[5], row[6], row[7]) for row in answers.noted] == [
        ("S1", 1, 380, 400), ("S1", 1, -380, -400), ("S1", 2, 380, 440), ("S1", 2, -380, -440), ("S1", 3, 380, 360),
    ]  # fmt: skip
    moved = [SaleOutcome(*cents) for _, _, _, *cents in asked["post_forfeitures"]]
    assert sum(outcome.plan_cash for outcome in moved) == 360
    assert all(sum(outcome.forfeiture_postings()[1]) == 0 for outcome in moved)
    assert dict(zip(*moved[-1].forfeiture_postings(), strict=True)) == {
        "returnable": -360, "gain": 0, "employer_loss": -20, "forfeiture": 360, "market_loss": 20,
    }  # fmt: skip


def test_a_sell_of_reversals_alone_asks_for_no_forfeiture() -> None:
    answers = Answers()
    assert "post_forfeitures" not in dict(shared_out(answers, (1,)))
    assert answers.noted == []


def test_a_sell_corrected_twice_in_one_round_takes_back_each_version_by_its_own_dollars() -> None:
    cash: Counter[int] = Counter()
    for kind, body in shared_out(Answers(), (1, 2, 3)):
        if kind == "post_plan_cash":
            for _, _, version, _, returnable, gain, _ in body:
                cash[version] += returnable + gain
    assert cash == {1: 0, 2: 0, 3: 900}

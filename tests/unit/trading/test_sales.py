"""Tests of confirmed sells: what a correction takes back of plan cash."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import orjson

from services.trading import store_reversals
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
    """A database that knows the legs and the confirmations of one sell."""

    async def fetch(self, statement: str, *asked: Any) -> list[dict[str, Any]]:
        if statement == store_reversals.SELL_LEGS_OF:
            leg = {"participants": ["P1"], "buckets": [7], "sources": ["pre_tax"], "cents": [950], "units": [10]}
            return [{"order_id": "S1", "lane": 0, **leg}]
        assert statement == store_reversals.CENTS_OF_VERSIONS
        pairs = zip(*asked, strict=True)
        return [{"order_id": name, "version": version, "cents": CONFIRMED_CENTS[version]} for name, version in pairs]


def accepted(version: int) -> tuple[dict[str, Any], int | None]:
    row = {"order_id": "S1", "version": version, "plan_id": "ACME", "fund_id": "F1", "side": "sell",
           "trade_date": DAY, "price": "1", "units": 10, "amount": 10, "cents": CONFIRMED_CENTS[version]}  # fmt: skip
    return row, version - 1 or None


def test_a_sell_corrected_twice_in_one_round_takes_back_each_version_by_its_own_dollars() -> None:
    lane = Lane(0, 1, 1, 1, NOON)
    work = Work(Answers(), Service("trading", ()), {0: lane}, FactCache(()), Guards())
    asyncio.run(share_out_sales(work, [accepted(1), accepted(2), accepted(3)], DAY))
    cash: Counter[int] = Counter()
    for _, _, _, kind, body, _ in work.tasks:
        if kind == "post_plan_cash":
            for _, _, version, _, returnable, gain, _ in orjson.loads(body):
                cash[version] += returnable + gain
    assert cash == {1: 0, 2: 0, 3: 900}

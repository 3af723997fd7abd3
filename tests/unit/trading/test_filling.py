"""When confirmations may be judged."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.trading import store
from services.trading.filling import judge_confirmations
from shared.runtime.definition import Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import CycleState, Lane
from shared.runtime.work import Work

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)


class Asked:
    """A database where Friday is valued and Monday is cut; it keeps what it was asked."""

    def __init__(self) -> None:
        self.judged_up_to: list[date] = []

    async def fetchval(self, statement: str) -> date:
        return FRIDAY if statement == store.LAST_VALUED else MONDAY

    async def fetch(self, statement: str, limit: date, *_: Any) -> list[Any]:
        assert statement == store.TO_JUDGE
        self.judged_up_to.append(limit)
        return []


@pytest.mark.parametrize(("last_closed", "judged"), [(THURSDAY, []), (FRIDAY, [MONDAY])])
def test_the_next_date_is_judged_once_the_builders_lane_has_said_what_is_in_flight(
    last_closed: date, judged: list[date]
) -> None:
    asked = Asked()
    lane = Lane(0, 1, 1, 1, NOON, cycles={"value": CycleState(FRIDAY, last_closed)})
    work = Work(asked, Service("trading", ()), {0: lane}, FactCache(()), Guards())
    assert asyncio.run(judge_confirmations(work)) is False
    assert asked.judged_up_to == judged

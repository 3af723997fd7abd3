"""Elections that wait for a fund are settled at the end of their date, over as many transactions as it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import pytest

from deploy.cluster import Infrastructure
from services.allocation import closing, handlers, store
from services.allocation.handlers import HELD_PER_TRANSACTION
from services.allocation.rules.elections import FULL
from shared.events.fund import FundFact
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged
from shared.events.topics import FUNDS, PARTICIPANT_REQUESTS, PLANS
from shared.runtime.definition import Cycle, FactTopic, Input, Service
from shared.runtime.factcache import FactCache, FactProgress
from shared.runtime.lanes import prepare_lanes
from shared.runtime.records import PublicRecord
from shared.values.identity import identity_of
from tests.support.cluster import service_database
from tests.support.lone_worker import LoneWorker

THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
NOON = datetime(2026, 11, 19, 17, tzinfo=UTC)
PEOPLE = 2 * HELD_PER_TRANSACTION + 7
MET = "UPDATE lane_inputs SET first_cut = $1, last_cut = $1"
SETTLED = "SELECT count(*) FROM identities WHERE status <> 'h'"
STATUSES = "SELECT status::text, count(*) FROM identities GROUP BY 1 ORDER BY 1"
COUNTED = "SELECT outcome, sum(records)::bigint FROM input_counts WHERE trade_date = $1 AND records <> 0 GROUP BY 1"

SERVICE = Service(
    "allocation",
    (Input(PARTICIPANT_REQUESTS, ()),),
    facts=(
        FactTopic(PLANS, {PlanFact.ce_type: PlanFact}, key=lambda fact: fact.plan_id),
        FactTopic(FUNDS, {FundFact.ce_type: FundFact}, key=lambda fact: fact.fund_id),
    ),
    cycles=(
        Cycle(
            "day", inputs=(PARTICIPANT_REQUESTS.name,), facts=(PLANS.name, FUNDS.name), read=closing.read_date,
            close=closing.close_date,
        ),
    ),
    genesis_tables=("journal", "held_requests"),
)  # fmt: skip


class Worker(LoneWorker):
    """The plan is known, and of its funds only OLD."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        super().__init__(SERVICE, connection, FactCache(SERVICE.facts))
        self.facts.versions[PLANS.name]["ACME"] = [(THURSDAY, {"plan_id": "ACME"})]
        self.learn("OLD")

    def learn(self, fund: str) -> None:
        """A fund's fact, received for Thursday."""
        self.facts.versions[FUNDS.name][fund] = [(THURSDAY, SimpleNamespace(fund_id=fund))]

    async def end(self, day: date) -> None:
        """The day's marker stands in every input and fact topic."""
        await self.connection.execute(MET, day)
        for topic in (PLANS.name, FUNDS.name):
            self.facts.progress[topic] = FactProgress(first_cut=day, last_cut=day)
        await self.claim()

    async def send(self, elections: list[PublicRecord]) -> None:
        """Polls of these elections."""
        await self.send_to(handlers.change_elections, elections)


def an_election(who: str, fund: str, day: date) -> PublicRecord:
    body: dict[str, Any] = {
        "plan_id": "ACME", "participant_id": who, "elections": [{"fund_id": fund, "percent": "100"}],
    }  # fmt: skip
    name = f"{who}-{fund}-{day}"
    return PublicRecord(
        lane=0, topic=PARTICIPANT_REQUESTS.name, offset=1, recorded_at=NOON, trade_date=day, key=who, ce_id=name,
        ce_source="/site", ce_type=ElectionChanged.ce_type, identity=identity_of(who, "/site", name),
        body_hash=bytes(16), body=body,
    )  # fmt: skip


@pytest.fixture
async def worker(infrastructure: Infrastructure) -> AsyncIterator[Worker]:
    async with service_database(infrastructure, "allocation") as connection:
        await prepare_lanes(connection, SERVICE, 1)
        made = Worker(connection)
        await made.claim()
        yield made


async def test_a_large_backlog_is_settled_over_many_beats_and_the_date_is_read_when_nothing_is_left(
    worker: Worker,
) -> None:
    people = [f"P{number}" for number in range(PEOPLE)]
    await worker.send([an_election(who, "NEW" if at % 2 else "NONE", THURSDAY) for at, who in enumerate(people)])
    await worker.send([an_election("Q", "NEW", FRIDAY)])
    worker.learn("NEW")
    await worker.end(THURSDAY)
    settled = [0]
    while await worker.beat():
        settled.append(await worker.connection.fetchval(SETTLED))
        assert settled[-1] - settled[-2] <= HELD_PER_TRANSACTION
        assert (settled[-1] == PEOPLE) >= (worker.lanes[0].cycles["day"].last_read == THURSDAY)
    assert settled[-1] == PEOPLE
    assert worker.lanes[0].cycles["day"].last_closed == THURSDAY
    rows = await worker.connection.fetch(STATUSES)
    assert [tuple(row) for row in rows] == [("a", PEOPLE // 2), ("h", 1), ("r", PEOPLE - PEOPLE // 2)]
    rows = await worker.connection.fetch(COUNTED, THURSDAY)
    assert [tuple(row) for row in rows] == [("decided", PEOPLE)]
    assert await worker.connection.fetchval("SELECT count(*) FROM held_requests") == 1  # That of Friday.


async def test_an_election_that_comes_again_is_decided_once_and_another_body_under_its_name_never(
    worker: Worker,
) -> None:
    first = an_election("P", "OLD", THURSDAY)
    await worker.send([first, first, msgspec.structs.replace(first, body_hash=bytes([1] * 16))])
    await worker.send([first])
    counted = dict(await worker.connection.fetch(COUNTED, THURSDAY))
    assert counted == {"decided": 1, "duplicates": 2, "mismatches": 1}
    assert await worker.connection.fetchval("SELECT count(*) FROM elections") == 1


async def test_an_election_of_the_next_date_governs_although_an_earlier_one_was_settled_after_it(
    worker: Worker,
) -> None:
    await worker.send([an_election("P", "NEW", THURSDAY)])
    await worker.send([an_election("P", "OLD", FRIDAY)])
    worker.learn("NEW")
    await worker.end(THURSDAY)
    while await worker.beat():
        pass
    governs = [await store.find_elections(worker.connection, [("P", "ACME")], day) for day in (FRIDAY, MONDAY)]
    assert [str(found["P", "ACME"][1]) for found in governs] == [
        str({"all": [(fund, FULL)]}) for fund in ("NEW", "OLD")
    ]

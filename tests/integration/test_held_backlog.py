"""January without limits: what is held is freed over many transactions, in order, whoever dies in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from deploy.cluster import Infrastructure
from services.contribution import closing, holding, waiting
from services.contribution.handlers import PlanTerms
from services.contribution.holding import HELD_PER_TRANSACTION
from services.contribution.items import LineItem
from services.contribution.rules.intake import Line
from services.contribution.rules.limits import reviewed_limits
from shared.events.plan import PlanFact
from shared.events.topics import LIMITS, PAYROLL_CONTRIBUTIONS, PLANS
from shared.runtime.definition import Cycle, FactTopic, Input, Service
from shared.runtime.factcache import FactCache
from shared.runtime.lanes import prepare_lanes
from shared.values.identity import identity_of
from tests.support.cluster import service_database
from tests.support.lone_worker import LoneWorker
from tests.unit.contribution.builders import a_participant

THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
YEAR = 2031
PEOPLE, LINES_EACH = 10_000, 2
PERSON = """
INSERT INTO participants (participant_id, plan_id, version, bucket, lane, received_for, effective_from, recorded_at,
                          body, person)
SELECT who, 'ACME', 1, 0, 0, $2, $2, now(), '{}', $3 FROM unnest($1::text[]) AS who"""
MET = "UPDATE lane_inputs SET first_cut = $1, last_cut = $1"
DECIDED = "SELECT count(*) FROM journal WHERE kind = 'line'"
IN_ORDER = "SELECT participant_id, compensation, trade_date FROM journal WHERE kind = 'line' ORDER BY entry"
STATUSES = "SELECT status::text, trade_date, count(*) FROM identities GROUP BY 1, 2"
SERVICE = Service(
    "contribution",
    (Input(PAYROLL_CONTRIBUTIONS, ()),),
    cycles=(
        Cycle(
            "day", inputs=(PAYROLL_CONTRIBUTIONS.name,), facts=(), read=closing.read_date, decide=closing.decide_runs,
            close=closing.close_date,
        ),
    ),
    before_beats=holding.free_if_facts_changed,
    genesis_tables=("journal", "held_lines", "reversals"),
    on_claim=waiting.on_claim,
)  # fmt: skip


class Worker(LoneWorker):
    """The plan is known, the year's limits are not."""

    def __init__(self, connection: Any) -> None:
        facts = tuple(FactTopic(topic, {PlanFact.ce_type: PlanFact}, key=str) for topic in (PLANS, LIMITS))
        super().__init__(SERVICE, connection, FactCache(facts))
        self.facts.versions[PLANS.name]["ACME"] = [
            (THURSDAY, PlanTerms({"plan_id": "ACME", "sources": ["pre_tax"], "trade_on": "funding"}))
        ]

    def load_limits(self) -> None:
        """The year's limits, received for Friday."""
        self.facts.versions[LIMITS.name][str(YEAR)] = [(FRIDAY, reviewed_limits()[2026])]
        self.facts.changes += 1

    async def send(self, items: list[LineItem]) -> None:
        """Polls of these lines."""
        await self.send_to(holding.accept_lines, items)

    async def counted_beat(self) -> tuple[bool, int]:
        """One beat: whether the next is due at once, and how many lines it decided."""
        before = await self.connection.fetchval(DECIDED)
        moved = await self.beat()
        return moved, await self.connection.fetchval(DECIDED) - before


def a_line(who: str, number: int, day: date) -> LineItem:
    name, line = (
        f"{who}-{number}",
        Line("ACME", who, "R1", date(YEAR, 1, 9), number * 1_000_00, [("pre_tax", 1_00)], []),
    )
    identity = identity_of(who, "/acme", name)
    return LineItem(0, PAYROLL_CONTRIBUTIONS.name, 1, NOON, day, who, name, "/acme", identity, bytes(16), line)


@pytest.fixture
async def worker(infrastructure: Infrastructure) -> AsyncIterator[Worker]:
    async with service_database(infrastructure, "contribution") as connection:
        await prepare_lanes(connection, SERVICE, 1)
        made = Worker(connection)
        await made.claim()
        yield made


async def test_a_year_of_held_lines_is_freed_over_many_beats_and_claims_and_each_participants_in_order(
    worker: Worker,
) -> None:
    people = [f"P{number}" for number in range(PEOPLE)]
    person = msgspec.json.encode(a_participant()).decode()
    await worker.connection.execute(PERSON, people, THURSDAY, person)
    # A participant's second line is held pages after the first.
    await worker.send([a_line(who, number, THURSDAY) for number in range(1, LINES_EACH + 1) for who in people])
    worker.load_limits()
    by_beat = [(await worker.counted_beat())[1]]
    await worker.send([a_line(who, LINES_EACH + 1, FRIDAY) for who in (people[0], people[-1])])
    by_beat.append((await worker.counted_beat())[1])
    await worker.claim()
    await worker.connection.execute(MET, THURSDAY)
    await worker.claim()
    is_due = True
    while is_due:
        is_due, decided = await worker.counted_beat()
        by_beat.append(decided)
    assert max(by_beat) == HELD_PER_TRANSACTION
    assert await worker.connection.fetchval("SELECT count(*) FROM held_lines") == 0
    assert worker.lanes[0].cycles["day"].last_closed == THURSDAY
    pays: dict[str, list[int]] = defaultdict(list)
    for who, pay, day in await worker.connection.fetch(IN_ORDER):
        assert day == FRIDAY
        pays[who].append(pay)
    assert set(pays) == set(people)
    assert all(one == sorted(one) for one in pays.values())
    assert [len(pays[who]) for who in (people[0], people[1], people[-1])] == [
        LINES_EACH + 1,
        LINES_EACH,
        LINES_EACH + 1,
    ]
    rows = await worker.connection.fetch(STATUSES)
    assert [tuple(row) for row in rows] == [("a", FRIDAY, PEOPLE * LINES_EACH + 2)]
    assert not worker.lanes[0].cache.holds_anything


@pytest.mark.parametrize("claims", [False, True], ids=["one claim", "a claim between them"])
async def test_a_line_is_never_booked_before_the_one_it_waited_behind_whoever_decides_them(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, claims: bool
) -> None:
    monkeypatch.setattr(holding, "HELD_PER_TRANSACTION", 1)
    await worker.connection.execute(PERSON, ["P1", "P2"], THURSDAY, msgspec.json.encode(a_participant()).decode())
    # The first stands behind Friday's marker in its own partition; the others came by another one, before it there.
    for line in (a_line("P1", 1, MONDAY), a_line("P1", 2, FRIDAY), a_line("P2", 1, FRIDAY), a_line("P1", 3, FRIDAY)):
        await worker.send([line])
    worker.load_limits()
    for _ in range(4):
        assert (await worker.counted_beat())[1] == 1
        if claims:
            await worker.claim()
    days = [(who, pay // 1_000_00, day) for who, pay, day in await worker.connection.fetch(IN_ORDER)]
    assert days == [("P1", 1, MONDAY), ("P1", 2, MONDAY), ("P2", 1, FRIDAY), ("P1", 3, MONDAY)]

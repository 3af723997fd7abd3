"""Two workers claim to be the same static member: whoever the group believes, nothing is decided twice or never."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from shared.events import topics
from tests.support import events
from tests.support.waiting import eventually
from tests.support.wire import open_wire
from tests.support.workers import Ground, open_ground

PARTITIONS, PEOPLE, ROUNDS = 4, 40, 12


@pytest_asyncio.fixture
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with open_ground(tmp_path_factory.mktemp("hijacked"), "contribution", PARTITIONS) as opened:
        opened.environment["NESTWORK_GROUP_INSTANCE_ID"] = "the-only-one"
        yield opened


async def test_two_workers_with_one_identity_decide_every_line_once(ground: Ground) -> None:
    people = [f"person-{number}" for number in range(PEOPLE)]
    async with open_wire(ground.infrastructure, ground.config) as wire, AsyncExitStack() as workers:
        await wire.send(events.plan_fact(), *(events.census(one) for one in people))
        first = await workers.enter_async_context(ground.worker())
        await eventually(first.is_ready, seconds=120)
        lines = []
        for number in range(ROUNDS):
            if number == ROUNDS // 3:
                await workers.enter_async_context(ground.worker())
            said = [events.line(one, compensation_cents=400_000 + number) for one in people]
            lines += said
            await wire.send(*said)
        for line in lines:
            await wire.receipt(line.ce_id)
        answered = Counter(one.body["request"]["id"] for one in wire.heard[topics.PAYROLL_RECEIPTS.name])
        assert {line.ce_id: answered[line.ce_id] for line in lines if answered[line.ce_id] < 1} == {}
        assert all(len(wire.receipts(line.ce_id)) == 1 for line in lines)

        rows = await wire.query(
            "contribution",
            "SELECT outcome, sum(records)::int AS records FROM input_counts WHERE topic = $1 GROUP BY outcome",
            topics.PAYROLL_CONTRIBUTIONS.name,
        )
        counted = {row["outcome"]: row["records"] for row in rows}
        taken = counted.get("decided", 0) + counted.get("held", 0)
        assert counted["offsets"] == taken == len(lines), counted

"""A record that came by the wrong partition is sent on to its own lane, and decided nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime

from aiokafka import TopicPartition

from shared.events.topics import CONTRIBUTIONS_REROUTED, PAYROLL_CONTRIBUTIONS
from shared.runtime.definition import Input, Kind, Rerouting, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, LaneInput
from shared.runtime.poll import Poll
from shared.runtime.records import PublicRecord, public_record
from shared.runtime.work import Work
from tests.support.events import home
from tests.support.fetched import SECRET, an_event

LINES, REROUTED = PAYROLL_CONTRIBUTIONS.name, CONTRIBUTIONS_REROUTED.name
LANES, LANE = 4, 2
FRIDAY = date(2026, 11, 20)
PEOPLE = [f"P{number}" for number in range(12)]


class NoTables:
    """A connection that is asked for nothing but savepoints."""

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield


async def decided_in_one_lane() -> tuple[list[str], Work]:
    """Everybody's lines come by the partition of one lane: who is decided there, and what the poll says."""
    decided: list[str] = []

    async def decide(_work: Work, items: list[PublicRecord]) -> None:
        decided.extend(item.key for item in items)

    kind = Kind("nestwork.payroll.contribution.v1", public_record, decide, PublicRecord)
    service = Service(
        "a", (Input(PAYROLL_CONTRIBUTIONS, (kind,)),), rerouting=Rerouting(CONTRIBUTIONS_REROUTED, (LINES,))
    )
    lane = Lane(LANE, 1, 1, 1, datetime(2026, 11, 20, tzinfo=UTC))
    lane.inputs[LINES] = LaneInput(0, FRIDAY, FRIDAY, None, None, {})
    poll = Poll(service, Guards(), SECRET, False, LANES)
    fetched = [replace(an_event(offset, LINES, LANE), key=one.encode()) for offset, one in enumerate(PEOPLE)]
    part = poll.slicing.cut(TopicPartition(LINES, LANE), service.inputs[0], lane, fetched, None, 100)
    assert part is not None
    work = Work(NoTables(), service, {LANE: lane}, FactCache(()), Guards())
    await poll.decide(work, [part])
    return decided, work


def test_a_lane_decides_its_own_people_and_sends_the_others_lines_to_theirs() -> None:
    decided, work = asyncio.run(decided_in_one_lane())
    assert decided == [one for one in PEOPLE if home(one, LANES) == LANE]
    sent = {place: [(message.key or b"").decode() for message in said] for place, said in work.messages.items()}
    assert sent == {
        (LANE, REROUTED, lane): [one for one in PEOPLE if home(one, LANES) == lane]
        for lane in range(LANES)
        if lane != LANE
    }
    counted = {outcome: records for (_, _, _, outcome), records in work.counts.items()}
    assert counted == {"offsets": len(PEOPLE), "forwarded": len(PEOPLE) - len(decided)}

"""A worker's own loop on real servers: what it says and remembers when a COMMIT fails or its outcome is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from deploy.cluster import Infrastructure
from shared.events.topics import Topic
from shared.runtime.clients import connect, kafka_producer
from shared.runtime.guards import Guards, Points
from shared.runtime.lanes import LOCK_LANES
from shared.runtime.plane import MoneyPlane
from shared.runtime.settings import settings
from shared.runtime.work import Work
from tests.support.cluster import first_records, unique_topics
from tests.support.till import Till, open_till, say
from tests.support.waiting import eventually

REFUSE_THE_FIRST_COMMIT = """
CREATE SEQUENCE decisions;
CREATE FUNCTION refuse_the_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('decisions') = 1 THEN  -- A sequence does not go back with the transaction.
        PERFORM pg_sleep(1);
        RAISE 'this COMMIT fails';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse_the_first AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse_the_first();"""


@dataclass
class Speaker:
    """Says "try N" in a beat, until it knows that as many as are wanted were committed."""

    topic: str
    wanted: int = 1
    tries: int = 0
    known: int = 0

    async def __call__(self, work: Work) -> bool:
        if self.known >= self.wanted or 0 not in work.lanes:
            return False
        self.tries += 1
        say(work, f"try {self.tries}", self.topic)
        work.after_commit(self._know)
        return True

    def _know(self) -> None:
        self.known += 1


@dataclass
class Stage:
    """A till whose loop can be run, and what it says."""

    infrastructure: Infrastructure
    till: Till
    speaker: Speaker

    @asynccontextmanager
    async def working(self, points: Points) -> AsyncIterator[MoneyPlane]:
        """The worker's loop, in this process; it must not crash."""
        failures: list[BaseException] = []

        async def crash(failure: BaseException) -> None:
            failures.append(failure)

        plane = MoneyPlane(self.till.service, settings(), Guards(points=points))
        await plane.start(crash)
        try:
            yield plane
        finally:
            await plane.stop()
        assert failures == []

    async def heard(self, count: int) -> list[tuple[int, str]]:
        """Sequence number and text of the first records on the wire."""
        records = await first_records(self.infrastructure, self.speaker.topic, count)
        return [(int(dict(one.headers)["seq"]), one.value.decode()) for one in records]


@asynccontextmanager
async def open_stage(infrastructure: Infrastructure) -> AsyncIterator[Stage]:
    """Topics and tables of its own."""
    incoming, _, outgoing = await unique_topics(infrastructure, "in", "in.dlq", "out", partitions=1)
    source = Topic(incoming, "money", True, "participant_id", (), (), "")
    speaker = Speaker(outgoing)
    async with open_till(infrastructure, 1, source, before_beats=speaker) as till:
        yield Stage(infrastructure, till, speaker)


async def test_what_a_failed_commit_decided_is_never_said(infrastructure: Infrastructure) -> None:
    async with open_stage(infrastructure) as stage:
        await stage.till.connection.execute(REFUSE_THE_FIRST_COMMIT)
        async with stage.working(Points()):
            assert await stage.heard(1) == [(1, "try 2")]
        assert stage.speaker.tries == 2


class LosesOneReply(Points):
    """The first COMMIT is done and nobody says so until the time limit; the connection itself seems well."""

    is_lost = False

    async def reach(self, name: str) -> None:
        """Raise what asyncpg raises then."""
        if name == "after_commit" and not self.is_lost:
            self.is_lost = True
            raise TimeoutError


async def test_after_a_commit_of_unknown_outcome_the_rows_are_read_before_anything_is_said(
    infrastructure: Infrastructure,
) -> None:
    async with open_stage(infrastructure) as stage, stage.working(LosesOneReply()) as plane:
        assert await stage.heard(2) == [(1, "try 1"), (2, "try 2")]
        assert plane.lanes[0].incarnation == 2, "it claimed again"


async def test_a_poll_ends_the_session_that_keeps_its_lane_locked(infrastructure: Infrastructure) -> None:
    async with open_stage(infrastructure) as stage, stage.working(Points()) as plane:
        assert await stage.heard(1) == [(1, "try 1")]
        frozen = await connect(stage.till.service.database)
        try:
            await frozen.execute("BEGIN")
            await frozen.fetch(LOCK_LANES, [0])
            stage.speaker.wanted = 2
            assert await stage.heard(2) == [(1, "try 1"), (2, "try 2")]
        finally:
            frozen.terminate()
        assert plane.lanes[0].incarnation == 1, "without losing its claim"


async def test_what_was_published_is_removed_by_a_later_poll(infrastructure: Infrastructure) -> None:
    async with open_stage(infrastructure) as stage, stage.working(Points()):
        assert await stage.heard(1) == [(1, "try 1")]

        async def is_removed() -> bool:
            return await stage.till.connection.fetchval("SELECT count(*) FROM outbox") == 0

        await eventually(is_removed)


async def test_a_coordinator_that_does_not_answer_holds_up_no_money(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.runtime.plane.HINT_SECONDS", 0.05)
    is_asked = asyncio.Event()

    async def frozen(*_: Any) -> None:
        is_asked.set()
        await asyncio.Event().wait()

    async with open_stage(infrastructure) as stage, stage.working(Points()) as plane:
        assert await stage.heard(1) == [(1, "try 1")]
        monkeypatch.setattr(plane.membership.consumer, "commit", frozen)
        async with kafka_producer(settings()) as producer:
            await producer.send_and_wait(stage.till.service.inputs[0].topic.name, b"a position to tell of")
        await asyncio.wait_for(is_asked.wait(), 30)
        stage.speaker.wanted = 2
        assert await stage.heard(2) == [(1, "try 1"), (2, "try 2")]

"""Facts that were queued before a new claim and are delivered again after it: stored once, and no reason to stop."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from random import Random
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from shared.events import topics
from shared.events.envelope import event_headers
from shared.events.fund import FundFact
from shared.runtime.faustplane import ControlPlane
from shared.runtime.guards import Guards
from shared.runtime.records import record_of
from shared.values.nyse_calendar import LAST_YEAR
from tests.simulation.engine import Engine, installed
from tests.simulation.loop import SimulatedLoop, run
from tests.simulation.simulate import quiet
from tests.simulation.twin_kafka import Stored, TwinReader
from tests.simulation.world import Faults, World
from tests.support import events

FUNDS = topics.FUNDS.name


async def store_funds(engine: Engine, offsets: list[int], stamp: int | None = None) -> ControlPlane:
    """Publish three funds, and hand over the records of these offsets together, with another stamp if one is given."""
    for number in range(3):
        body = orjson.dumps({"fund_id": f"F{number}", "share_decimals": 3})
        headers = event_headers(f"fund-{number}", "/tests", FundFact.ce_type)
        engine.kafka.append(FUNDS, 0, f"F{number}".encode(), body, headers)
    plane = ControlPlane(engine.services["allocation"], engine.config)
    await plane.open()
    await plane.claim([FUNDS], 1)
    for offset in offsets:
        record = engine.kafka.log(FUNDS, 0)[offset]
        plane.queues[FUNDS].put_nowait(record_of(-1, record._replace(timestamp=stamp or record.timestamp)))
    task = asyncio.create_task(plane.run(FUNDS))
    await asyncio.sleep(20)
    assert not task.done(), "a worker whose task ends is started again, and the next one meets the same record"
    task.cancel()
    return plane


def told(answers: list[KafkaError | list[int]]) -> Any:
    """A reader's fetches, one after another: a failure, or the records at these offsets (none: the time ran out)."""

    async def getmany(self: TwinReader, place: TopicPartition, **_: Any) -> dict[TopicPartition, list[Stored]]:
        answer = answers.pop(0)
        if isinstance(answer, KafkaError):
            raise answer
        return {place: [self.kafka.log(*place)[offset] for offset in answer]} if answer else {}

    return patch.object(TwinReader, "getmany", getmany)


def stored(
    offsets: list[int], answers: list[KafkaError | list[int]] | None = None, stamp: int | None = None
) -> tuple[ControlPlane, list[Any]]:
    loop = SimulatedLoop(Random(1))
    engine = Engine(World(loop, Random(1), Faults(Random(1))), 1, ("allocation",), Guards())
    if stamp is not None:
        engine.config = engine.config.model_copy(update={"market_mode": "on"})
    with quiet(), installed(engine), told(answers) if answers else nullcontext():
        plane = run(loop, store_funds(engine, offsets, stamp))
    return plane, list(engine.postgres.databases["nestwork_allocation"].tables["facts"].values())


@pytest.mark.parametrize("offsets", [[0, 1, 2], [0, 1, 2, 0, 1, 2], [0, 1, 0, 1, 2], [0, 1, 2, 0]])
def test_facts_that_come_again_after_a_claim_are_stored_once(offsets: list[int]) -> None:
    plane, facts = stored(offsets)
    assert plane.next_offset == {FUNDS: 3}
    assert [(row["key"], row["version"]) for row in facts] == [("F0", 1), ("F1", 2), ("F2", 3)]


def test_a_fact_that_is_missing_stops_its_topic() -> None:
    plane, facts = stored([0, 2])
    assert FUNDS not in plane.next_offset
    assert facts == []


@pytest.mark.parametrize("silence", [[[]], [KafkaConnectionError("away")], [[], KafkaConnectionError("away"), []]])
def test_a_broker_that_does_not_answer_about_a_jump_is_asked_again(silence: list[KafkaError | list[int]]) -> None:
    plane, facts = stored([0, 2], [*silence, [2]])
    assert (plane.next_offset, plane.lost) == ({FUNDS: 3}, {})
    assert [row["key"] for row in facts] == ["F0", "F2"]


def test_what_the_broker_says_about_a_jump_after_a_silence_counts() -> None:
    plane, facts = stored([0, 2], [[], [1]])
    assert "did not reach the agent" in plane.lost[FUNDS]
    assert facts == []


def test_in_market_mode_facts_stamped_beyond_the_calendar_wait_for_it() -> None:
    beyond = int(datetime(LAST_YEAR + 1, 1, 4, tzinfo=UTC).timestamp()) * 1000
    plane, facts = stored([0, 1, 2], stamp=beyond)
    assert (plane.next_offset, plane.lost, facts) == ({FUNDS: 0}, {}, [])


async def store_broken(engine: Engine) -> ControlPlane:
    """A fund whose structured event is nested too deep, and a good one behind it."""
    for record in (events.nested_too_deep(events.fund_fact("F0")), events.fund_fact("F1")):
        engine.kafka.append(FUNDS, 0, record.key, record.value, record.headers)
    plane = ControlPlane(engine.services["allocation"], engine.config)
    await plane.open()
    await plane.claim([FUNDS], 1)
    for stored_record in engine.kafka.log(FUNDS, 0):
        plane.queues[FUNDS].put_nowait(record_of(-1, stored_record))
    task = asyncio.create_task(plane.run(FUNDS))
    await asyncio.sleep(20)
    task.cancel()
    return plane


def test_a_fact_nested_too_deep_is_a_dead_letter_and_the_next_one_is_stored() -> None:
    loop = SimulatedLoop(Random(1))
    engine = Engine(World(loop, Random(1), Faults(Random(1))), 1, ("allocation",), Guards())
    with quiet(), installed(engine):
        plane = run(loop, store_broken(engine))
    tables = engine.postgres.databases["nestwork_allocation"].tables
    assert plane.next_offset == {FUNDS: 2}
    assert [row["key"] for row in tables["facts"].values()] == ["F1"]
    (letter,) = tables["dead_letters"].values()
    assert (letter["code"], letter["value"]) == ("WRONG_SHAPE", engine.kafka.log(FUNDS, 0)[0].value)

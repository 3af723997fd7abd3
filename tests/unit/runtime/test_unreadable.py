"""What a service of ours wrote and can't be read stops its lane, by name: it is no poison, and no worker dies of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition

from services.allocation.items import explode_released
from services.allocation.reversing import explode_reversals
from services.trading.items import explode_instructed
from services.trading.reversing import explode_reversed
from services.valuation.items import explode_filled
from shared.events.topics import (
    CONTRIBUTIONS_RELEASED,
    CONTRIBUTIONS_REROUTED,
    TRADES_FILLED,
    TRADES_INSTRUCTED,
    Topic,
)
from shared.runtime.definition import Input, Kind, Service
from shared.runtime.errors import LogLoss
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, LaneInput
from shared.runtime.poll import Poll
from shared.runtime.records import LANE_CLOSED, Record, public_record
from shared.runtime.work import Work
from tests.support.fetched import SECRET, Fetched

LANE, OFFSET = 2, 7
FRIDAY = date(2026, 11, 20)
TYPE = "nestwork.something.said.v1"
INTERNAL = [
    (CONTRIBUTIONS_RELEASED, explode_released),
    (CONTRIBUTIONS_RELEASED, explode_reversals),
    (TRADES_INSTRUCTED, explode_instructed),
    (TRADES_INSTRUCTED, explode_reversed),
    (TRADES_FILLED, explode_filled),
]


def said(topic: Topic, value: bytes | None, ce_type: str = TYPE, **sequence: bytes) -> Fetched:
    headers = {"ce_type": ce_type.encode(), "stream": b"s/0/t/0", "epoch": b"1", "seq": b"1"} | sequence
    return Fetched(topic.name, LANE, OFFSET, None, value, tuple(headers.items()))


async def read(source: Input, record: Fetched) -> None:
    """One poll of a lane in which this record comes."""
    service = Service("a", (source,))
    lane = Lane(LANE, 1, 1, 1, datetime(2026, 11, 20, tzinfo=UTC))
    lane.inputs[source.topic.name] = LaneInput(OFFSET, FRIDAY, None, None, None, {})
    poll = Poll(service, Guards(), SECRET, False, 4)
    part = poll.slicing.cut(TopicPartition(source.topic.name, LANE), source, lane, [record], None, 100)
    assert part is not None
    await poll.decide(Work(None, service, {LANE: lane}, FactCache(()), Guards()), [part])


async def decide(_work: Work, _items: list[object]) -> None:
    raise AssertionError("nothing of a record that can't be read is decided")


async def stopped_by(source: Input, record: Fetched) -> None:
    with pytest.raises(LogLoss, match=f"{source.topic.name}/{LANE}@{OFFSET}: ") as caught:
        await read(source, record)
    assert caught.value.lanes == (LANE,)


@pytest.mark.parametrize(("topic", "explode"), INTERNAL)
@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b"{}", b"[1]", b'{"trade_date": "2026-11-20"}', b'{"trade_'])
async def test_a_packed_record_that_can_not_be_read_stops_its_lane(
    topic: Topic, explode: Callable[[Record], Sequence[Any]], value: bytes | None
) -> None:
    kind = Kind(TYPE, explode, decide, object)
    await stopped_by(Input(topic, (kind,), internal=True), said(topic, value))


@pytest.mark.parametrize("value", [None, b"", b"\xc1", b"{}"])
async def test_a_stray_that_can_not_be_unwrapped_stops_the_lane_it_came_to(value: bytes | None) -> None:
    kind = Kind(TYPE, public_record, decide, object)
    source = Input(CONTRIBUTIONS_REROUTED, (kind,), internal=True, all_to_all=True)
    await stopped_by(source, said(CONTRIBUTIONS_REROUTED, value))


async def test_an_internal_marker_without_a_date_stops_its_lane_too_and_is_no_letter() -> None:
    source = Input(TRADES_FILLED, (), internal=True)
    await stopped_by(source, said(TRADES_FILLED, b"{", LANE_CLOSED))


async def test_a_marker_of_all_lanes_without_its_sender_stops_the_lane() -> None:
    source = Input(CONTRIBUTIONS_REROUTED, (), internal=True, all_to_all=True)
    marker = said(CONTRIBUTIONS_REROUTED, b'{"trade_date": "2026-11-20"}', LANE_CLOSED, stream=b"nobody")
    await stopped_by(source, marker)

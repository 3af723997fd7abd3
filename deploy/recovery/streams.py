"""What an internal log holds beyond a reader's position: what still counts, and what a restore made void."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.operate.target import OperatorError

Place = tuple[int, int]
"""Epoch and sequence number."""
FETCH_MS = 1_000
SILENT_FETCHES_MAX = 30


@dataclass
class Ends:
    """The last word of each stream of one topic, by (lane, partition), as its writer's database has it."""

    topic: str
    writer: str
    newest: dict[tuple[int, int], Place] = field(default_factory=dict)
    ended: dict[tuple[int, int, int], int] = field(default_factory=dict)
    """(lane, partition, epoch) of epochs that an earlier restore ended: their last sequence number."""

    def key_of(self, stream: str) -> tuple[int, int]:
        """Lane and partition of a stream's name. Raises ``OperatorError`` when it is not one of this topic."""
        parts = stream.split("/")
        if len(parts) != 4 or parts[0] != self.writer or parts[2] != self.topic:
            raise OperatorError(f"a record of {self.topic} names the stream {stream}")
        return int(parts[1]), int(parts[3])

    def counts(self, stream: str, place: Place) -> bool:
        """Whether the writer's database knows of having said this."""
        key = self.key_of(stream)
        ended = self.ended.get((*key, place[0]))
        if ended is not None:
            return place[1] <= ended
        return place <= self.newest.get(key, (1, 0))


@dataclass
class Tail:
    """What a reader has before it in one partition."""

    partition: int
    start: int
    end: int
    epoch_max: int = 1
    """The newest epoch that any record is of."""
    void: int = 0
    """Records that must not be read."""
    lost_streams: set[tuple[int, int]] = field(default_factory=set)
    """Streams of the newest epoch that said more than their writer remembers."""
    kept: list[Any] = field(default_factory=list)
    """Records that still count, in order, each once."""


async def read_tail(reader: AIOKafkaConsumer, ends: Ends, received: dict[str, Place], place: TopicPartition,
                    start: int, end: int) -> Tail:  # fmt: skip
    """Sort what stands from ``start`` to ``end``. Raises ``OperatorError`` when the log does not hold it."""
    tail, last = Tail(place.partition, start, end), dict(received)
    async for record in _records(reader, place, start, end):
        headers = dict(record.headers)
        stream = headers["stream"].decode()
        said = int(headers["epoch"]), int(headers["seq"])
        tail.epoch_max = max(tail.epoch_max, said[0])
        if not ends.counts(stream, said):
            tail.void += 1
            if (*ends.key_of(stream), said[0]) not in ends.ended:
                tail.lost_streams.add(ends.key_of(stream))
        elif said > last.get(stream, (1, 0)):
            last[stream] = said
            tail.kept.append(record)
    return tail


async def _records(reader: AIOKafkaConsumer, place: TopicPartition, start: int, end: int) -> AsyncIterator[Any]:
    reader.assign([place])
    reader.seek(place, start)
    position, silent = start, 0
    while position < end:
        fetched = (await reader.getmany(place, timeout_ms=FETCH_MS)).get(place, [])
        silent = 0 if fetched else silent + 1
        if silent > SILENT_FETCHES_MAX:
            raise OperatorError(f"{place.topic}/{place.partition} gives nothing from offset {position} on")
        for record in fetched:
            if record.offset != position:
                raise OperatorError(f"{place.topic}/{place.partition} lacks offset {position}")
            position += 1
            if record.offset < end:
                yield record

"""What was decided and must be said: packed rows written with the decision, published afterwards in order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from shared.events.envelope import event_headers
from shared.runtime.clients import Connection
from shared.runtime.copying import copy_rows

ROW_BYTES_MAX = 600_000
"""A packed row stays well below Kafka's 1 MiB record limit."""

DELETE_PUBLISHED = """
DELETE FROM outbox
USING unnest($1::int[], $2::text[], $3::int[], $4::int[], $5::bigint[]) AS done(lane, topic, partition, epoch, seq)
WHERE outbox.lane = done.lane AND outbox.topic = done.topic AND outbox.partition = done.partition
  AND (outbox.epoch, outbox.seq) <= (done.epoch, done.seq)"""
UPSERT_STREAMS = """
INSERT INTO lane_streams (lane, topic, partition, epoch, next_seq)
SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::int[], $5::bigint[])
ON CONFLICT (lane, topic, partition) DO UPDATE SET epoch = excluded.epoch, next_seq = excluded.next_seq"""
OUTBOX_COLUMNS = ["lane", "topic", "partition", "epoch", "seq", "records", "payload"]


class Message(msgspec.Struct, array_like=True, gc=False):
    """One record to publish, without its place in the stream."""

    key: bytes | None
    ce_type: str
    ce_id: str
    time_ms: int
    value: bytes
    trace: str | None = None
    extra: list[tuple[str, bytes | None]] | None = None


class OutboxRow(NamedTuple):
    """One row: ``records`` messages of one stream, the first with sequence number ``seq``."""

    lane: int
    topic: str
    partition: int
    epoch: int
    seq: int
    records: int
    payload: bytes

    @property
    def last_seq(self) -> int:
        """The sequence number of the row's last message."""
        return self.seq + self.records - 1


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Message]).decode


@dataclass(frozen=True)
class StreamNames:
    """How a service's output streams are called on the wire."""

    service: str
    ce_source: str

    def stream(self, lane: int, topic: str, partition: int) -> str:
        """The name receivers keep their last sequence number under."""
        return f"{self.service}/{lane}/{topic}/{partition}"


def milliseconds(instant: datetime) -> int:
    """An instant as Kafka counts it."""
    return int(instant.timestamp() * 1000)


def pack(
    lane: int, topic: str, partition: int, epoch: int, next_seq: int, messages: list[Message]
) -> tuple[list[OutboxRow], int]:
    """Rows of bounded size for one stream, and the sequence number that follows them."""
    rows: list[OutboxRow] = []
    chunk: list[Message] = []
    size = 0
    for message in messages:
        if chunk and size + len(message.value) > ROW_BYTES_MAX:
            rows.append(OutboxRow(lane, topic, partition, epoch, next_seq, len(chunk), _encode(chunk)))
            next_seq += len(chunk)
            chunk, size = [], 0
        chunk.append(message)
        size += len(message.value) + 200
    if chunk:
        rows.append(OutboxRow(lane, topic, partition, epoch, next_seq, len(chunk), _encode(chunk)))
        next_seq += len(chunk)
    return rows, next_seq


Published = tuple[bytes | None, bytes, int, list[tuple[str, bytes | None]]]
"""Key, value, time in milliseconds, headers."""


def unpack(row: OutboxRow, names: StreamNames) -> list[Published]:
    """The row's records as (key, value, time_ms, headers), the same bytes at every publication."""
    stream = names.stream(row.lane, row.topic, row.partition).encode()
    epoch = str(row.epoch).encode()
    records = []
    for number, message in enumerate(_decode(row.payload), row.seq):
        headers: list[tuple[str, bytes | None]] = []
        headers += event_headers(message.ce_id, names.ce_source, message.ce_type, message.time_ms, message.trace)
        headers += [("stream", stream), ("epoch", epoch), ("seq", b"%d" % number)]
        if message.extra:
            headers += message.extra
        records.append((message.key, message.value, message.time_ms, headers))
    return records


async def remove_published(connection: Connection, published: dict[tuple[int, str, int], tuple[int, int]]) -> None:
    """Delete each stream's published prefix."""
    if published:
        keys, ends = list(published), list(published.values())
        await connection.execute(
            DELETE_PUBLISHED,
            [key[0] for key in keys],
            [key[1] for key in keys],
            [key[2] for key in keys],
            [end[0] for end in ends],
            [end[1] for end in ends],
        )


async def append(
    connection: Connection, rows: list[OutboxRow], ends: dict[tuple[int, str, int], tuple[int, int]]
) -> None:
    """Write the rows of a poll and where each touched stream now stands."""
    if not rows:
        return
    await copy_rows(connection, "outbox", OUTBOX_COLUMNS, rows)
    keys, values = list(ends), list(ends.values())
    await connection.execute(
        UPSERT_STREAMS,
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
        [value[0] for value in values],
        [value[1] for value in values],
    )

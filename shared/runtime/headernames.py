"""Reading records whose header names are not UTF-8: Kafka's protocol asks for it, and no broker checks it.

The client decodes names strictly, so one such record would stop its partition for every reader, for ever. Here the
name is written as ``not-utf8:`` and its bytes in hexadecimal; the record is then judged like any other.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

UNREADABLE_NAME = "not-utf8:"
BATCH_START = struct.Struct(">qi")
"""First offset, and how many bytes follow."""


class _Name:
    """Bytes of the batch that may be a header's name: decoded leniently, otherwise only copied."""

    __slots__ = ("part",)

    def __init__(self, part: bytearray) -> None:
        self.part = part

    def __bytes__(self) -> bytes:
        return bytes(self.part)

    def decode(self, _encoding: str) -> str:
        """The name, or its bytes in hexadecimal."""
        try:
            return self.part.decode("utf-8")
        except UnicodeDecodeError:
            return UNREADABLE_NAME + self.part.hex()


class _LenientBytes(bytearray):
    """A batch's bytes; what the client cuts out of them to decode is a name."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Name(found) if isinstance(place, slice) else found


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """The client's own parser in Python, over bytes whose names decode leniently."""

    _buffer: bytearray

    def _read_msg(self, *arguments: Any) -> Any:
        if type(self._buffer) is not _LenientBytes:
            self._buffer = _LenientBytes(self._buffer)
        return super()._read_msg(*arguments)


class _KeptRecords(MemoryRecords):  # type: ignore[misc]
    """The client's fast parser, and the fetched bytes in case it gives up."""

    def __init__(self, fetched: bytes) -> None:
        super().__init__(fetched)
        self.fetched = fetched


class _LenientRecords:
    """The batches of a fetch from the one on that was not finished; a batch that was cut off at the end is left out."""

    def __init__(self, fetched: bytes, next_offset: int) -> None:
        self._batches: deque[_LenientBatch] = deque()
        start = 0
        while start + BATCH_START.size <= len(fetched):
            _, length = BATCH_START.unpack_from(fetched, start)
            end = start + BATCH_START.size + length
            if end > len(fetched):
                break
            batch = _LenientBatch(fetched[start:end])
            if batch.next_offset > next_offset:
                self._batches.append(batch)
            start = end

    def has_next(self) -> bool:
        """Whether a batch is left."""
        return bool(self._batches)

    def next_batch(self) -> _LenientBatch:
        """The next batch, read leniently."""
        return self._batches.popleft()


class _TolerantPartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Fast until a name can't be decoded, lenient from that batch on."""

    _records: Any

    def _unpack_records(self) -> Iterator[Any]:
        fetched = self._records.fetched
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            self._records = _LenientRecords(fetched, self.next_fetch_offset)
            yield from super()._unpack_records()


def read_any_header_name() -> None:
    """Let every consumer of this process read such records, also the one inside Faust."""
    fetcher.MemoryRecords = _KeptRecords
    fetcher.PartitionRecords = _TolerantPartitionRecords

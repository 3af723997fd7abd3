"""The first floor of a payday's cost: the bare COPY of the rows it wrote, into empty tables like those it wrote to."""

from __future__ import annotations

import asyncio
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import IO

from deploy.bench import store_floors
from deploy.bench.costs import POSTGRES, Meter
from deploy.bench.store_floors import Rows
from deploy.cluster import Infrastructure
from shared.runtime.clients import Connection
from shared.runtime.copying import HEADER, TRAILER
from shared.runtime.plane import BYTES_PER_POLL, RECORDS_PER_POLL

_fields = struct.Struct(">h").unpack_from
_length = struct.Struct(">i").unpack_from
END_OF_ROWS = -1


@dataclass
class Recording:
    """The rows of one table as the server sent them, in a file, and where each batch of them ends.

    A batch holds as many rows as a poll of the engine takes records, fewer when they are long.
    """

    table: str
    file: IO[bytes]
    rows: int = 0
    ends: list[int] = field(default_factory=list)
    size: int = 0
    _rest: bytes = b""
    _is_begun: bool = False
    _batch_rows: int = 0
    _batch_began: int = 0

    async def take(self, data: bytes) -> None:
        """Take the next piece of the server's stream; rows may lie across pieces."""
        data = self._rest + data
        at = 0
        if not self._is_begun:
            if len(data) < len(HEADER):
                self._rest = data
                return
            if not data.startswith(HEADER):
                raise ValueError(f"{self.table}: the server's COPY begins in an unknown way")
            at, self._is_begun = len(HEADER), True
        began = at
        while (end := row_end(data, at)) is not None:
            at = end
            self._count_row(self.size + at - began)
        self.file.write(memoryview(data)[began:at])
        self.size += at - began
        self._rest = data[at:]

    def _count_row(self, end: int) -> None:
        self.rows += 1
        self._batch_rows += 1
        if self._batch_rows >= RECORDS_PER_POLL or end - self._batch_began >= BYTES_PER_POLL:
            self.ends.append(end)
            self._batch_rows, self._batch_began = 0, end

    def finish(self) -> None:
        """Close the last batch and have the file on disk, so that nothing of this is left to be done later."""
        if not self._is_begun or self._rest != TRAILER:
            raise ValueError(f"{self.table}: the server's COPY ended in the middle")
        if self._batch_rows:
            self.ends.append(self.size)
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.seek(0)

    def batch(self, number: int) -> bytearray | None:
        """Batch ``number`` as a whole stream, or None after the last; to be asked for in order."""
        if number >= len(self.ends):
            return None
        begin = self.ends[number - 1] if number else 0
        stream = bytearray(HEADER)
        stream += self.file.read(self.ends[number] - begin)
        stream += TRAILER
        return stream


def row_end(data: bytes, at: int) -> int | None:
    """Where the row that begins at ``at`` ends, or None when it is not whole, or the end of the rows."""
    size = len(data)
    if at + 2 > size:
        return None
    (fields,) = _fields(data, at)
    if fields == END_OF_ROWS:
        return None
    at += 2
    for _ in range(fields):
        if at + 4 > size:
            return None
        (length,) = _length(data, at)
        at += 4 + max(length, 0)
    return at if at <= size else None


@dataclass
class Database:
    """One service's rows and the connection they are copied through."""

    connection: Connection
    tables: list[Recording]

    async def record(self, rows: Rows, day: date, file: IO[bytes]) -> None:
        """Read the rows of ``day`` from one table."""
        recording = Recording(rows.table, file)
        await rows.send_to(self.connection, day, recording.take)
        recording.finish()
        self.tables.append(recording)

    async def write(self) -> int:
        """Copy all rows, a batch of each table in one transaction, as polls do; returns how many transactions."""
        number = 0
        while batches := [(one.table, batch) for one in self.tables if (batch := one.batch(number)) is not None]:
            async with self.connection.transaction():
                for table, stream in batches:
                    await store_floors.write_rows(self.connection, table, stream)
            number += 1
        return number

    async def check(self) -> None:
        """Raise ``ValueError`` unless every row arrived."""
        for one in self.tables:
            if (found := await store_floors.count_rows(self.connection, one.table)) != one.rows:
                raise ValueError(f"{found} of {one.rows} rows of {one.table} were copied")


@dataclass(frozen=True, slots=True)
class CopyFloor:
    """What the bare COPY took."""

    seconds: float
    cpu_seconds: dict[str, float]
    """By ``client`` and ``postgres``."""
    transactions: int
    rows: dict[str, int]
    bytes: dict[str, int]
    """By table; bytes as binary COPY has them."""


async def measure_copy(
    cluster: Infrastructure, databases: Mapping[str, Connection], chosen: Mapping[str, Sequence[Rows]], day: date
) -> CopyFloor:
    """Copy the rows of ``day`` in all databases at the same time; only the copying is timed.

    The cluster's folder takes the rows meanwhile. What was made in the databases is removed.
    """
    with ExitStack() as stack:
        opened = {name: Database(connection, []) for name, connection in databases.items()}
        try:
            for name, one in opened.items():
                for rows in chosen[name]:
                    file = stack.enter_context(tempfile.TemporaryFile(dir=cluster.folder))
                    await one.record(rows, day, file)
                await store_floors.make_empty_tables(one.connection, [rows.table for rows in chosen[name]])
            meter = Meter(cluster, POSTGRES)
            with meter.running():
                transactions = await asyncio.gather(*(one.write() for one in opened.values()))
            spent = meter.cpu_seconds()
            for one in opened.values():
                await one.check()
        finally:
            for one in opened.values():
                await store_floors.remove_tables(one.connection)
    tables = {f"{name}.{table.table}": table for name, one in opened.items() for table in one.tables}
    return CopyFloor(
        round(meter.seconds, 3),
        spent,
        sum(transactions),
        {name: table.rows for name, table in tables.items()},
        {name: table.size for name, table in tables.items()},
    )

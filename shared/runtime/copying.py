"""Rows by binary COPY, encoded column by column: half of the fills are arrays, which the client encodes one by one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from shared.runtime.clients import Connection

COLUMN_TYPES = """
SELECT attname, atttypid::regtype::text FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"""

HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)
EPOCH_DAY = date(2000, 1, 1).toordinal()
# The first of all dates (the time before the first cut) is -infinity: the client sends it so in parameters.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TEXT_OID, INT2_OID, INT4_OID, INT8_OID = 25, 21, 23, 20

Column = Callable[[Iterable[Any]], list[bytes]]
_length = _day = struct.Struct(">i").pack
_instant = struct.Struct(">q").pack
_array_head = struct.Struct(">iiiiii").pack
_empty_array = struct.Struct(">iiii").pack


def _fixed(code: str, size: int) -> Column:
    pack = struct.Struct(f">i{code}").pack

    def encode(values: Iterable[Any]) -> list[bytes]:
        return [NULL if value is None else pack(size, value) for value in values]

    return encode


class _Cells(dict[Any, bytes]):
    """Encoded values by value: a batch repeats its dates, plans, kinds and sources many times."""

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        super().__init__({None: NULL})
        self.encode = encode

    def __missing__(self, value: Any) -> bytes:
        payload = self.encode(value)
        cell = self[value] = _length(len(payload)) + payload
        return cell


def _repeated(payload_of: Callable[[Any], bytes]) -> Column:
    def encode(values: Iterable[Any]) -> list[bytes]:
        return list(map(_Cells(payload_of).__getitem__, values))

    return encode


def _each(payload_of: Callable[[Any], bytes]) -> Column:
    def encode(values: Iterable[Any]) -> list[bytes]:
        cells = []
        for value in values:
            if value is None:
                cells.append(NULL)
            else:
                payload = payload_of(value)
                cells.append(_length(len(payload)) + payload)
        return cells

    return encode


def _texts(values: Iterable[Any]) -> list[bytes]:
    """A column of text arrays; their elements repeat within a batch."""
    elements = _Cells(str.encode)
    cells = []
    for array in values:
        if array is None:
            cells.append(NULL)
            continue
        body = b"".join(map(elements.__getitem__, array))
        cells.append(_array_cell(TEXT_OID, len(array), body))
    return cells


def _integers(oid: int, size: int) -> Column:
    """A column of integer arrays: all their elements become bytes at once, and each row gets its slice."""
    element = np.dtype([("size", ">i4"), ("value", f">i{size}")])
    limit = 1 << (8 * size - 1)
    heads = _ArrayHeads(oid, element.itemsize)

    def encode(values: Iterable[Any]) -> list[bytes]:
        arrays = list(values)
        numbers = np.array([*chain.from_iterable(filter(None, arrays))] or [0])
        if numbers.dtype != np.int64:
            raise ValueError("an array of integers holds something else, or a number beyond 64 bits")
        if numbers.min() < -limit or numbers.max() >= limit:
            raise ValueError("a number is too large for its array")
        buffer = np.empty(len(numbers), dtype=element)
        buffer["size"], buffer["value"] = size, numbers
        body, start, cells = buffer.tobytes(), 0, []
        for array in arrays:
            if array is None:
                cells.append(NULL)
                continue
            end = start + len(array) * element.itemsize
            cells.append(heads[len(array)] + body[start:end])
            start = end
        return cells

    return encode


class _ArrayHeads(dict[int, bytes]):
    """What stands before the elements of a one-dimensional array without NULLs, by how many there are."""

    def __init__(self, oid: int, element_bytes: int) -> None:
        super().__init__({0: _empty_array(12, 0, 0, oid)})
        self.oid, self.element_bytes = oid, element_bytes

    def __missing__(self, count: int) -> bytes:
        head = self[count] = _array_head(20 + count * self.element_bytes, 1, 0, self.oid, count, 1)
        return head


def _array_cell(oid: int, count: int, body: bytes) -> bytes:
    if not count:
        return _empty_array(12, 0, 0, oid)
    return _array_head(20 + len(body), 1, 0, oid, count, 1) + body


ENCODERS: dict[str, Column] = {
    "smallint": _fixed("h", 2),
    "integer": _fixed("i", 4),
    "bigint": _fixed("q", 8),
    "boolean": _fixed("?", 1),
    "text": _repeated(str.encode),
    "json": _each(str.encode),
    "jsonb": _each(lambda text: b"\x01" + text.encode()),
    "bytea": _each(bytes),
    '"char"': _repeated(bytes),
    "uuid": _each(lambda value: value.bytes),
    "date": _repeated(lambda day: _day(-(2**31) if day == date.min else day.toordinal() - EPOCH_DAY)),
    "timestamp with time zone": _repeated(lambda instant: _instant((instant - EPOCH) // MICROSECOND)),
    "text[]": _texts,
    "bigint[]": _integers(INT8_OID, 8),
    "integer[]": _integers(INT4_OID, 4),
    "smallint[]": _integers(INT2_OID, 2),
}
"""How the columns of the journals are written; a table with a column of another type is left to the client."""
_types: WeakKeyDictionary[Connection, dict[str, dict[str, str]]] = WeakKeyDictionary()
"""Column types by table, for as long as a connection lives."""


def encode_rows(types: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytearray:
    """The rows as PostgreSQL's binary COPY wants them.

    Raises ``ValueError`` for a value that its column can't hold.
    """
    try:
        columns = [ENCODERS[kind](column) for kind, column in zip(types, zip(*rows, strict=True), strict=True)]
    except (struct.error, OverflowError) as broken:
        raise ValueError(f"a value does not fit its column: {broken}") from broken
    heads = [struct.pack(">h", len(types))] * len(rows)
    stream = bytearray(HEADER)
    stream += b"".join(chain.from_iterable(zip(heads, *columns, strict=True)))
    stream += TRAILER
    return stream


async def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write ``rows`` into ``table`` by COPY; none is no statement."""
    if not rows:
        return
    tables = _types.setdefault(connection, {})
    if table not in tables:
        tables[table] = {row[0]: row[1] for row in await connection.fetch(COLUMN_TYPES, table)}
    types = [tables[table].get(column, "") for column in columns]
    if any(kind not in ENCODERS for kind in types):
        await connection.copy_records_to_table(table, records=rows, columns=columns)
        return
    await connection.copy_to_table(table, source=encode_rows(types, rows), columns=columns, format="binary")

"""Values as PostgreSQL keeps them and as asyncpg hands them over."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from asyncpg.exceptions import DataError
from asyncpg.pgproto.pgproto import UUID

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
"""How -infinity is kept here."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
BEFORE_ALL = -(2**31)
"""How -infinity, the client's ``date.min``, is written in binary."""


class Row(Sequence[Any]):
    """A result row: by position and by name, as asyncpg's Record."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: dict[str, int], values: tuple[Any, ...]) -> None:
        self._names, self._values = names, values

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._names[key]] if isinstance(key, str) else self._values[key]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __repr__(self) -> str:
        return f"<Row {dict(self.items())}>"

    def keys(self) -> Iterator[str]:
        """Column names in order."""
        return iter(self._names)

    def values(self) -> Iterator[Any]:
        """Values in order."""
        return iter(self._values)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pairs in order."""
        return ((name, self._values[position]) for name, position in self._names.items())

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or a default for a column that is not there."""
        return self._values[self._names[name]] if name in self._names else default


def stored_as(kind: str, value: Any) -> Any:
    """A value as a column of this type keeps it. Raises ``DataError`` when it can't."""
    if value is None:
        return None
    if kind.endswith("[]"):
        return list(value)
    convert = KEPT.get(kind)
    return value if convert is None else convert(value)


def _integer(bytes_most: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        number = int(value) if isinstance(value, Decimal) else value
        if not isinstance(number, int) or number.bit_length() >= 8 * bytes_most:
            raise DataError(f"{value!r} is no integer of {bytes_most} bytes")
        return number

    return convert


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise DataError(f"{value!r} is no text")
    return value


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def handed_over(value: Any) -> Any:
    """A value as asyncpg gives it: -infinity is the earliest instant, without a time zone."""
    return EARLIEST.replace(tzinfo=None) if value is EARLIEST else value


def jsonb_text(value: Any) -> str:
    """JSON as jsonb prints it: keys by length and then bytes, one space after each comma and colon."""
    return json.dumps(_sorted(json.loads(value)), ensure_ascii=False)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=lambda key: (len(key.encode()), key.encode()))}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def copied_rows(stream: bytes, kinds: Sequence[str]) -> list[tuple[Any, ...]]:
    """The rows of a binary COPY stream."""
    if stream[:11] != b"PGCOPY\n\xff\r\n\x00":
        raise DataError("this is no binary COPY")
    rows, at = [], 19
    while True:
        (count,) = struct.unpack_from(">h", stream, at)
        at += 2
        if count == -1:
            return rows
        if count != len(kinds):
            raise DataError(f"a row of {count} columns, expected {len(kinds)}")
        row = []
        for kind in kinds:
            (length,) = struct.unpack_from(">i", stream, at)
            at += 4
            row.append(None if length < 0 else decoded(kind, stream[at : at + length]))
            at += max(0, length)
        rows.append(tuple(row))


def decoded(kind: str, cell: bytes) -> Any:
    """One binary value."""
    if kind.endswith("[]"):
        return _array(kind.removesuffix("[]"), cell)
    return DECODERS[kind](bytes(cell))


def _array(kind: str, cell: bytes) -> list[Any]:
    dimensions, _, _ = struct.unpack_from(">iii", cell)
    if not dimensions:
        return []
    (count,) = struct.unpack_from(">i", cell, 12)
    values, at = [], 20
    for _ in range(count):
        (length,) = struct.unpack_from(">i", cell, at)
        at += 4
        values.append(None if length < 0 else decoded(kind, cell[at : at + length]))
        at += max(0, length)
    return values


def _number(code: str) -> Callable[[bytes], Any]:
    return lambda cell: struct.unpack(f">{code}", cell)[0]


def _date(days: int) -> date:
    return date.min if days == BEFORE_ALL else date(2000, 1, 1) + timedelta(days=days)


DECODERS: Mapping[str, Callable[[bytes], Any]] = {
    "smallint": _number("h"),
    "integer": _number("i"),
    "bigint": _number("q"),
    "boolean": _number("?"),
    "text": bytes.decode,
    "json": bytes.decode,
    "jsonb": lambda cell: cell[1:].decode(),
    "bytea": bytes,
    '"char"': bytes,
    "uuid": UUID,
    "date": lambda cell: _date(_number("i")(cell)),
    "timestamp with time zone": lambda cell: EPOCH + timedelta(microseconds=_number("q")(cell)),
}

KEPT: Mapping[str, Callable[[Any], Any]] = {
    "jsonb": jsonb_text,
    "smallint": _integer(2),
    "integer": _integer(4),
    "bigint": _integer(8),
    "uuid": lambda value: value if isinstance(value, UUID) else UUID(value),
    '"char"': _bytes,
    "bytea": _bytes,
    "text": _text,
    "timestamp with time zone": lambda value: EARLIEST if value == "-infinity" else value,
}

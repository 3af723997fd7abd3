"""Rows written by our own binary COPY read back as the client would have written them."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cluster import Infrastructure
from shared.runtime.copying import ENCODERS, copy_rows, encode_rows
from tests.support.cluster import fresh_database

COLUMNS = {
    "small": "smallint", "whole": "integer", "big": "bigint", "yes": "boolean", "word": "text", "plain": "json",
    "document": "jsonb", "raw": "bytea", "letter": '"char"', "name": "uuid", "day": "date",
    "instant": "timestamp with time zone", "words": "text[]", "amounts": "bigint[]", "numbers": "integer[]",
    "buckets": "smallint[]",
}  # fmt: skip
ROWS: list[tuple[Any, ...]] = [
    (
        -1, 2**31 - 1, -(2**63), True, "ünï\n\t\\N", '{"b":1,"a":[2]}', '{"a":1}', b"\x00\xff", b"a", uuid.UUID(int=7),
        date(1999, 12, 31), datetime(2026, 11, 20, 21, 0, 0, 123456, tzinfo=UTC), ["P1", "", "P1", "ö"],
        [1, -1, 2**62], [5], [4095] * 100,
    ),
    (None,) * len(COLUMNS),
    (*(None,) * list(COLUMNS).index("day"), date.min, *(None,) * (len(COLUMNS) - list(COLUMNS).index("day") - 1)),
    (
        0, 0, 0, False, "", "[]", "[]", b"", b"z", uuid.UUID(int=2**128 - 1), date(2400, 2, 29),
        datetime(1970, 1, 1, tzinfo=UTC), [], [], [], [],
    ),
    (
        1, 1, 1, True, "x" * 70_000, "null", "null", b"x" * 70_000, b"-", uuid.UUID(int=0), date(2000, 1, 1),
        datetime(2000, 1, 1, tzinfo=UTC), ["a"] * 500, list(range(-250, 250)), list(range(30)), list(range(24)),
    ),
]  # fmt: skip


async def _table(connection: Any) -> str:
    name = f"copied_{secrets.token_hex(3)}"
    await connection.execute(f"CREATE TABLE {name} ({', '.join(f'{n} {t}' for n, t in COLUMNS.items())})")
    return name


async def test_every_type_reads_back_as_the_client_writes_it(infrastructure: Infrastructure) -> None:
    assert set(COLUMNS.values()) == set(ENCODERS)
    connection = await asyncpg.connect(await fresh_database(infrastructure, "copying"))
    ours, theirs = await _table(connection), await _table(connection)
    await copy_rows(connection, ours, list(COLUMNS), ROWS)
    await connection.copy_records_to_table(theirs, records=ROWS, columns=list(COLUMNS))
    read = [await connection.fetch(f"SELECT t::text FROM {table} AS t") for table in (ours, theirs)]
    assert len(read[0]) == len(ROWS)
    assert read[0] == read[1]
    await connection.close()


async def test_a_table_with_a_type_we_do_not_write_is_left_to_the_client(infrastructure: Infrastructure) -> None:
    connection = await asyncpg.connect(await fresh_database(infrastructure, "copying"))
    await connection.execute("CREATE TABLE odd (n numeric, t text)")
    await copy_rows(connection, "odd", ["n", "t"], [(5, "five")])
    assert await connection.fetchval("SELECT n || t FROM odd") == "5five"
    await connection.close()


async def test_no_row_is_no_statement(infrastructure: Infrastructure) -> None:
    connection = await asyncpg.connect(await fresh_database(infrastructure, "copying"))
    await copy_rows(connection, "there_is_no_such_table", ["a"], [])
    await connection.close()


@pytest.mark.parametrize(("kind", "value"), [("bigint", 2**63), ("smallint", 40_000), ("bigint[]", [2**63]),
                                             ("bigint[]", [2**63] * 50), ("integer[]", [2**40]),
                                             ("integer[]", [2**31] * 50), ("smallint[]", [-40_000] * 50),
                                             ("bigint[]", [0.5] * 50), ("bigint[]", [0.5])])  # fmt: skip
def test_a_number_too_large_for_its_column_is_a_value_error(kind: str, value: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        encode_rows([kind], [(value,)])


@given(st.lists(st.integers(-(2**15), 2**15 - 1), max_size=60))
def test_short_and_long_arrays_are_encoded_alike(values: list[int]) -> None:
    once = encode_rows(["smallint[]"], [(values,)])
    assert once == encode_rows(["smallint[]"], [(tuple(values),)])
    assert b"".join(v.to_bytes(2, "big", signed=True) for v in values) == b"".join(
        bytes(once[21 + 20 + 4 + 6 * n + 4 : 21 + 20 + 4 + 6 * n + 6]) for n in range(len(values))
    )

"""Arrays reach the database as they are, whatever is narrowed in the driver's checks."""

from __future__ import annotations

from datetime import date
from typing import Any

from shared.runtime.clients import connect
from shared.runtime.settings import Settings


async def test_arrays_of_every_kind_arrive_unchanged(infrastructure: Any) -> None:
    config = Settings(DATABASE_URL=infrastructure.server_url)
    connection = await connect("postgres", config)
    try:
        for kind, values in (
            ("bigint[]", [1, -(2**62), 0]),
            ("text[]", ["a", "", 'ä,{}"\\']),
            ("date[]", [date(2026, 11, 20), None]),
            ("bytea[]", [b"\x00\xff", b""]),
            ("jsonb[]", ['{"a": [1]}', None]),
            ("bigint[]", []),
            ("bigint[]", [[1, 2], [3, 4]]),
        ):
            assert await connection.fetchval(f"SELECT $1::{kind}", values) == values
    finally:
        await connection.close()

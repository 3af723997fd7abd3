"""What a simulated run did to the twin of PostgreSQL, done again to a real server, answer by answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import asyncpg
import orjson

STATEMENT_TIMEOUT_MS = 5_000
"""A statement of the replay that has to wait for another is a difference: the twin let it through."""


class Replay:
    """One service's database on a real server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections: dict[int, asyncpg.Connection] = {}
        self.depth: dict[int, int] = {}
        self.differences: list[str] = []
        self.compared = 0

    async def run(self, trace: list[Any], service: str) -> None:
        """Do everything in the order in which the twin finished it."""
        try:
            for pid, owner, operation, sql, arguments, result in trace:
                if owner == service and len(self.differences) < 5:
                    await self._step(pid, operation, sql, arguments, result)
        finally:
            for connection in self.connections.values():
                connection.terminate()

    async def _connection(self, pid: int) -> asyncpg.Connection:
        if pid not in self.connections:
            self.connections[pid] = await asyncpg.connect(
                self.url,
                server_settings={"statement_timeout": str(STATEMENT_TIMEOUT_MS), "timezone": "UTC", "jit": "off"},
                statement_cache_size=200,
            )
        return self.connections[pid]

    async def _step(self, pid: int, operation: str, sql: str, arguments: Any, result: Any) -> None:
        if operation == "close":
            gone = self.connections.pop(pid, None)
            self.depth.pop(pid, None)
            if gone is not None:
                await gone.close()
            return
        connection = await self._connection(pid)
        if operation == "copy":
            columns, rows = arguments
            await connection.copy_records_to_table(sql, records=rows, columns=columns)
        elif operation == "run":
            await self._compare(connection, sql, arguments, result)
        else:
            await self._turn(connection, pid, operation)

    async def _turn(self, connection: asyncpg.Connection, pid: int, operation: str) -> None:
        """BEGIN, COMMIT and ROLLBACK, or the same for a savepoint."""
        depth = self.depth.get(pid, 0)
        inner = depth if operation == "begin" else depth - 1
        outer = {"begin": "BEGIN", "commit": "COMMIT", "rollback": "ROLLBACK"}
        nested = {
            "begin": f"SAVEPOINT s{inner}",
            "commit": f"RELEASE SAVEPOINT s{inner}",
            "rollback": f"ROLLBACK TO SAVEPOINT s{inner}",
        }
        await connection.execute(outer[operation] if inner <= 0 else nested[operation])
        self.depth[pid] = depth + 1 if operation == "begin" else max(0, depth - 1)

    async def _compare(self, connection: asyncpg.Connection, sql: str, arguments: Any, expected: Any) -> None:
        self.compared += 1
        try:
            statement = await connection.prepare(sql)
            rows = [tuple(row) for row in await statement.fetch(*arguments)]
            status = statement.get_statusmsg()
        except asyncpg.PostgresError as refused:
            if not (isinstance(expected, type) and isinstance(refused, expected)):
                self.differences.append(f"{sql}\n with {arguments!r}\n real: {refused!r}\n twin: {expected!r}")
            return
        if isinstance(expected, type):
            self.differences.append(f"{sql}\n with {arguments!r}\n real: {status}\n twin: an error")
            return
        is_ordered = "ORDER BY" in sql.upper()
        mine, theirs = _canonical(expected.rows, is_ordered), _canonical(rows, is_ordered)
        if mine != theirs or (expected.status != status and not sql.lstrip().upper().startswith("SELECT")):
            self.differences.append(
                f"{sql}\n with {arguments!r}\n real: {status} {theirs!r}\n twin: {expected.status} {mine!r}"
            )


def _canonical(rows: Any, is_ordered: bool) -> list[Any]:
    plain = [tuple(_plain(value) for value in row) for row in rows]
    return plain if is_ordered else sorted(plain, key=repr)


def _plain(value: Any) -> Any:
    """Values whose text may differ while they are the same: JSON, numbers, identifiers."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return orjson.dumps(orjson.loads(value), option=orjson.OPT_SORT_KEYS).decode()
        except orjson.JSONDecodeError:
            return value
    if isinstance(value, Decimal):
        return ("numeric", str(value.normalize()))
    convert: Callable[[Any], Any] | None = {"UUID": str, "Row": tuple}.get(type(value).__name__)
    return convert(value) if convert is not None else value


def service_trace(trace: list[Any], service: str) -> list[Any]:
    """The part of a trace that one service's database saw."""
    return [one for one in trace if one[1] == service]

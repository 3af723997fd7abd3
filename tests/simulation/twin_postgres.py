"""asyncpg's surface over the twin of PostgreSQL: connections, transactions, COPY, notifications, a pool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any
from urllib.parse import urlsplit

from asyncpg.exceptions import (
    ConnectionDoesNotExistError,
    DeadlockDetectedError,
    InFailedSQLTransactionError,
    InterfaceError,
    LockNotAvailableError,
    PostgresError,
)

from shared.runtime.copying import COLUMN_TYPES
from shared.runtime.lanes import FREE_BLOCKERS
from tests.simulation.loop import ACTOR
from tests.simulation.store import Blocked, Database, Session
from tests.simulation.store_values import Row, copied_rows
from tests.simulation.world import World

NOTHING: Any = object()


class Postgres:
    """One server with the services' databases."""

    def __init__(self, world: World, services: Sequence[str]) -> None:
        self.world = world
        self.databases = {f"nestwork_{name}": Database(name, world.loop.wall_clock) for name in services}
        self.connections: list[TwinConnection] = []
        self.log: list[tuple[int, str, str, str, tuple[Any, ...], Any]] | None = None
        """(session, database, operation, SQL, arguments, result) of everything that was done, when it is kept."""

    async def connect(self, url: str, **options: Any) -> TwinConnection:
        """A new connection."""
        database = self.databases[urlsplit(url).path.removeprefix("/")]
        if (await self.world.before("database", "connect")).startswith("cut"):
            raise ConnectionRefusedError("no connection could be made")
        server = options.get("server_settings", {})
        connection = TwinConnection(self, database.open(self.world.next_pid()), server)
        self.connections.append(connection)
        return connection

    async def create_pool(self, url: str, **_options: Any) -> TwinPool:
        """A pool; it opens a connection whenever one is wanted."""
        return TwinPool(self, url)

    def restart(self) -> None:
        """All sessions end; what was not committed never was."""
        for connection in list(self.connections):
            connection.drop()

    def forget(self, actor: str) -> None:
        """A process is gone: its sockets close, the server ends its transactions."""
        for connection in [one for one in self.connections if one.actor == actor]:
            connection.drop()

    def note(self, session: Session, operation: str, sql: str, arguments: tuple[Any, ...], result: Any) -> None:
        """Keep what was done, for a replay on a real server."""
        if self.log is not None:
            self.log.append((session.pid, session.database.service, operation, sql, arguments, result))


class NoTransport:
    """Where a connection is asked for its socket."""

    def get_extra_info(self, _name: str) -> None:
        """There is none, and no network that could be silent."""


class TwinConnection:
    """What the project uses of ``asyncpg.Connection``."""

    _transport = NoTransport()

    def __init__(self, server: Postgres, session: Session, settings: dict[str, str]) -> None:
        self.server, self.session, self.world = server, session, server.world
        self.lock_seconds = float(settings.get("lock_timeout", "0")) / 1000 or 1e9
        self.idle_seconds = float(settings.get("idle_in_transaction_session_timeout", "0")) / 1000
        self.actor = ACTOR.get()
        self.is_gone = False
        self.used = 0
        self.heard: list[Callable[[str], None]] = []

    # -- life ------------------------------------------------------------------------------------------------------

    def is_closed(self) -> bool:
        """True once the connection is known to be gone."""
        return self.is_gone

    def terminate(self) -> None:
        """Drop the connection; the server ends its transaction."""
        self.drop()

    async def close(self) -> None:
        """The same, politely."""
        self.drop()

    def drop(self) -> None:
        """End the session, at the server and here."""
        if self.is_gone:
            return
        self.is_gone = True
        self.server.note(self.session, "close", "", (), None)
        self.session.close()
        for listener in self.heard:
            with contextlib.suppress(ValueError):
                self.session.database.listeners.remove(listener)
        if self in self.server.connections:
            self.server.connections.remove(self)

    def get_server_pid(self) -> int:
        """The session's number."""
        return self.session.pid

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """Hear notifications, a little later than they were made."""
        context = copy_context()

        def deliver() -> None:
            if not self.is_gone:
                callback(self, self.session.pid, channel, "")

        def heard(said: str) -> None:
            if said == channel and not self.is_gone:
                self.world.loop.call_later(self.world.chance.uniform(0.0002, 0.01), deliver, context=context)

        await self._ask("LISTEN", lambda: None)
        self.heard.append(heard)
        self.session.database.listeners.append(heard)

    # -- statements ------------------------------------------------------------------------------------------------

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows."""
        names, rows, _ = await self._statement(sql, arguments)
        positions = {name: position for position, name in enumerate(names)}
        return [Row(positions, tuple(row)) for row in rows]

    async def fetchrow(self, sql: str, *arguments: Any) -> Row | None:
        """The first row."""
        rows = await self.fetch(sql, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *arguments: Any, column: int = 0) -> Any:
        """One value of the first row."""
        row = await self.fetchrow(sql, *arguments)
        return None if row is None else row[column]

    async def execute(self, sql: str, *arguments: Any) -> str:
        """The status."""
        return str((await self._statement(sql, arguments))[2])

    async def copy_records_to_table(self, table: str, *, records: Any, columns: Sequence[str]) -> str:
        """COPY of Python rows."""
        rows = [tuple(record) for record in records]
        return await self._copy(table, list(columns), rows)

    async def copy_to_table(self, table: str, *, source: Any, columns: Sequence[str], format: str) -> str:
        """COPY of rows in PostgreSQL's binary form."""
        types = self.session.database.schemas[table].types
        return await self._copy(table, list(columns), copied_rows(bytes(source), [types[name] for name in columns]))

    async def _copy(self, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> str:
        count = await self._ask("COPY", lambda: self.session.copy_in(table, columns, rows))
        self.server.note(self.session, "copy", table, (columns, rows), None)
        return f"COPY {count}"

    async def _statement(self, sql: str, arguments: tuple[Any, ...]) -> Any:
        if sql == COLUMN_TYPES:
            types = self.session.database.schemas[arguments[0]].types
            return ["attname", "format_type"], list(types.items()), "SELECT"
        if sql == FREE_BLOCKERS:
            return await self._ask("FREE", lambda: self._free(arguments[0]))
        answer = await self._ask(
            sql.strip().split("\n")[0], lambda: self.session.run(sql, arguments), ("run", sql, arguments)
        )
        return answer

    def _free(self, pid: int) -> Any:
        """Terminate whoever blocks the session ``pid``."""
        blocked = next((one for one in self.session.database.sessions if one.pid == pid), None)
        holder = blocked.blocked_by if blocked is not None else None
        if holder is not None:
            for connection in list(self.server.connections):
                if connection.session is holder:
                    self.world.tell(f"ends the session {holder.pid} that blocks {pid}")
                    connection.drop()
        return [], [], "SELECT 1"

    async def _ask(self, what: str, act: Callable[[], Any], noted: Any = None) -> Any:
        self._must_be_open()
        outcome = await self.world.before("database", what)
        self._must_be_open()
        kind = outcome.partition(":")[0]
        if kind == "cut":
            self.drop()
            raise ConnectionResetError("the connection was cut")
        try:
            result = await self._unblocked(act)
        except PostgresError:
            self.session.has_failed = self.session.in_transaction
            if noted is not None:
                self.server.note(self.session, *noted, PostgresError)
            raise
        if noted is not None:
            self.server.note(self.session, *noted, result)
        self._watch_idleness()
        if kind == "cut_after":
            self.drop()
            raise ConnectionDoesNotExistError("connection was closed in the middle of operation")
        await self.world.after(outcome)
        return result

    def _must_be_open(self) -> None:
        if self.is_gone:
            raise ConnectionDoesNotExistError("the connection is closed")
        if self.session.has_failed:
            self._refuse_in_failed()

    def _refuse_in_failed(self) -> None:
        raise InFailedSQLTransactionError("current transaction is aborted")

    async def _unblocked(self, act: Callable[[], Any]) -> Any:
        """Run it, waiting for other transactions as long as the lock timeout allows."""
        deadline = self.world.loop.time() + self.lock_seconds
        while True:
            try:
                return act()
            except Blocked as blocked:
                await self._wait_for(blocked.holder, deadline)

    async def _wait_for(self, holder: Session, deadline: float) -> None:
        session = self.session
        session.blocked_by = holder
        follow: Session | None = holder
        while follow is not None:
            if follow is session:
                session.blocked_by = None
                raise DeadlockDetectedError("deadlock detected")
            follow = follow.blocked_by
        freed = self.world.loop.create_future()
        holder.waiters.append(lambda: freed.done() or freed.set_result(None))
        try:
            await asyncio.wait_for(freed, max(0.0, deadline - self.world.loop.time()))
        except TimeoutError:
            raise LockNotAvailableError("canceling statement due to lock timeout") from None
        finally:
            session.blocked_by = None
        if self.is_gone:
            raise ConnectionDoesNotExistError("the connection was ended while it waited")

    def _watch_idleness(self) -> None:
        """The server ends a transaction whose client says nothing."""
        self.used += 1
        if self.session.in_transaction and self.idle_seconds:
            self.world.later(self.idle_seconds, self._end_idle, self.used)

    def _end_idle(self, used: int) -> None:
        if self.used == used and not self.is_gone and self.session.in_transaction and self.session.blocked_by is None:
            self.drop()

    # -- transactions ------------------------------------------------------------------------------------------------

    def transaction(self, **_options: Any) -> TwinTransaction:
        """A transaction, or a savepoint inside one."""
        return TwinTransaction(self)


class TwinTransaction:
    """What the project uses of ``asyncpg.transaction.Transaction``."""

    def __init__(self, connection: TwinConnection) -> None:
        self.connection = connection

    async def start(self) -> None:
        """BEGIN."""
        session = self.connection.session
        await self.connection._ask("BEGIN", session.begin, ("begin", "", ()))

    async def commit(self) -> None:
        """COMMIT, whose reply may be lost."""
        session = self.connection.session
        await self.connection._ask("COMMIT", session.commit, ("commit", "", ()))

    async def rollback(self) -> None:
        """ROLLBACK, also of a transaction that failed."""
        connection = self.connection
        if connection.is_gone:
            raise InterfaceError("the connection is closed")
        connection.session.has_failed = False
        await connection._ask("ROLLBACK", connection.session.rollback, ("rollback", "", ()))

    async def __aenter__(self) -> TwinTransaction:
        await self.start()
        return self

    async def __aexit__(self, kind: Any, failure: Any, trace: Any) -> None:
        if kind is None:
            await self.commit()
        else:
            await self.rollback()


class TwinPool:
    """What the project uses of ``asyncpg.Pool``."""

    def __init__(self, server: Postgres, url: str) -> None:
        self.server, self.url = server, url
        self.idle: list[TwinConnection] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[TwinConnection]:
        """A connection for a while."""
        while self.idle and self.idle[-1].is_closed():
            self.idle.pop()
        connection = self.idle.pop() if self.idle else await self.server.connect(self.url)
        yield connection
        if not connection.is_closed():
            self.idle.append(connection)

    def terminate(self) -> None:
        """Drop what is idle."""
        for connection in self.idle:
            connection.drop()

"""The twin of a PostgreSQL database: read committed, row locks, savepoints, notifications; nothing of the wire.

A statement runs at one instant. It sees what is committed and what its own transaction wrote; a row that another
transaction has written or locked makes it wait for that transaction's end, and then run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from asyncpg.exceptions import (
    CheckViolationError,
    ForeignKeyViolationError,
    NotNullViolationError,
    UniqueViolationError,
)

from tests.simulation.store_expressions import Environment
from tests.simulation.store_schema import Schema, Unique, schemas_of
from tests.simulation.store_statements import Answer, Conflict, statement_of
from tests.simulation.store_values import handed_over

Place = tuple[str, int]


class StoredRow(dict[str, Any]):
    """A row with its place in its table; never changed, only replaced."""

    __slots__ = ("place",)

    def __init__(self, values: dict[str, Any], place: Place) -> None:
        super().__init__(values)
        self.place = place


class Blocked(Exception):
    """The statement has to wait for another transaction."""

    def __init__(self, holder: Session) -> None:
        super().__init__(f"waits for {holder.pid}")
        self.holder = holder


class Database:
    """One service's database."""

    def __init__(self, service: str, clock: Callable[[], float]) -> None:
        self.service, self.clock = service, clock
        self.schemas = schemas_of(service)
        self.tables: dict[str, dict[int, StoredRow]] = {name: {} for name in self.schemas}
        self.keys: dict[str, dict[tuple[Any, ...], int]] = {
            unique.name: {} for schema in self.schemas.values() for unique in schema.uniques
        }
        self.identities: dict[str, int] = {}
        self.last_row = 0
        self.sessions: list[Session] = []
        self.locks: dict[Place, Session] = {}
        self.listeners: list[Callable[[str], None]] = []

    def open(self, pid: int) -> Session:
        """A new session."""
        session = Session(self, pid)
        self.sessions.append(session)
        return session

    def next_row(self) -> int:
        """A place for a new row."""
        self.last_row += 1
        return self.last_row

    def index(self, schema: Schema, row: StoredRow, *, add: bool) -> None:
        """Keep the unique keys of committed rows."""
        for unique in schema.uniques:
            key = key_of(unique, schema, row)
            if key is None:
                continue
            if add:
                self.keys[unique.name][key] = row.place[1]
            elif self.keys[unique.name].get(key) == row.place[1]:
                del self.keys[unique.name][key]


def key_of(unique: Unique, schema: Schema, row: dict[str, Any]) -> tuple[Any, ...] | None:
    """The row's key in an index; ``None`` when a part is null, since nulls never collide."""
    key = tuple(part({schema.name: row}) for part in unique.expressions)
    return None if None in key else key


class Session:
    """What one connection does: at most one transaction at a time."""

    def __init__(self, database: Database, pid: int) -> None:
        self.database, self.pid = database, pid
        self.in_transaction = self.has_failed = False
        self.written: dict[str, dict[int, StoredRow | None]] = {}
        self.savepoints: list[dict[str, dict[int, StoredRow | None]]] = []
        self.held: set[Place] = set()
        self.said: list[str] = []
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.waiters: list[Callable[[], None]] = []
        self.blocked_by: Session | None = None

    # -- transactions ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """BEGIN, or a savepoint inside a transaction."""
        if self.in_transaction:
            self.savepoints.append(self._copied())
        self.in_transaction = True

    def commit(self) -> None:
        """Release the newest savepoint, or make everything true."""
        if self.savepoints:
            self.savepoints.pop()
            return
        database = self.database
        for name, rows in self.written.items():
            schema, table = database.schemas[name], database.tables[name]
            for number, row in rows.items():
                if number in table:
                    database.index(schema, table[number], add=False)
                if row is None:
                    table.pop(number, None)
                else:
                    table[number] = row
                    database.index(schema, row, add=True)
        said = list(dict.fromkeys(self.said))
        self._end()
        for channel in said:
            for listener in list(database.listeners):
                listener(channel)

    def rollback(self) -> None:
        """Back to the newest savepoint, or to the beginning."""
        self.has_failed = False
        if self.savepoints:
            self.written = self.savepoints.pop()
            return
        self._end()

    def close(self) -> None:
        """End the session; what was not committed never was."""
        self.savepoints.clear()
        self._end()
        if self in self.database.sessions:
            self.database.sessions.remove(self)

    def _end(self) -> None:
        self.in_transaction = self.has_failed = False
        self.written, self.said = {}, []
        for place in self.held:
            self.database.locks.pop(place, None)
        self.held = set()
        waiting, self.waiters = self.waiters, []
        for wake in waiting:
            wake()

    def _copied(self) -> dict[str, dict[int, StoredRow | None]]:
        return {name: dict(rows) for name, rows in self.written.items()}

    # -- statements ------------------------------------------------------------------------------------------------

    def run(self, sql: str, parameters: tuple[Any, ...]) -> Answer:
        """Execute a statement; raises ``Blocked`` when it has to wait, having done nothing."""
        names, rows, status = self._whole(
            lambda: statement_of(self.database.service, sql)({"$": parameters, "!": self})
        )
        return Answer(names, [tuple(map(handed_over, row)) for row in rows], status)

    def copy_in(self, table: str, columns: list[str], rows: Iterable[tuple[Any, ...]]) -> int:
        """COPY: all rows or none."""
        schema = self.database.schemas[table]

        def write() -> Answer:
            count = 0
            for values in rows:
                row = {name: default({"!": self}) for name, default in schema.defaults.items()}
                if schema.identity is not None:
                    row[schema.identity] = self.next_identity(table)
                row |= dict(zip(columns, values, strict=True))
                self.insert(schema, dict.fromkeys(schema.columns) | row, None, {})
                count += 1
            return Answer([], [], f"COPY {count}")

        return int(self._whole(write).status.split()[1])

    def _whole(self, act: Callable[[], Answer]) -> Answer:
        before, held, said = self._copied(), set(self.held), list(self.said)
        alone = not self.in_transaction
        try:
            answer = act()
        except BaseException:
            self.written, self.said = before, said
            for place in self.held - held:
                self.database.locks.pop(place, None)
            self.held = held
            raise
        if alone:
            self.commit()
        return answer

    def rows(self, name: str) -> list[StoredRow]:
        """The table as this session sees it."""
        table, mine = self.database.tables[name], self.written.get(name)
        if not mine:
            return list(table.values())
        seen = [row for number, stored in table.items() if (row := mine.get(number, stored)) is not None]
        return seen + [row for number, row in mine.items() if row is not None and number not in table]

    def lock(self, *rows: dict[str, Any]) -> None:
        """Take row locks in the order given, all or none."""
        places = [row.place for row in rows if isinstance(row, StoredRow)]
        for place in places:
            holder = self.database.locks.get(place)
            if holder is not None and holder is not self:
                raise Blocked(holder)
        for place in places:
            self.database.locks[place] = self
            self.held.add(place)

    def insert(
        self, schema: Schema, row: dict[str, Any], conflict: Conflict | None, env: Environment
    ) -> StoredRow | None:
        """Write a new row, or solve its conflict; ``None`` when nothing was done."""
        new = StoredRow(schema.coerced(row), (schema.name, self.database.next_row()))
        self._check(schema, new)
        for unique in schema.uniques:
            other = self._other(schema, unique, new)
            if other is None:
                continue
            if conflict is None or (conflict.columns and conflict.columns != frozenset(unique.columns)):
                raise UniqueViolationError(f"duplicate key value violates unique constraint {unique.name}")
            if conflict.changes is None:
                return None  # DO NOTHING does not wait for a row that is only locked.
            self.lock(other)
            both = {**env, schema.name: other, "excluded": new}
            if conflict.where is not None and conflict.where(both) is not True:
                return None
            return self.update(schema, other, conflict.changes(both))
        for name, column, table, key in schema.references:
            if new[column] is not None and not any(one[key] == new[column] for one in self.rows(table)):
                raise ForeignKeyViolationError(f"insert violates foreign key constraint {name}")
        self._write(new)
        return new

    def update(self, schema: Schema, row: StoredRow, changes: dict[str, Any]) -> StoredRow:
        """Replace a row that is locked."""
        self.lock(row)
        new = StoredRow({**row, **schema.coerced(changes)}, row.place)
        self._check(schema, new)
        for unique in schema.uniques:
            if self._other(schema, unique, new) is not None:
                raise UniqueViolationError(f"duplicate key value violates unique constraint {unique.name}")
        self._write(new)
        return new

    def delete(self, row: StoredRow) -> None:
        """Remove a row that is locked."""
        self.written.setdefault(row.place[0], {})[row.place[1]] = None

    def _write(self, row: StoredRow) -> None:
        self.written.setdefault(row.place[0], {})[row.place[1]] = row
        self.database.locks[row.place] = self
        self.held.add(row.place)

    def _other(self, schema: Schema, unique: Unique, new: StoredRow) -> StoredRow | None:
        """Another row with the same key; waits for a transaction that may be about to make or unmake one."""
        key = key_of(unique, schema, new)
        if key is None:
            return None
        for session in self.database.sessions:
            for row in session.written.get(schema.name, {}).values():
                if row is not None and row.place != new.place and key_of(unique, schema, row) == key:
                    if session is self:
                        return row
                    raise Blocked(session)
        number = self.database.keys[unique.name].get(key)
        if number is None or number == new.place[1]:
            return None
        if number in self.written.get(schema.name, {}):
            return None  # Deleted, or moved to another key, by this transaction.
        holder = self.database.locks.get((schema.name, number))
        if holder is not None and holder is not self and number in holder.written.get(schema.name, {}):
            raise Blocked(holder)
        return self.database.tables[schema.name][number]

    def _check(self, schema: Schema, row: StoredRow) -> None:
        for name in schema.required:
            if row[name] is None:
                raise NotNullViolationError(f"null value in column {name} of {schema.name}")
        for name, check in schema.checks:
            if check({schema.name: row, "!": self}) is False:
                raise CheckViolationError(f"new row for {schema.name} violates check constraint {name}")

    # -- functions ---------------------------------------------------------------------------------------------------

    def notify(self, channel: str, _payload: str) -> None:
        """Tell listeners, once this transaction is committed."""
        self.said.append(channel)

    def now(self) -> datetime:
        """The twin's clock."""
        return datetime.fromtimestamp(self.database.clock(), UTC)

    def next_identity(self, table: str) -> int:
        """Identities grow whatever becomes of the transaction."""
        self.database.identities[table] = following = self.database.identities.get(table, 0) + 1
        return following

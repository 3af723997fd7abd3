"""The four services' databases, opened for reading only: each as of one moment, none can be changed by accident."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from shared.runtime.clients import Connection, connect
from shared.runtime.settings import Settings

SERVICES = ("contribution", "allocation", "trading", "valuation")
QUERY_SECONDS = 3_600.0
"""A proof may read years of books; nobody waits behind it, because it locks nothing."""
ROWS_PER_FETCH = 5_000


@dataclass(frozen=True, slots=True)
class Book:
    """One service's database."""

    service: str
    connection: Connection

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        """All rows of a query."""
        found: list[Any] = await self.connection.fetch(statement, *arguments, timeout=QUERY_SECONDS)
        return found

    async def row(self, statement: str, *arguments: Any) -> Any:
        """The first row of a query, or None."""
        return await self.connection.fetchrow(statement, *arguments, timeout=QUERY_SECONDS)

    async def value(self, statement: str, *arguments: Any) -> Any:
        """The first value of a query."""
        return await self.connection.fetchval(statement, *arguments, timeout=QUERY_SECONDS)

    async def whole(self, statement: str, *arguments: Any) -> int:
        """The first value of a query as a whole number; nothing counts as 0."""
        return int(await self.value(statement, *arguments) or 0)

    async def stream(self, statement: str, *arguments: Any) -> AsyncIterator[list[Any]]:
        """The rows of a query in portions, so that memory stays small whatever the size of the books."""
        cursor = await self.connection.cursor(statement, *arguments, timeout=QUERY_SECONDS)
        while portion := await cursor.fetch(ROWS_PER_FETCH, timeout=QUERY_SECONDS):
            yield portion


@dataclass(frozen=True, slots=True)
class Books:
    """All four."""

    contribution: Book
    allocation: Book
    trading: Book
    valuation: Book

    def all(self) -> tuple[Book, ...]:
        """In the order the money takes."""
        return self.contribution, self.allocation, self.trading, self.valuation


@asynccontextmanager
async def open_books(config: Settings) -> AsyncIterator[Books]:
    """Open the four databases in read-only snapshots, closed when the block ends."""
    async with AsyncExitStack() as stack:
        books = []
        for service in SERVICES:
            connection = await connect(
                f"nestwork_{service}", config, transaction_timeout="0", idle_in_transaction_session_timeout="0"
            )
            stack.push_async_callback(connection.close)
            await stack.enter_async_context(connection.transaction(isolation="repeatable_read", readonly=True))
            books.append(Book(service, connection))
        yield Books(*books)

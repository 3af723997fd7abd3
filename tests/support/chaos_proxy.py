"""A TCP proxy before PostgreSQL that loses the reply of a COMMIT, or the COMMIT itself; or lets nothing pass."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable
from typing import Self

COMMIT = b"COMMIT;\x00"
READ_BYTES = 65_536


TO, FROM = "to", "from"
"""Directions, as the client sees them."""


class LossyProxy:
    """Forwards connections; of one database's commits, every ``every``-th ends with a cut connection.

    Without a ``database`` it is the commits of every service.

    Half of the losses happen after the server has committed (only the reply is lost), half before it heard of it. The
    client can't tell which.
    """

    def __init__(self, database: str = "", every: int = 4) -> None:
        self.database, self.every = database, every
        self.target: Callable[[], tuple[str, int]] = lambda: ("127.0.0.1", 5432)
        """Host and port of the server itself, asked for at each connection."""
        self.is_losing = False
        """Off until the cluster runs: migrations have nobody to try again."""
        self.commits = 0
        self.replies_lost = 0
        self.commits_lost = 0
        self.delay = 0.0
        """Seconds that each piece of an answer is late."""
        self._open = {TO: asyncio.Event(), FROM: asyncio.Event()}
        self.unclog()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def port(self) -> int:
        """Where the proxy listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The server's URL by way of this proxy."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def clog(self, *directions: str) -> None:
        """Let nothing pass in these directions; connections stay open."""
        for direction in directions:
            self._open[direction].clear()

    def unclog(self) -> None:
        """Let everything pass, also what waited."""
        for event in self._open.values():
            event.set()

    def reset(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._carry(reader, writer)
        writer.transport.abort()
        self._writers.discard(writer)
        self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self.target())
        try:
            hello = await self._hello(reader, writer)
            server_writer.write(hello)
            named = self.database.encode() + b"\x00" if self.database else b"nestwork_"
            is_watched = b"database\x00" + named in hello
            replies = asyncio.create_task(self._copy(server_reader, writer))
            try:
                await self._copy_until_loss(reader, server_reader, server_writer, replies, is_watched=is_watched)
            finally:
                replies.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await replies
        finally:
            server_writer.transport.abort()

    async def _hello(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The start-up message; a question for TLS before it is answered with no."""
        while True:
            (length,) = struct.unpack("!I", size := await reader.readexactly(4))
            rest = await reader.readexactly(length - 4)
            if length != 8:
                return size + rest
            writer.write(b"N")

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while sent := await reader.read(READ_BYTES):
                await asyncio.sleep(self.delay)
                await self._open[FROM].wait()
                writer.write(sent)
                await writer.drain()
        writer.close()  # Also when the server's end was torn off: a client that hears nothing would wait for long.

    async def _copy_until_loss(
        self,
        reader: asyncio.StreamReader,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        replies: asyncio.Task[None],
        *,
        is_watched: bool,
    ) -> None:
        while sent := await reader.read(READ_BYTES):
            await self._open[TO].wait()
            if is_watched and self.is_losing and sent.endswith(COMMIT):
                self.commits += 1
                if self.commits % self.every == 0:
                    await self._lose(sent, server_reader, server_writer, replies)
                    return
            server_writer.write(sent)
            await server_writer.drain()

    async def _lose(
        self,
        commit: bytes,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        replies: asyncio.Task[None],
    ) -> None:
        if (self.replies_lost + self.commits_lost) % 2:
            self.commits_lost += 1
            return
        replies.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await replies
        server_writer.write(commit)
        await server_writer.drain()
        await server_reader.read(1)  # The server has answered, so the transaction is committed.
        self.replies_lost += 1

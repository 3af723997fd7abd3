"""A TCP proxy that tests cut, slow down and reset, in one direction or both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

READ_BYTES = 65_536
TO, FROM = "to", "from"
"""Directions, as the client sees them."""


class Pipe:
    """Forwards connections to one server, as long as it is let."""

    def __init__(self) -> None:
        self.target: Callable[[], tuple[str, int]] = lambda: ("127.0.0.1", 0)
        """Host and port of the server itself, asked for at each connection."""
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
            replies = asyncio.create_task(self._copy(server_reader, writer))
            try:
                await self._ask(reader, writer, server_reader, server_writer, replies)
            finally:
                replies.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await replies
        finally:
            server_writer.transport.abort()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        _writer: asyncio.StreamWriter,
        _server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        _replies: asyncio.Task[None],
    ) -> None:
        """Carry what the client says, until it has said all."""
        while sent := await reader.read(READ_BYTES):
            await self._open[TO].wait()
            server_writer.write(sent)
            await server_writer.drain()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while sent := await reader.read(READ_BYTES):
                await asyncio.sleep(self.delay)
                await self._open[FROM].wait()
                writer.write(sent)
                await writer.drain()
        writer.close()  # Also when the server's end was torn off: a client that hears nothing would wait for long.

"""A TCP proxy before PostgreSQL that loses the reply of a COMMIT, or the COMMIT itself; or lets nothing pass."""

from __future__ import annotations

import asyncio
import contextlib
import struct

from tests.support.chaos_pipe import READ_BYTES, TO, Pipe

COMMIT = b"COMMIT;\x00"


class LossyProxy(Pipe):
    """Forwards connections; of one database's commits, every ``every``-th ends with a cut connection.

    Without a ``database`` it is the commits of every service.

    Half of the losses happen after the server has committed (only the reply is lost), half before it heard of it. The
    client can't tell which.
    """

    def __init__(self, database: str = "", every: int = 4) -> None:
        super().__init__()
        self.database, self.every = database, every
        self.is_losing = False
        """Off until the cluster runs: migrations have nobody to try again."""
        self.commits = 0
        self.replies_lost = 0
        self.commits_lost = 0

    @property
    def url(self) -> str:
        """The server's URL by way of this proxy."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    async def _hello(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The start-up message; a question for TLS before it is answered with no."""
        while True:
            (length,) = struct.unpack("!I", size := await reader.readexactly(4))
            rest = await reader.readexactly(length - 4)
            if length != 8:
                return size + rest
            writer.write(b"N")

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        replies: asyncio.Task[None],
    ) -> None:
        hello = await self._hello(reader, writer)
        server_writer.write(hello)
        named = self.database.encode() + b"\x00" if self.database else b"nestwork_"
        is_watched = b"database\x00" + named in hello
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

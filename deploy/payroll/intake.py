"""The intake process behind the HTTP pages: what is uploaded, what is being sent, what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from re import compile as pattern

import structlog
from aiokafka.errors import KafkaError
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.doors.metrics import FILE_LINES, FILES_OLDEST, FILES_WAITING
from deploy.payroll.columnmap import ColumnMap, read_map
from deploy.payroll.kept import FileBusy, Kept, Store
from deploy.payroll.problems import MapInvalid
from deploy.payroll.reading import FileReading, cluster_id
from deploy.payroll.sending import FileSending, NoAnswers
from deploy.wire.publish import BulkPublisher, open_bulk_publisher
from shared.runtime.settings import Settings
from shared.runtime.tokens import Caller

RETRY_SECONDS = 5.0
SENDERS = 2
"""Files that are sent at the same time, so that a small one does not wait for a large one."""
STALL_SECONDS = 300.0
CHUNK_SECONDS_MAX = 30.0
MAP_NAME = pattern(r"[a-z0-9][a-z0-9-]{0,63}")

log = structlog.get_logger(__name__)


class IntakeSettings(BaseSettings):
    """What the intake needs beside the settings every process has."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    maps_folder: Path = Field(Path(".nestwork/intake/maps"), alias="NESTWORK_PAYROLL_MAPS")
    """Column maps, one file NAME.yaml each; an upload names one."""
    bytes_max: int = Field(1024**3, alias="NESTWORK_UPLOAD_BYTES_MAX", ge=1)
    uploads_max: int = Field(4, alias="NESTWORK_UPLOADS_AT_ONCE", ge=1)


class TooLarge(Exception):
    """The upload is longer than allowed."""


class TooSlow(Exception):
    """The sender of the upload fell silent."""


class NotReady(Exception):
    """Kafka was not reached yet, or too many uploads arrive at once."""


class Intake:
    """Reads uploads, keeps them, sends them in the background, and goes on with unfinished ones after a restart."""

    def __init__(self, config: Settings, own: IntakeSettings) -> None:
        self.config, self.own = config, own
        self.store = Store(config.data_dir / "files")
        self._active: dict[str, Kept] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._publisher: BulkPublisher | None = None
        self._cluster = ""
        self._uploads = 0

    @property
    def is_ready(self) -> bool:
        """Whether Kafka was reached."""
        return self._publisher is not None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send in the background while the block runs."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def columns(self, name: str, given: Mapping[str, str]) -> ColumnMap:
        """The map of this name with what the upload says. Raises ``MapInvalid``."""
        if MAP_NAME.fullmatch(name) is None:
            raise MapInvalid("a map's name is made of a-z, 0-9 and -")
        try:
            return read_map(self.own.maps_folder / f"{name}.yaml").with_given(given)
        except OSError:
            raise MapInvalid(f"there is no map {name}") from None

    def known(self, file_id: str) -> Kept | None:
        """A file by its id; also for texts that are no id."""
        return self._active.get(file_id) or self.store.find(file_id)

    async def receive(
        self, chunks: AsyncIterable[bytes], columns: ColumnMap, caller: Caller, *, with_totals: bool
    ) -> tuple[Kept, bool]:
        """Read an upload and have it sent; the second value is false when the same file came before.

        Raises ``FileRefused``, ``TooLarge``, ``TooSlow``, ``NotReady``; then nothing is kept and nothing is sent.
        """
        if not self.is_ready or self._uploads >= self.own.uploads_max:
            raise NotReady
        self._uploads += 1
        try:
            with self.store.incoming() as incoming:
                reading, size = FileReading(columns, incoming, caller.sees), 0
                async for data in chunks:
                    size += len(data)
                    if size > self.own.bytes_max:
                        raise TooLarge
                    reading.push(data)
                kept = reading.finish(self.store, self._cluster, with_totals=with_totals, uploaded_by=caller.name)
        finally:
            self._uploads -= 1
        return self._enqueue(kept)

    def _enqueue(self, kept: Kept) -> tuple[Kept, bool]:
        file_id = kept.state.file_id
        if file_id in self._active:
            return self._active[file_id], False
        if kept.state.phase == "done":
            return kept, False
        self._active[file_id] = kept
        self._queue.put_nowait(file_id)
        log.info("payroll_file_kept", file_id=file_id, lines=kept.state.lines, malformed=kept.state.malformed)
        return kept, True

    def tell_figures(self) -> None:
        """Set the gauges of the page of metrics."""
        waiting = list(self._active.values())
        FILES_WAITING.labels("intake").set(len(waiting))
        FILES_OLDEST.labels("intake").set(min((kept.received_at for kept in waiting), default=0.0))

    async def _run(self) -> None:
        while True:
            try:
                async with AsyncExitStack() as stack:
                    self._cluster = await cluster_id(self.config)
                    self._publisher = await stack.enter_async_context(open_bulk_publisher(self.config))
                    for kept in self.store.unfinished():
                        self._enqueue(kept)
                    async with asyncio.TaskGroup() as senders:
                        for _ in range(SENDERS):
                            senders.create_task(self._send_forever(self._publisher))
            except (KafkaError, OSError) as problem:
                log.warning("kafka_not_reached", problem=repr(problem))
                await asyncio.sleep(RETRY_SECONDS)

    async def _send_forever(self, publisher: BulkPublisher) -> None:
        while True:
            file_id = await self._queue.get()
            kept = self._active[file_id]
            try:
                with self.store.lock(kept):
                    await FileSending(self.config, publisher, kept, stall_seconds=STALL_SECONDS).run()
            except (NoAnswers, FileBusy, KafkaError, OSError) as problem:
                log.warning("payroll_file_waits", file_id=file_id, problem=repr(problem))
                await asyncio.sleep(RETRY_SECONDS)
                self._queue.put_nowait(file_id)
                continue
            del self._active[file_id]
            _count_lines(kept)
            log.info("payroll_file_done", file_id=file_id, sent=kept.state.sent, rejects=kept.state.rejects)


def _count_lines(kept: Kept) -> None:
    for status, lines in kept.state.answers.items():
        FILE_LINES.labels("intake", status).inc(lines)
    FILE_LINES.labels("intake", "malformed").inc(kept.state.malformed)

"""Import one file from this machine: read all of it, then send it, going on where an earlier run stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from deploy.payroll.columnmap import ColumnMap
from deploy.payroll.kept import Kept, Store
from deploy.payroll.reading import CHUNK_BYTES, FileReading, cluster_id
from deploy.payroll.sending import FileSending
from deploy.wire.publish import open_bulk_publisher
from shared.runtime.settings import Settings

Step = Callable[[str, int, int], None]
"""Called with the name of the stage, how much of it is done, and how much there is (0 when unknown)."""


@dataclass
class Wanted:
    """One import as it was asked for."""

    file: Path
    columns: ColumnMap
    folder: Path
    """Where prepared lines and progress are kept."""
    with_totals: bool = False
    waits: bool = True
    stall_seconds: float = 120.0
    step: Step = field(default=lambda _name, _done, _all: None)


def check_file(wanted: Wanted) -> Kept:
    """Read the file and send nothing; the caller removes what is kept. Raises ``FileRefused``, ``OSError``."""
    return _read(wanted, Store(wanted.folder), "check")


async def import_file(wanted: Wanted, config: Settings, kept_is: Callable[[Kept], None]) -> Kept:
    """Read the file and send it. ``kept_is`` is told what is kept before anything is sent.

    Raises ``FileRefused`` (nothing was sent), ``FileBusy``, ``NoAnswers``, ``KafkaError``, ``OSError``.
    """
    store = Store(wanted.folder)
    kept = _read(wanted, store, await cluster_id(config))
    with store.lock(kept):
        kept_is(kept)
        if kept.state.phase == "done":
            return kept  # The run before ended between its last answer and its report.
        total = kept.state.lines
        wanted.step("sending", kept.state.sent, total)
        async with open_bulk_publisher(config) as publisher:
            await FileSending(
                config, publisher, kept, waits=wanted.waits, stall_seconds=wanted.stall_seconds,
                say=lambda done: wanted.step("sending", done, total),
            ).run()  # fmt: skip
    return kept


def _read(wanted: Wanted, store: Store, cluster: str) -> Kept:
    with ExitStack() as stack:
        opened: BinaryIO = sys.stdin.buffer
        size = 0
        if str(wanted.file) != "-":
            size = wanted.file.stat().st_size
            opened = stack.enter_context(wanted.file.open("rb"))
        reading = FileReading(wanted.columns, stack.enter_context(store.incoming()))
        done = 0
        while data := opened.read(CHUNK_BYTES):
            reading.push(data)
            done += len(data)
            wanted.step("reading", done, size)
        return reading.finish(store, cluster, with_totals=wanted.with_totals)

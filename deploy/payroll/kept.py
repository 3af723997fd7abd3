"""What is kept of a file while it is sent: prepared lines, rejects, progress. One folder per file, nothing unmapped.

``lines`` holds what is to be published (row, participant, ce_id, body), so that no name and no tax id of the original
is ever stored; ``rejects`` holds one JSON object per line; ``state.json`` says how far the file is. A checkpoint names
the rows that are answered and how long ``rejects`` was then: a run that is taken up again repeats nothing in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from deploy.payroll.lines import Line
from shared.runtime.errors import NestworkError

FILE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STATE, LINES, REJECTS, LOCK = "state.json", "lines", "rejects", "lock"
INCOMING = "incoming-"
EXAMPLES_MAX = 5


class FileBusy(NestworkError):
    """Another process is sending the same file."""


class Prepared(NamedTuple):
    """A line as it is kept."""

    row: int
    participant_id: str
    ce_id: str
    body: bytes


@dataclass
class Reason:
    """How often one code was given, for how many cents, and where first."""

    status: str
    code: str
    rows: int = 0
    cents: int = 0
    examples: list[int] = field(default_factory=list)

    def add(self, row: int, cents: int, *, is_new_row: bool = True) -> None:
        """Count one more, or more cents of the row that was counted."""
        self.rows += is_new_row
        self.cents += cents
        if is_new_row and len(self.examples) < EXAMPLES_MAX:
            self.examples.append(row)


@dataclass
class FileState:
    """How far a file is. ``phase``: ready, sending, done; all else is counted up to the checkpoint."""

    file_id: str
    sender: str
    ce_source: str
    format: str
    sha256: str
    bytes: int
    lines: int
    malformed: int
    plans: list[str]
    runs: list[dict[str, Any]]
    with_totals: bool
    uploaded_by: str = ""
    phase: str = "ready"
    awaits_receipts: bool = True
    sent: int = 0
    """Lines that are published and, when receipts are awaited, answered."""
    answers: dict[str, int] = field(default_factory=dict)
    """Lines by the status of their receipt."""
    accepted_cents: int = 0
    rejected_cents: int = 0
    accepted_before_cents: int = 0
    """What the first decisions accepted of lines that were sent before; equal rows of a file count each."""
    reasons: dict[str, Reason] = field(default_factory=dict)
    rejects: int = 0
    rejects_bytes: int = 0
    receipts_from: dict[str, int] = field(default_factory=dict)
    """Where in each partition of the receipts' log the answers to unanswered lines may begin."""

    @property
    def ok(self) -> bool:
        """Whether every row was read, sent, and (if receipts are awaited) accepted as it is, now or before."""
        fine = self.answers.get("accepted", 0) + self.answers.get("duplicate", 0)
        accepted = fine == self.lines or not self.awaits_receipts
        return self.phase == "done" and not self.malformed and accepted and not self.rejects

    def count(self, status: str, code: str, row: int, cents: int, *, is_new_row: bool) -> None:
        """Count a reject under its code."""
        self.reasons.setdefault(f"{status} {code}", Reason(status, code)).add(row, cents, is_new_row=is_new_row)

    def document(self) -> dict[str, Any]:
        """What people and programs are told."""
        named = (
            "sender", "sha256", "bytes", "lines", "malformed", "sent", "awaits_receipts", "answers", "accepted_cents",
            "rejected_cents", "accepted_before_cents", "with_totals", "rejects",
        )  # fmt: skip
        told = {"id": self.file_id, "phase": self.phase, "ok": self.ok, "rows": self.lines + self.malformed}
        told |= {name: getattr(self, name) for name in named}
        return told | {"reasons": [asdict(reason) for reason in self.reasons.values()]}


class Kept:
    """The folder of one file."""

    def __init__(self, folder: Path, state: FileState) -> None:
        self.folder, self.state = folder, state

    @property
    def received_at(self) -> float:
        """When the file was read, in seconds since 1970: the lines are written once and removed when answered."""
        try:
            return (self.folder / LINES).stat().st_mtime
        except FileNotFoundError:
            return time.time()

    def prepared(self, after: int) -> Iterator[Prepared]:
        """The prepared lines, the first ``after`` of them left out."""
        with (self.folder / LINES).open("rb") as opened:
            for number, text in enumerate(opened):
                if number >= after:
                    row, participant, ce_id, body = text[:-1].split(b"\t", 3)
                    yield Prepared(int(row), participant.decode(), ce_id.decode(), body)

    def rejects(self, skip: int = 0, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Rejects in the order they were found, up to the checkpoint."""
        with (self.folder / REJECTS).open("rb") as opened:
            for number in range(self.state.rejects if limit is None else min(self.state.rejects, skip + limit)):
                text = opened.readline()
                if number >= skip:
                    yield orjson.loads(text)

    def append_rejects(self, rejects: list[dict[str, Any]]) -> None:
        """Add rejects behind the checkpoint; ``save`` makes them part of it."""
        if not rejects:
            return
        state = self.state
        with (self.folder / REJECTS).open("r+b") as opened:
            opened.truncate(state.rejects_bytes)
            opened.seek(state.rejects_bytes)
            state.rejects_bytes += opened.write(b"".join(orjson.dumps(one) + b"\n" for one in rejects))
        state.rejects += len(rejects)

    def save(self) -> None:
        """Write the checkpoint in one step."""
        arriving = self.folder / f".{STATE}"
        with _private(arriving) as opened:
            opened.write(orjson.dumps(asdict(self.state)))
        arriving.replace(self.folder / STATE)

    def forget_lines(self) -> None:
        """Remove what was to be published, once it is answered."""
        (self.folder / LINES).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Incoming:
    """A file that is being read: its lines and malformed rows, until it is known what it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines = self.malformed = self.rejects_bytes = 0
        self.reasons: dict[str, Reason] = {}
        self.plans: dict[str, None] = {}
        self._lines = _private(folder / LINES)
        self._rejects = _private(folder / REJECTS)

    def add(self, line: Line) -> None:
        """Keep a line."""
        self.lines += 1
        self.plans[line.plan_id] = None
        head = f"{line.row}\t{line.participant_id}\t{line.ce_id}\t"
        self._lines.write(head.encode() + line.body + b"\n")

    def refuse(self, row: int, code: str, detail: str) -> None:
        """Keep what is wrong with a row; never the row."""
        self.malformed += 1
        reject = {"row": row, "status": "malformed", "code": code, "message": detail}
        self.rejects_bytes += self._rejects.write(orjson.dumps(reject) + b"\n")
        self.reasons.setdefault(f"malformed {code}", Reason("malformed", code)).add(row, 0)

    def close(self) -> None:
        """Write out what is buffered."""
        self._lines.close()
        self._rejects.close()


class Store:
    """The folder with one folder per file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """A place for a file that is being read; gone when the block ends, unless it was adopted."""
        self._sweep()
        folder = self.folder / f"{INCOMING}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        with _locked(folder):
            incoming = Incoming(folder)
            try:
                yield incoming
            finally:
                incoming.close()
                shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, incoming: Incoming, state: FileState) -> Kept:
        """Keep what came in under its id, or return what is kept already of the same file."""
        incoming.close()
        known = self.find(state.file_id)
        if known is not None:
            return known
        state.reasons, state.rejects, state.rejects_bytes = incoming.reasons, incoming.malformed, incoming.rejects_bytes
        kept = Kept(incoming.folder, state)
        kept.save()
        target = self.folder / state.file_id
        shutil.rmtree(target, ignore_errors=True)  # What a crash left without a state.
        incoming.folder.rename(target)
        return Kept(target, state)

    def find(self, file_id: str) -> Kept | None:
        """A kept file, or None; also for texts that are no id."""
        if FILE_ID.fullmatch(file_id) is None:
            return None
        folder = self.folder / file_id
        try:
            document = json.loads((folder / STATE).read_bytes())
            known = {one.name for one in fields(FileState)}
            state = FileState(**{name: value for name, value in document.items() if name in known})
        except (FileNotFoundError, ValueError, TypeError):
            return None
        state.reasons = {name: Reason(**found) for name, found in document["reasons"].items()}
        return Kept(folder, state)

    def unfinished(self) -> list[Kept]:
        """Files that are not done, the oldest first."""
        folders = sorted(self.folder.iterdir(), key=lambda one: one.stat().st_mtime_ns)
        found = [self.find(folder.name) for folder in folders]
        return [kept for kept in found if kept is not None and kept.state.phase != "done"]

    @contextmanager
    def lock(self, kept: Kept) -> Iterator[None]:
        """Be the only one who sends this file. Raises ``FileBusy``."""
        with _locked(kept.folder):
            yield

    def _sweep(self) -> None:
        """Remove what processes that died had begun to read."""
        for folder in self.folder.glob(f"{INCOMING}*"):
            try:
                with _locked(folder):
                    shutil.rmtree(folder, ignore_errors=True)
            except (FileBusy, FileNotFoundError):
                continue


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with _private(folder / LOCK) as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FileBusy("the same file is being sent by another process") from None
        yield


def _private(file: Path) -> BinaryIO:
    """A file for its owner only: it holds who contributes how much."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

"""From bytes to rows, in whatever pieces the bytes come: CSV and NDJSON in bounded memory. Pure.

A row's number is the line of the file at which it begins. What makes one row unreadable is a ``RowProblem`` in its
place; what makes it impossible to say where rows begin raises ``FileRefused``.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from deploy.payroll.problems import FileRefused, RowProblem

ROW_BYTES_MAX = 64 * 1024
"""A row of payroll is some hundred bytes; one this long is another kind of file, or a quote that never ends."""
CELLS_MAX = 1_000

Raw = tuple[int, list[Any] | dict[str, Any] | RowProblem]
"""(line number, cells of a CSV row, or object of an NDJSON row, or what is wrong with it)."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OPEN_QUOTE = "unexpected end of data"
"""What the csv module says, in strict mode, about a record that ends inside quotes."""


class Rows(Protocol):
    """A reader that is fed bytes and gives rows."""

    def push(self, data: bytes) -> Iterator[Raw]:
        """The rows that ``data`` completes."""
        ...

    def finish(self) -> Iterator[Raw]:
        """The row that no newline ended, if there is one."""
        ...


class Lines:
    """Cuts bytes into numbered lines without their ends; a line beyond the limit comes as None and is skipped over."""

    def __init__(self) -> None:
        self._tail = b""
        self._number = 0
        self._skipping = False

    def push(self, data: bytes) -> Iterator[tuple[int, bytes | None]]:
        """The lines that ``data`` completes."""
        if not self._number and len(self._tail) < 3:
            self._refuse_utf_16(self._tail + data)
        pieces = (self._tail + data).split(b"\n")
        self._tail = pieces.pop()
        for piece in pieces:
            yield self._line(piece)
        if len(self._tail) > ROW_BYTES_MAX:
            self._tail, self._skipping = b"", True

    def finish(self) -> Iterator[tuple[int, bytes | None]]:
        """The last line, when nothing ended it."""
        if self._tail or self._skipping:
            yield self._line(self._tail)

    def _line(self, piece: bytes) -> tuple[int, bytes | None]:
        self._number += 1
        too_long, self._skipping = self._skipping or len(piece) > ROW_BYTES_MAX, False
        if self._number == 1:
            piece = piece.removeprefix(codecs.BOM_UTF8)
        return self._number, None if too_long else piece.removesuffix(b"\r")

    @staticmethod
    def _refuse_utf_16(start: bytes) -> None:
        if start.startswith(_UTF_16) or b"\x00" in start[:4]:
            raise FileRefused("FILE_ENCODING", "the file is UTF-16; save it as CSV UTF-8", 1)


def too_long(number: int) -> RowProblem:
    """The problem of a row beyond the limit."""
    return RowProblem(number, "ROW_TOO_LONG", f"longer than {ROW_BYTES_MAX // 1024} KiB")


def _not_text(number: int, encoding: str) -> RowProblem:
    return RowProblem(number, "ROW_NOT_TEXT", f"bytes that are not {encoding}")


class CsvRows:
    """RFC 4180: quoted cells may hold delimiters, doubled quotes and newlines; LF or CRLF; a BOM is ignored."""

    def __init__(self, delimiter: str = ",", encoding: str = "utf-8") -> None:
        self._delimiter, self._encoding = delimiter, encoding
        self._lines = Lines()
        self._open: list[str] = []
        self._open_from = self._open_characters = 0

    def push(self, data: bytes) -> Iterator[Raw]:
        """The rows that ``data`` completes."""
        for number, line in self._lines.push(data):
            yield from self._take(number, line)

    def finish(self) -> Iterator[Raw]:
        """The last row. Raises ``FileRefused`` when a quote was never closed."""
        for number, line in self._lines.finish():
            yield from self._take(number, line)
        if self._open:
            raise self._never_closed()

    def _take(self, number: int, line: bytes | None) -> Iterator[Raw]:
        if line is None:
            if self._open:
                raise self._never_closed()
            yield number, too_long(number)
            return
        try:
            text = line.decode(self._encoding)
        except UnicodeDecodeError:
            if self._open:
                raise FileRefused("FILE_ENCODING", f"bytes that are not {self._encoding}", number) from None
            yield number, _not_text(number, self._encoding)
            return
        if '"' not in text:
            if not self._open:
                yield number, text.split(self._delimiter) if text else []
                return
            self._keep_open(number, text)
            return
        yield from self._quoted(number, text)

    def _quoted(self, number: int, text: str) -> Iterator[Raw]:
        self._keep_open(number, text)
        try:
            # The newlines between the kept lines belong to their cells.
            kept = [f"{line}\n" for line in self._open[:-1]] + self._open[-1:]
            records = list(csv.reader(kept, delimiter=self._delimiter, strict=True))
        except csv.Error as problem:
            if str(problem) == _OPEN_QUOTE:
                return
            begins, self._open = self._open_from, []
            yield begins, RowProblem(begins, "ROW_QUOTING", "a quote inside a quoted cell must be doubled")
            return
        begins, self._open = self._open_from, []
        for record in records:
            yield begins, record

    def _keep_open(self, number: int, text: str) -> None:
        if not self._open:
            self._open_from, self._open_characters = number, 0
        self._open.append(text)
        self._open_characters += len(text) + 1
        if self._open_characters > ROW_BYTES_MAX:
            raise self._never_closed()

    def _never_closed(self) -> FileRefused:
        return FileRefused("FILE_QUOTE_OPEN", "a quote opened here is not closed", self._open_from)


class NdjsonRows:
    """One JSON object per line. Numbers with a point keep every digit; they are never floats."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._decoder = msgspec.json.Decoder(float_hook=Decimal)

    def push(self, data: bytes) -> Iterator[Raw]:
        """The rows that ``data`` completes."""
        for number, line in self._lines.push(data):
            yield number, self._row(number, line)

    def finish(self) -> Iterator[Raw]:
        """The last row."""
        for number, line in self._lines.finish():
            yield number, self._row(number, line)

    def _row(self, number: int, line: bytes | None) -> list[Any] | dict[str, Any] | RowProblem:
        if line is None:
            return too_long(number)
        if not line.strip():
            return []
        try:
            found = self._decoder.decode(line)
        except (msgspec.DecodeError, ArithmeticError, RecursionError, UnicodeDecodeError):
            return RowProblem(number, "ROW_NOT_JSON", "not a JSON object")
        if type(found) is not dict:
            return RowProblem(number, "ROW_NOT_JSON", "JSON, but not an object")
        return found

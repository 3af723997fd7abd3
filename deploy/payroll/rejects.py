"""Rejects as a CSV file that a payroll clerk opens in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from shared.values.money import dollars_text

COLUMNS = ("row", "participant_id", "status", "code", "source", "amount", "message")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Writes(Protocol):
    def write(self, text: str, /) -> object: ...


def cells_of(reject: Mapping[str, Any]) -> list[str]:
    """The cells of one reject; the amount in dollars, blank where no cents were cut."""
    cents = reject.get("cents")
    told = {**reject, "amount": "" if cents is None else dollars_text(cents)}
    return [_harmless("" if told.get(name) is None else str(told[name])) for name in COLUMNS]


def _harmless(text: str) -> str:
    """A spreadsheet would run a text that begins like a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def write_rejects(file: Path, rejects: Iterable[Mapping[str, Any]]) -> int:
    """Write the file anew; returns how many. Raises ``OSError``."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        return _write(opened, rejects)


def _write(target: _Writes, rejects: Iterable[Mapping[str, Any]]) -> int:
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    count = 0
    for reject in rejects:
        writer.writerow(cells_of(reject))
        count += 1
    return count


class _Buffer:
    """Takes what the csv module writes and gives it away in pieces."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, text: str, /) -> None:
        self.texts.append(text)

    def take(self) -> str:
        """What was written since."""
        text, self.texts = "".join(self.texts), []
        return text


def csv_pieces(rejects: Iterable[Mapping[str, Any]], rows: int = 500) -> Iterator[str]:
    """The same file in pieces, for an answer that is streamed."""
    buffer = _Buffer()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for number, reject in enumerate(rejects, start=1):
        writer.writerow(cells_of(reject))
        if number % rows == 0:
            yield buffer.take()
    yield buffer.take()

"""What can be wrong with a payroll file: one row of it, or the file as a whole. Pure."""

from __future__ import annotations

from typing import NamedTuple

from shared.runtime.errors import NestworkError


class RowProblem(NamedTuple):
    """Why a row was not sent. Values are never repeated: a cell in the wrong column may hold a tax id."""

    row: int
    """The line of the file at which the row begins; the header is line 1."""
    code: str
    detail: str


class RowRefused(Exception):
    """Raised while a row is read; the reader that knows the row's number turns it into a ``RowProblem``."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class FileRefused(NestworkError):
    """Nothing of the file is sent: where its rows begin and end, or what they mean, cannot be told."""

    def __init__(self, code: str, detail: str, row: int | None = None) -> None:
        super().__init__(detail if row is None else f"line {row}: {detail}")
        self.code, self.detail, self.row = code, detail, row


class OutOfScope(FileRefused):
    """A row names a plan the sender may not send for."""


class MapInvalid(NestworkError):
    """The column map cannot be used; the text says which part of it."""

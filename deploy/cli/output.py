"""How every command answers: one JSON document on standard output with --json, sentences for people without."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]

TABLE_WIDTH_MAX = 2_000

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_document(document: Mapping[str, Any]) -> None:
    """Print the one JSON document of a command (dates, paths and such as text)."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
    sys.stdout.flush()


def print_table(table: Table) -> None:
    """Print every cell whole, whatever the width: an id that is cut can't be given to the next command."""
    width = Console(width=TABLE_WIDTH_MAX).measure(table).maximum
    Console(width=width, highlight=False).print(table)


def note(message: str) -> None:
    """Tell a person what goes on; never mixed with the answer."""
    err.print(message, markup=False)


def fail(message: str, *, as_json: bool, status: int = 1, **fields: Any) -> NoReturn:
    """End the command unsuccessfully, saying why in the form that was asked for."""
    answer_failure(message, as_json=as_json, **fields)
    raise typer.Exit(status)


def answer_failure(message: str, *, as_json: bool, **fields: Any) -> None:
    """Say why a command failed, in the form that was asked for."""
    message = message or "there was no answer in time"  # A timeout has no words of its own.
    if as_json:
        print_document({"ok": False, "error": message, **fields})
    err.print(f"nestwork: {message}", markup=False)

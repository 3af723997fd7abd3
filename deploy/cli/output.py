"""How every command answers: one JSON document on standard output with --json, sentences for people without."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_document(document: Mapping[str, Any]) -> None:
    """Print the one JSON document of a command (dates, paths and such as text)."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
    sys.stdout.flush()


def note(message: str) -> None:
    """Tell a person what goes on; never mixed with the answer."""
    err.print(message, markup=False)


def fail(message: str, *, as_json: bool, status: int = 1, **fields: Any) -> NoReturn:
    """End the command unsuccessfully, saying why in the form that was asked for."""
    if as_json:
        print_document({"ok": False, "error": message, **fields})
    err.print(f"nestwork: {message}", markup=False)
    raise typer.Exit(status)

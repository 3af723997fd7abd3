"""The nestwork command: collects the command groups, holds none of their work."""

from __future__ import annotations

import typer

app = typer.Typer(name="nestwork", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def nestwork() -> None:
    """Run, drive and prove an engine for 401(k) money."""


def main() -> None:
    """Entry point of the installed command."""
    app()

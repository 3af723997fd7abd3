"""The nestwork command: finds the command groups of this package, holds none of their work."""

from __future__ import annotations

import importlib
import pkgutil

import typer

import deploy.cli

app = typer.Typer(name="nestwork", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def nestwork() -> None:
    """Run, drive and prove an engine for 401(k) money."""


def register_groups(target: typer.Typer) -> None:
    """Let every module beside this one that has ``register`` add its commands."""
    for found in pkgutil.iter_modules(deploy.cli.__path__):
        if found.name not in ("main", "output"):
            importlib.import_module(f"deploy.cli.{found.name}").register(target)


register_groups(app)


def main() -> None:
    """Entry point of the installed command."""
    app()

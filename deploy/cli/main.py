"""The nestwork command: finds the command groups of this package, holds none of their work."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import typer

import deploy.cli
from deploy.cli.output import answer_failure

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
    """Entry point of the installed command: with ``--json`` a usage error is a document, too."""
    if "--json" not in sys.argv[1:]:
        sys.exit(app())
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as wrong:
        answer_failure(wrong.format_message(), as_json=True)
        sys.exit(wrong.exit_code)
    except typer.Abort:
        answer_failure("aborted", as_json=True)
        sys.exit(1)
    except Exception as bug:  # Ours to mend, hence the stack trace; who reads the document still gets one.
        answer_failure(f"{type(bug).__name__}: {bug}", as_json=True)
        raise

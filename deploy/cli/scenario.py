"""`nestwork scenario run`: executable acceptance cases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from deploy.cli.output import JsonOption, err, fail, out, print_document

if TYPE_CHECKING:
    from deploy.scenarios.filerun import FileRun

scenario_app = typer.Typer(no_args_is_help=True, help="Run executable acceptance cases on a fresh cluster.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(scenario_app, name="scenario")


@scenario_app.callback()
def scenario() -> None:
    """Keep `run` a command of the group."""


@scenario_app.command("run")
def run(
    files: Annotated[list[Path], typer.Argument(help="Scenario files (YAML).")],
    as_json: JsonOption = False,
    workers: Annotated[int, typer.Option(min=1, help="Workers per service.")] = 1,
    partitions: Annotated[int, typer.Option(min=1, max=4096, help="Partitions, a power of two.")] = 8,
) -> None:
    """Run FILES together on a fresh embedded cluster; exit status 0 only if none differs."""
    if partitions & (partitions - 1):
        fail(f"--partitions must be a power of two, not {partitions}", as_json=as_json, status=2)
    runs = asyncio.run(_with_progress(files, workers, partitions))
    if as_json:
        print_document(as_document(runs))
    else:
        _print(runs)
    if any(found.differences for found in runs):
        raise typer.Exit(1)


async def _with_progress(files: Sequence[Path], workers: int, partitions: int) -> list[FileRun]:
    """Run the files with a bar on standard error, if somebody is looking at it."""
    from deploy.scenarios.runner import run_files
    from shared.runtime.logs import configure_logs

    configure_logs("scenario", "ERROR")
    with Progress(console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("starting the cluster", total=None)

        async def on_day(day: date, phase: str) -> None:
            bar.update(task, description=f"{day} {phase}")

        return await run_files(files, workers=workers, partitions=partitions, on_day=on_day)


def as_document(runs: Sequence[FileRun]) -> dict[str, object]:
    """The JSON document of a run: per file every day's whole state, and what differs."""
    return {
        "ok": not any(found.differences for found in runs),
        "files": [
            {
                "file": found.file,
                "scenario": found.title,
                "ok": not found.differences,
                "days": found.days,
                "differences": [difference.as_json() for difference in found.differences],
            }
            for found in runs
        ],
    }


def _print(runs: Sequence[FileRun]) -> None:
    for found in runs:
        out.print(f"{'differs' if found.differences else 'ok':8}{found.file}", markup=False)
        for difference in found.differences:
            out.print(
                f"        {difference.path}: expected {difference.expected!r}, got {difference.actual!r}", markup=False
            )
    failed = sum(bool(found.differences) for found in runs)
    out.print(f"{len(runs)} files, {failed} differ", markup=False)

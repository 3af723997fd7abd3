"""`nestwork demo`: the main job on a realistic payday, from nothing to a printed, proven result, and down again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.cli.output import JsonOption, err, fail, print_document
from deploy.cluster import ClusterError

if TYPE_CHECKING:
    from deploy.demo.result import Options, Result

REPORT_NAME = "nestwork-demo-report.html"
KEPT_FOLDER = Path(".nestwork-demo")
PARTICIPANTS_MIN = 50
"""With fewer people there are not enough lines to spoil one in each way and to leave most of them good."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    participants: Annotated[int, typer.Option(min=PARTICIPANTS_MIN, help="Made-up people.")] = 20_000,
    plans: Annotated[int, typer.Option(min=2, help="Plans they are in, of very different sizes.")] = 300,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed makes the same people, pay, prices and faults.")
    ] = 401,
    out: Annotated[Path, typer.Option(help="Where the HTML report goes: a file, or a folder.")] = Path(REPORT_NAME),
    keep: Annotated[bool, typer.Option("--keep", help=f"Leave the cluster running in {KEPT_FOLDER}.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a made-up payday through two trade dates on a fresh cluster, and prove what came of it."""
    from deploy.demo.result import Options

    report = out / REPORT_NAME if out.is_dir() else out
    if not report.absolute().parent.is_dir():
        fail(f"there is no folder {report.parent} for the report", as_json=as_json, status=2)
    if keep and KEPT_FOLDER.exists() and any(KEPT_FOLDER.iterdir()):
        message = f"{KEPT_FOLDER} holds an earlier demo: `nestwork down --folder {KEPT_FOLDER}`, then remove the folder"
        fail(message, as_json=as_json)
    try:
        result = asyncio.run(_run(Options(participants=participants, plans=plans, seed=seed), keep))
    except ClusterError as problem:
        fail(str(problem), as_json=as_json)
    except KeyboardInterrupt:
        fail("interrupted; everything that was started has been ended", as_json=as_json, status=130)
    _write_report(result, report)
    _answer(result, as_json)
    if not result.ok:
        raise typer.Exit(1)


async def _run(options: Options, keep: bool) -> Result:
    from deploy.demo.run import run_demo
    from deploy.demo.terminal import TerminalTell
    from shared.runtime.logs import configure_logs

    configure_logs("demo", "ERROR")
    with TerminalTell(err) as tell:
        return await run_demo(options, tell, KEPT_FOLDER if keep else None)


def _write_report(result: Result, report: Path) -> None:
    from deploy.demo.drawing import draw
    from deploy.demo.page import page

    result.report = str(report)
    report.write_text(page(result, draw(result)), encoding="utf-8")


def _answer(result: Result, as_json: bool) -> None:
    from deploy.demo.terminal import print_page

    if as_json:
        print_document(result.as_json())
    else:
        print_page(result, Console(highlight=False))

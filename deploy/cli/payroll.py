"""`nestwork payroll`: payroll files for those who have no Kafka."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.cli.day import FolderOption
from deploy.cli.output import JsonOption, err, fail, note, out, print_document

if TYPE_CHECKING:
    from deploy.payroll.columnmap import ColumnMap
    from deploy.payroll.importing import Wanted
    from deploy.payroll.kept import FileState, Kept

REJECTS_SHOWN = 20
DEFAULT_FOLDER = Path(".nestwork")

payroll_app = typer.Typer(no_args_is_help=True, help="Send payroll files (CSV, NDJSON).")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(payroll_app, name="payroll")


@payroll_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A CSV or NDJSON file; - reads standard input.")],
    map_file: Annotated[Path, typer.Option("--map", help="The column map (YAML).")],
    given: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE for fields the map leaves open.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Read and report; send nothing.")] = False,
    totals: Annotated[
        bool, typer.Option("--totals", help="Publish the opening and closing totals of each run.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the receipt of every line.")] = True,
    rejects: Annotated[Path | None, typer.Option("--rejects", help="Write rejects to this CSV file.")] = None,
    seconds: Annotated[float, typer.Option("--timeout", min=1, help="Seconds without any receipt to give up.")] = 120.0,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send FILE line by line. A file sent twice changes nothing; after a crash run it again and it goes on."""
    from deploy.payroll.importing import Wanted
    from shared.runtime.logs import configure_logs

    configure_logs("payroll", "ERROR")
    columns = _columns(map_file, given or [], as_json)
    kept_in = (folder or DEFAULT_FOLDER) / "payroll"
    wanted = Wanted(file, columns, kept_in, with_totals=totals, waits=wait, stall_seconds=seconds)
    if check:
        with tempfile.TemporaryDirectory(prefix="nestwork-payroll-") as scratch:
            wanted.folder = Path(scratch)
            _check(wanted, rejects, as_json)
    else:
        _import(wanted, folder, rejects, as_json)


@payroll_app.command("serve")
def serve_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen, on this machine only.")] = 6070,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take payroll files over HTTP until Ctrl-C. `nestwork up` starts such an intake by itself."""
    from deploy.operate.target import TROUBLE, find_cluster
    from deploy.payroll.__main__ import serve
    from deploy.payroll.intake import IntakeSettings
    from shared.runtime.logs import configure_logs

    configure_logs("payroll", "INFO")
    place = (folder or DEFAULT_FOLDER) / "intake"
    try:
        found = find_cluster(folder)
        own = {"data_dir": place, "web_port": port, "tokens_file": found.tokens_file or _tokens_file(folder)}
        note(f"listening on http://{found.web_host}:{port}; maps in {place / 'maps'}")
        serve(found.model_copy(update=own), IntakeSettings(NESTWORK_PAYROLL_MAPS=place / "maps"))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "served": True})


def _tokens_file(folder: Path | None) -> Path:
    named = os.environ.get("NESTWORK_TOKENS_FILE")
    return Path(named) if named and folder is None else (folder or DEFAULT_FOLDER) / "tokens.json"


def _columns(map_file: Path, given: list[str], as_json: bool) -> ColumnMap:
    from deploy.payroll.columnmap import read_map
    from deploy.payroll.problems import MapInvalid

    said = dict(text.split("=", 1) for text in given if "=" in text)
    if len(said) != len(given):
        fail("--set takes FIELD=VALUE, each field once", as_json=as_json, status=2)
    try:
        return read_map(map_file).with_given(said)
    except (MapInvalid, OSError) as problem:
        fail(f"{map_file}: {problem}", as_json=as_json, status=2, code="MAP_INVALID")


def _check(wanted: Wanted, rejects: Path | None, as_json: bool) -> None:
    from deploy.payroll.importing import check_file
    from deploy.payroll.problems import FileRefused, MapInvalid

    try:
        with _progress(wanted):
            kept = check_file(wanted)
    except MapInvalid as problem:
        fail(str(problem), as_json=as_json, status=2, code="MAP_INVALID")
    except FileRefused as refused:
        fail(str(refused), as_json=as_json, code=refused.code, row=refused.row)
    except OSError as problem:
        fail(str(problem), as_json=as_json)
    kept.state.phase = "checked"
    document = kept.state.document() | {"ok": not kept.state.malformed, "runs": kept.state.runs}
    _tell(kept, document, rejects, as_json)


def _import(wanted: Wanted, folder: Path | None, rejects: Path | None, as_json: bool) -> None:
    from deploy.operate.target import TROUBLE, find_cluster
    from deploy.payroll.importing import import_file
    from deploy.payroll.kept import FileBusy
    from deploy.payroll.problems import FileRefused, MapInvalid
    from deploy.payroll.sending import NoAnswers

    seen: list[Kept] = []
    try:
        with _progress(wanted):
            asyncio.run(import_file(wanted, find_cluster(folder), seen.append))
    except FileRefused as refused:
        fail(f"nothing was sent: {refused}", as_json=as_json, code=refused.code, row=refused.row)
    except MapInvalid as problem:
        fail(str(problem), as_json=as_json, status=2, code="MAP_INVALID")
    except KeyboardInterrupt:
        _stopped(seen, "interrupted", rejects, as_json, 130)
    except (NoAnswers, FileBusy, *TROUBLE) as problem:
        _stopped(seen, str(problem), rejects, as_json, 1)
    kept = seen[0]
    _tell(kept, kept.state.document() | {"runs": kept.state.runs}, rejects, as_json)


def _stopped(seen: list[Kept], why: str, rejects: Path | None, as_json: bool, status: int) -> None:
    """End unsuccessfully with what is known; what is kept lets the next run go on."""
    if not seen:
        fail(why, as_json=as_json, status=status)
    state = seen[0].state
    if rejects is not None:
        _write(seen[0], rejects, as_json)
    message = f"{why}; {state.sent} of {state.lines} lines are done, run the command again to go on"
    fail(message, as_json=as_json, status=status, file=state.document())


def _tell(kept: Kept, document: dict[str, Any], rejects: Path | None, as_json: bool) -> None:
    if rejects is not None:
        _write(kept, rejects, as_json)
    shown = list(islice(kept.rejects(), REJECTS_SHOWN))
    if as_json:
        print_document(document | {"first_rejects": shown})
    else:
        _print(kept.state, document, shown)
    kept.remove()
    if not document["ok"]:
        raise typer.Exit(1)


def _write(kept: Kept, rejects: Path, as_json: bool) -> None:
    from deploy.payroll.rejects import write_rejects

    try:
        count = write_rejects(rejects, kept.rejects())
    except OSError as problem:
        fail(f"the rejects could not be written: {problem}", as_json=as_json, file=kept.state.document())
    note(f"{count} rejects in {rejects}")


def _print(state: FileState, document: dict[str, Any], shown: list[dict[str, Any]]) -> None:
    from deploy.payroll.rejects import COLUMNS, cells_of
    from shared.events.codes import CODES
    from shared.values.money import dollars_text

    if state.reasons:
        table = _table("Rejects", "status", "code", "rows", "amount", "first lines", "what it means")
        for reason in state.reasons.values():
            known = CODES.get(reason.code)
            table.add_row(
                reason.status, reason.code, f"{reason.rows:,}", dollars_text(reason.cents),
                ", ".join(map(str, reason.examples)), known.sentence if known else "",
            )  # fmt: skip
        out.print(table)
    if shown:
        table = _table(f"The first {len(shown)} of {state.rejects:,}", *COLUMNS)
        for reject in shown:
            table.add_row(*map(escape, cells_of(reject)))
        out.print(table)
    answers = ", ".join(f"{count:,} {status}" for status, count in sorted(state.answers.items())) or "none awaited"
    out.print(f"{document['rows']:,} rows: {state.lines:,} lines, {state.malformed:,} malformed", markup=False)
    if document["phase"] == "checked":
        out.print("checked; nothing was sent", markup=False)
        return
    out.print(f"sent {state.sent:,}; receipts: {answers}", markup=False)
    money = f"accepted {dollars_text(state.accepted_cents)}, rejected {dollars_text(state.rejected_cents)} dollars"
    out.print(f"{money}; accepted before {dollars_text(state.accepted_before_cents)}", markup=False)
    if state.with_totals and state.malformed:
        out.print("closing totals were not published: some rows could not be read", markup=False)


def _table(title: str, *columns: str) -> Table:
    """A table whose last column alone may wrap: ids and codes are copied from it."""
    table = Table(title=title, box=None, title_justify="left")
    for name in columns:
        table.add_column(name, no_wrap=name != columns[-1], overflow="fold")
    return table


@contextmanager
def _progress(wanted: Wanted) -> Iterator[None]:
    """A bar for each stage on standard error."""
    columns = TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=err, transient=False) as progress:
        tasks: dict[str, TaskID] = {}

        def step(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total or None)
            progress.update(tasks[name], completed=done)

        wanted.step = step
        yield

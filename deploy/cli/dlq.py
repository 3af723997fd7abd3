"""`nestwork dlq`: what broke the contract or could not be applied, and sending it through again."""

from __future__ import annotations

import asyncio
import getpass
import json
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.cli.day import FolderOption
from deploy.cli.output import JsonOption, fail, out, print_document, print_table

dlq_app = typer.Typer(no_args_is_help=True, help="Dead letters and parked participants.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(dlq_app, name="dlq")


@dlq_app.callback()
def dlq() -> None:
    """Quiet logs: the answer is the output."""
    from shared.runtime.logs import configure_logs

    configure_logs("dlq", "ERROR")


@dlq_app.command("ls")
def list_all(
    waiting: Annotated[bool, typer.Option("--waiting", help="Leave out what was sent again.")] = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the dead letters and parked participants of all services."""
    from deploy.operate.letters import list_letters
    from deploy.operate.target import TROUBLE, find_cluster

    try:
        letters = asyncio.run(list_letters(find_cluster(folder), waiting_only=waiting))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "letters": [letter.as_json() for letter in letters]})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "code", "where", "cents", "date", "when", "sent again"):
        table.add_column(heading, no_wrap=True)
    for letter in letters:
        place = f"{letter.topic}/{letter.partition}@{letter.offset}"
        more = f" (+{letter.items - 1})" if letter.items > 1 else ""
        cells = (str(letter.id), letter.code, place + more, str(letter.cents), letter.trade_date, letter.recorded_at)
        table.add_row(*cells, letter.replayed or "")
    print_table(table)
    out.print(f"{len(letters)} listed", markup=False)


@dlq_app.command("show")
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="As `dlq ls` prints it.")],
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything that was kept of one: bytes, headers, reason."""
    from deploy.operate.letters import show_letter
    from deploy.operate.target import TROUBLE, find_cluster

    _refuse_no_ids([letter], as_json=as_json)
    try:
        document = asyncio.run(show_letter(find_cluster(folder), letter))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json, id=letter)
    if as_json:
        print_document({"ok": True, **document})
        return
    for name, value in document.items():
        out.print(f"{name}: {_shown(value)}", markup=False)


def _refuse_no_ids(texts: list[str], *, as_json: bool) -> None:
    """End with 2 for what can't be an id, before anything is asked or sent."""
    from deploy.operate.letters import LetterId, UnknownLetter

    try:
        for text in texts:
            LetterId.parse(text)
    except UnknownLetter as problem:
        fail(str(problem), as_json=as_json, status=2)


def _shown(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "operator"


@dlq_app.command("replay")
def replay(
    letters: Annotated[list[str], typer.Argument(metavar="ID...", help="As `dlq ls` prints them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also what was sent again before.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who asks for it; default: the user's name.")] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters to their topics as they came, and free parked participants. Exit 0 only when all were."""
    from deploy.operate.replay import replay as replay_all
    from deploy.operate.target import TROUBLE, find_cluster

    _refuse_no_ids(letters, as_json=as_json)
    asker = by or _user()
    try:
        done = asyncio.run(replay_all(find_cluster(folder), letters, by=asker, dry_run=dry_run, again=again))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    all_well = all(one.ok for one in done)
    if as_json:
        print_document({"ok": all_well, "replayed": [one.as_json() for one in done]})
    else:
        for one in done:
            where = f" {one.topic}/{one.partition}" if one.topic else ""
            where += f"@{one.offset}" if one.offset is not None else ""
            out.print(f"{one.id}: {one.outcome}{where}", markup=False)
    if not all_well:
        raise typer.Exit(1)

"""`nestwork backup`: base backups, the stream of the write-ahead log, restores, and joining services together again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.day import FolderOption
from deploy.cli.output import JsonOption, fail, note, out, print_document

if TYPE_CHECKING:
    from deploy.recovery.programs import Address

backup_app = typer.Typer(no_args_is_help=True, help="Back up and restore the services' databases (docs/recovery.md).")


class Service(StrEnum):
    """Whose database it is."""

    contribution = "contribution"
    allocation = "allocation"
    trading = "trading"
    valuation = "valuation"


BackupOption = Annotated[Path, typer.Option("--backup", help="Folder of the backup.")]
ServicesOption = Annotated[list[Service], typer.Option("--service", help="May be repeated.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(backup_app, name="backup")


def _address(folder: Path | None) -> Address:
    from deploy.operate.target import find_cluster
    from deploy.recovery.programs import Address

    return Address.of(find_cluster(folder))


@backup_app.command()
def stream(backup: BackupOption, folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """Copy the write-ahead log as it is written, until it is ended. Start it before `take`."""
    from deploy.operate.target import TROUBLE
    from deploy.recovery.backup import streaming

    try:
        process = streaming(_address(folder), backup.resolve())
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    note(f"the write-ahead log goes to {backup.resolve()}; end with Ctrl-C")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: process.terminate())
    status = process.wait()
    if status > 0:
        fail("pg_receivewal ended; what it said is above", as_json=as_json)
    if as_json:
        print_document({"ok": True, "backup": backup.resolve()})


@backup_app.command()
def take(backup: BackupOption, folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """Copy the running server as a base and verify the copy. The workers go on meanwhile."""
    from deploy.operate.target import TROUBLE
    from deploy.recovery.backup import take_base

    try:
        base = take_base(_address(folder), backup.resolve())
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "base": base})
    else:
        out.print(f"base backup in {base}", markup=False)


@backup_app.command()
def restore(
    backup: BackupOption,
    at: Annotated[str, typer.Option("--at", help="The moment with its time zone, as 2026-11-20T21:00:00Z, or `end`.")],
    service: ServicesOption,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put services' databases as of a moment in the place of the live ones, which are kept under another name."""
    from deploy.operate.target import TROUBLE
    from deploy.recovery.restore import restore_services

    try:
        moment = None if at == "end" else datetime.fromisoformat(at)
    except ValueError:
        fail(f"{at} is not a moment such as 2026-11-20T21:00:00Z", as_json=as_json, status=2)
    if moment is not None and moment.tzinfo is None:
        fail(f"{at} needs a time zone, as in 2026-11-20T21:00:00Z", as_json=as_json, status=2)
    try:
        kept = restore_services(_address(folder), backup.resolve(), moment, service)
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "kept": kept})
        return
    for name, where in kept.items():
        out.print(f"{name} is restored; what was there is {where}", markup=False)
    note("start no worker before `nestwork backup rejoin`")


@backup_app.command()
def rejoin(
    service: ServicesOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look, and change nothing.")] = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """After a restore, with all workers stopped: begin new epochs and put the readers where they can go on."""
    from deploy.operate.target import TROUBLE, find_cluster
    from deploy.recovery.rejoin import rejoin as join_again

    try:
        links = asyncio.run(join_again(find_cluster(folder), service, dry_run=dry_run))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    found = [link.as_json() for link in links]
    if as_json:
        print_document({"ok": True, "dry_run": dry_run, "logs": found})
        return
    for one in found:
        out.print(f"{one['topic']}: {one['void']} void, {one['appended_again']} appended again", markup=False)


@backup_app.command()
def rebuild(
    service: Annotated[
        list[Service] | None, typer.Option("--service", help="Only this one and every one after it; may be repeated.")
    ] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Without any backup, with all workers stopped: empty databases, to be filled again from the logs.

    What was there is kept under another name. Start the workers afterwards; they read the logs from the beginning.
    """
    from deploy.operate.books import SERVICES
    from deploy.operate.target import TROUBLE, find_cluster
    from deploy.recovery.rebuild import empty_databases
    from deploy.recovery.rejoin import rejoin as join_again

    async def both() -> dict[str, str]:
        kept = await empty_databases(find_cluster(folder), service or SERVICES)
        await join_again(find_cluster(folder), list(kept))
        return kept

    try:
        kept = asyncio.run(both())
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "kept": kept})
        return
    for name, where in kept.items():
        out.print(f"{name} starts from nothing; what was there is {where}", markup=False)
    note("start the workers: they decide again from the beginning of the logs")


@backup_app.command()
def pause(folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """End the workers of an embedded cluster before a restore; Kafka and PostgreSQL go on."""
    from deploy.recovery.pausing import pause as pause_workers

    _tell(pause_workers, folder, as_json)


@backup_app.command()
def resume(folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """Start the workers of an embedded cluster again, and wait until they are ready."""
    from deploy.recovery.pausing import resume as resume_workers

    _tell(resume_workers, folder, as_json)


def _tell(act: Callable[[Path], list[str]], folder: Path | None, as_json: bool) -> None:
    from deploy.operate.target import DEFAULT_FOLDER, TROUBLE

    try:
        names = act((folder or DEFAULT_FOLDER).resolve())
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "processes": names})
    else:
        out.print(", ".join(names), markup=False)

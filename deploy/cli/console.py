"""`nestwork console`: pages for operators."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.day import FolderOption
from deploy.cli.output import JsonOption, fail, note, print_document

if TYPE_CHECKING:
    from deploy.console.serving import ConsoleSettings

console_app = typer.Typer(no_args_is_help=True, help="Pages for operators, in a browser.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(console_app, name="console")


@console_app.callback()
def console() -> None:
    """Keep `serve` a command of the group."""


@console_app.command("serve")
def serve_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen, on this machine only.")] = 6080,
    tokens: Annotated[
        Path | None, typer.Option("--tokens", help="The token file; without one everybody on this machine may act.")
    ] = None,
    alone_cents: Annotated[
        int, typer.Option("--two-person-above", min=0, help="Cents at stake above which two people are needed.")
    ] = 10_000_000,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the console until Ctrl-C."""
    from deploy.console.serving import serve
    from deploy.operate.target import TROUBLE, find_cluster
    from shared.runtime.logs import configure_logs

    configure_logs("console", "INFO")
    try:
        found = find_cluster(folder)
        config = found.model_copy(update={"web_port": port, "tokens_file": tokens or found.tokens_file})
        note(f"listening on http://{config.web_host}:{port}")
        serve(config, own_settings(folder, alone_cents))
    except (*TROUBLE, ValueError) as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "served": True})


def own_settings(folder: Path | None, alone_cents: int) -> ConsoleSettings:
    """The console's own settings; of a cluster in a folder the workers are known, else the environment names them."""
    from deploy.cluster.state import read_state
    from deploy.console.serving import ConsoleSettings
    from deploy.operate.target import DEFAULT_FOLDER

    given: dict[str, Any] = {"NESTWORK_TWO_PERSON_CENTS": alone_cents}
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") and os.environ.get("DATABASE_URL")
    state = None if folder is None and named else read_state(folder or DEFAULT_FOLDER)
    if state is not None:
        workers = [record.url for record in state.processes.values() if record.kind == "worker" and record.url]
        given["NESTWORK_CONSOLE_WORKERS"] = ",".join(workers)
    return ConsoleSettings(**given)

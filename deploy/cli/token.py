"""nestwork token: who may call the pages, with which role and for which plans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from deploy.cli.output import JsonOption, fail, note, out, print_document
from deploy.security.tokenfile import TokenRefused, add_token, read_tokens, revoke_token
from shared.runtime.tokens import Role

FileOption = Annotated[Path, typer.Option("--file", envvar="NESTWORK_TOKENS_FILE", help="The file of hashed tokens.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Tokens of the pages: add, list, revoke.")
    group.command("add")(add)
    group.command("ls")(ls)
    group.command("revoke")(revoke)
    app.add_typer(group, name="token")


def add(
    name: Annotated[str, typer.Argument(help="Who will hold it; appears in logs.")],
    roles: Annotated[list[Role], typer.Option("--role", help="What it may do.")],
    plans: Annotated[list[str], typer.Option("--plan", help="A plan it may touch; * for all.")],
    file: FileOption,
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="Days until it expires.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and show it once; the file keeps its hash only."""
    try:
        token = add_token(file, name, roles, plans, days=days)
    except (TokenRefused, OSError) as problem:
        fail(f"{file}: {problem}", as_json=as_json)
    if as_json:
        print_document({"ok": True, "name": name, "roles": roles, "plans": plans, "token": token, "file": file})
    else:
        out.print(token, markup=False)
        note(f"added to {file}; it is not shown again")


def ls(file: FileOption, as_json: JsonOption = False) -> None:
    """List holders, roles, plans and expiry; never a token."""
    try:
        known = read_tokens(file)
    except (TokenRefused, OSError) as problem:
        fail(f"{file}: {problem}", as_json=as_json)
    if as_json:
        listed = [entry.model_dump(mode="json", exclude={"hash"}) for entry in known]
        for one in listed:
            one["roles"], one["plans"] = sorted(one["roles"]), sorted(one["plans"])
        print_document({"ok": True, "tokens": listed})
        return
    table = Table("name", "roles", "plans", "expires", box=None, pad_edge=False)
    for entry in known:
        table.add_row(
            entry.name, ", ".join(sorted(entry.roles)), ", ".join(sorted(entry.plans)), str(entry.expires or "never")
        )
    out.print(table)


def revoke(
    name: Annotated[str, typer.Argument(help="Whose token.")], file: FileOption, as_json: JsonOption = False
) -> None:
    """Take a token away; workers notice at the next request."""
    try:
        revoke_token(file, name)
    except (TokenRefused, OSError) as problem:
        fail(f"{file}: {problem}", as_json=as_json)
    if as_json:
        print_document({"ok": True, "revoked": name})
    else:
        out.print(f"revoked {name}", markup=False)

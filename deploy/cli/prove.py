"""`nestwork prove`: the conservation proof of a date, recomputed from the logs and the databases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.day import DateArgument, FolderOption
from deploy.cli.output import JsonOption, fail, out, print_document

if TYPE_CHECKING:
    from deploy.operate.proof import Proof
    from deploy.operate.state_hash import StateHash


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(prove)


def prove(
    trade_date: DateArgument,
    with_hash: Annotated[bool, typer.Option("--hash", help="Print the hash of the books up to the date too.")] = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove DATE to the cent and the share unit, without believing the engine's own proof. Exit 1 when it fails."""
    from deploy.operate.target import TROUBLE
    from shared.runtime.logs import configure_logs

    configure_logs("prove", "ERROR")
    try:
        proof, state = asyncio.run(_prove(trade_date, with_hash, folder))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json, trade_date=trade_date.date())
    if as_json:
        hashed = {"hash": state.overall, "hash_by_table": state.tables} if state else {}
        print_document(proof.as_json() | hashed)
    else:
        _print(proof, state)
    if not proof.ok:
        raise typer.Exit(1)


async def _prove(trade_date: DateArgument, with_hash: bool, folder: FolderOption) -> tuple[Proof, StateHash | None]:
    from deploy.operate.proof import prove as prove_date
    from deploy.operate.target import find_cluster

    return await prove_date(find_cluster(folder), trade_date.date(), with_hash=with_hash)


def _print(proof: Proof, state: StateHash | None) -> None:
    for one in proof.equations:
        sign = "=" if one.ok else "is not"
        out.print(f"{'ok' if one.ok else 'DIFFERS':9}{one.name}: {one.left} {sign} {one.right}", markup=False)
    if state is not None:
        out.print(f"hash of the books: {state.overall}", markup=False)
    broken = f" ({', '.join(proof.engine_broken)})" if proof.engine_broken else ""
    out.print(f"the engine's own proof: {proof.engine_status}{broken}", markup=False)
    failed = sum(not one.ok for one in proof.equations)
    verdict = "proven" if proof.ok else "NOT proven"
    out.print(f"{proof.trade_date} is {verdict}: {len(proof.equations)} equations, {failed} differ", markup=False)

"""`nestwork day close`: end a business day by hand."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.output import JsonOption, fail, note, out, print_document

day_app = typer.Typer(no_args_is_help=True, help="End business days.")

DateArgument = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="A business date, such as 2026-11-20.")]
FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="The cluster's folder; default: the environment's cluster, or .nestwork."),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(day_app, name="day")


@day_app.callback()
def day() -> None:
    """Keep `close` a command of the group."""


@day_app.command("close")
def close(
    trade_date: DateArgument,
    value: Annotated[bool, typer.Option("--value", help="Value the date too, once every order is answered.")] = False,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="With --value: wait for no answers; what has none stays in flight.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the date is closed; else only for the engine's yes.")] = True,
    seconds: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait at most.")] = 600.0,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close DATE: what stands in the logs by now belongs to it. Exit 0 only when it was done (and proven)."""
    from deploy.operate.day import Closing, close_day
    from deploy.operate.target import TROUBLE, find_cluster
    from shared.runtime.logs import configure_logs

    if as_is and not value:
        fail("--as-is is about valuing: give --value, too", as_json=as_json, status=2)
    configure_logs("day", "ERROR")
    chosen: date = trade_date.date()

    async def run() -> Closing:
        config = find_cluster(folder)
        return await close_day(config, chosen, value=value, as_is=as_is, wait=wait, seconds=seconds, tell=note)

    try:
        closing = asyncio.run(run())
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json, trade_date=chosen)
    if as_json:
        print_document(closing.as_json())
    else:
        orders = ", ".join(f"{count} {status}" for status, count in closing.orders.items()) or "none"
        proof = f", {closing.proof}" if closing.proof else ""
        out.print(f"{chosen} is {closing.state}{proof}; orders: {orders}", markup=False)
    if not closing.ok:
        raise typer.Exit(1)

"""`nestwork law`: what the rules hold back, and an operator's word on it."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from deploy.cli.day import FolderOption
from deploy.cli.output import JsonOption, fail, out, print_document, print_table

law_app = typer.Typer(no_args_is_help=True, help="Held payroll lines, and what the law would say differently now.")


class Action(StrEnum):
    """What a held repeat is."""

    book = "book"
    withdraw = "withdraw"


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(law_app, name="law")


@law_app.callback()
def law() -> None:
    """Quiet logs: the answer is the output."""
    from shared.runtime.logs import configure_logs

    configure_logs("law", "ERROR")


@law_app.command("held")
def held(
    code: Annotated[str | None, typer.Option("--code", help="Only those that wait for this reason code.")] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the payroll lines that are held, and what each waits for."""
    from deploy.operate.heldlines import held_lines
    from deploy.operate.target import TROUBLE, find_cluster
    from shared.events.codes import CODES

    if code is not None and code not in CODES:
        fail(f"{code} is no reason code; docs/reason-codes.md lists them", as_json=as_json, status=2)
    try:
        lines = asyncio.run(held_lines(find_cluster(folder), code))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "held": [line.as_json() for line in lines]})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("ce_id", "ce_source", "code", "plan", "participant", "payroll", "cents", "date"):
        table.add_column(heading, no_wrap=True)
    for line in lines:
        who = (line.plan_id, line.participant_id, line.payroll_id)
        table.add_row(line.ce_id, line.ce_source, line.code, *who, str(line.cents), line.trade_date)
    print_table(table)
    out.print(f"{len(lines)} held", markup=False)


@law_app.command("resolve")
def resolve(
    line: Annotated[str, typer.Argument(metavar="CE_ID", help="As `law held` prints it.")],
    action: Annotated[Action, typer.Argument(help="A further line, or one that was sent twice.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the people who read the books.")],
    source: Annotated[
        str | None, typer.Option("--source", help="Its ce_source, if the id alone is not enough.")
    ] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Book or withdraw a line that is held with DUPLICATE_PAYROLL_LINE. Exit 0 only when it was done."""
    from deploy.operate.heldlines import resolve as resolve_line
    from deploy.operate.target import TROUBLE, find_cluster

    try:
        done = asyncio.run(resolve_line(find_cluster(folder), line, action.value, reason, source=source))
    except (*TROUBLE, ValueError) as problem:
        fail(str(problem), as_json=as_json, ce_id=line)
    if as_json:
        print_document({"ok": True, "action": action.value, **done.as_json()})
    else:
        out.print(f"{done.ce_id}: {action.value}, {done.cents} cents of {done.participant_id}", markup=False)


@law_app.command("would-differ")
def would_differ(
    plan: Annotated[str | None, typer.Option("--plan", help="Only this plan.")] = None,
    participant: Annotated[str | None, typer.Option("--participant", help="Only this participant.")] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """List decided lines that a corrected birth, hire or wage fact would change, with cents. Nothing is touched."""
    from deploy.operate.asking import ask
    from deploy.operate.target import TROUBLE, find_cluster

    question = {"plan_id": plan, "participant_id": participant}
    try:
        said = asyncio.run(ask(find_cluster(folder), "services.contribution.differing", question))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, **said})
        return
    for line in said["lines"]:
        cents = ", ".join(f"{one['source']} {one['cents']:+}" for one in line["differences"]) or "no cents"
        codes = f"{'/'.join(line['codes_then']) or 'no code'} -> {'/'.join(line['codes_now']) or 'no code'}"
        who = f"{line['plan_id']} {line['participant_id']} {line['payroll_id']} {line['pay_date']}"
        out.print(f"{who}: {cents} cents ({codes})", markup=False)
    out.print(f"{len(said['lines'])} lines of {said['corrected_participants']} corrected participants", markup=False)

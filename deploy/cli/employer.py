"""`nestwork employer`: the employer's money of a whole year, forfeitures and restorations, worked out by the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deploy.cli.day import FolderOption
from deploy.cli.output import JsonOption, fail, out, print_document

if TYPE_CHECKING:
    from deploy.operate.forfeitures import Given

employer_app = typer.Typer(no_args_is_help=True, help="Employer money of a year; forfeitures and restorations.")

PlanArgument = Annotated[str, typer.Argument(metavar="PLAN")]
ParticipantArgument = Annotated[str, typer.Argument(metavar="PARTICIPANT")]
YearArgument = Annotated[int, typer.Argument(min=1987, max=2200, help="The calendar year the money is for.")]
PayrollOption = Annotated[
    str, typer.Option("--payroll", help="The run the lines belong to; sent twice it gives nothing twice.")
]
PayDateOption = Annotated[
    datetime | None, typer.Option("--pay-date", formats=["%Y-%m-%d"], help="Default: 31 December of the year.")
]
SourceOption = Annotated[str, typer.Option("--source", help="The plan's source that is credited.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what everybody would get.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(employer_app, name="employer")


@employer_app.callback()
def employer() -> None:
    """Quiet logs: the answer is the output."""
    from shared.runtime.logs import configure_logs

    configure_logs("employer", "ERROR")


@employer_app.command("true-up")
def true_up(
    plan: PlanArgument,
    year: YearArgument,
    payroll: PayrollOption,
    pay_date: PayDateOption = None,
    dry_run: DryRunOption = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay what an annual match formula gives above what was matched pay by pay."""
    asked = {"kind": "true_up", "plan_id": plan, "year": year}
    _give(asked, payroll, pay_date, dry_run=dry_run, folder=folder, as_json=as_json)


@employer_app.command("true-up-job")
def true_up_job(
    year: Annotated[
        int | None, typer.Option("--year", min=1987, max=2200, help="Default: the year before the last date cut.")
    ] = None,
    dry_run: DryRunOption = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """True up every plan with an annual match, a run per plan; run again it gives what is missing by then."""
    from deploy.operate.employer import true_up_all
    from deploy.operate.target import TROUBLE, find_cluster

    try:
        given = asyncio.run(true_up_all(find_cluster(folder), year, dry_run=dry_run))
    except (*TROUBLE, ValueError) as problem:
        fail(str(problem), as_json=as_json)
    is_whole = all(one["ok"] for one in given)
    if as_json:
        print_document({"ok": is_whole, "plans": given})
    for one in () if as_json else given:
        said = f"{one['cents']} cents to {len(one['shares'])} participants" if one["ok"] else one["error"]
        out.print(f"{one['plan_id']:<24}{one['year']}  {said}", markup=False)
    if not is_whole:
        raise typer.Exit(1)


@employer_app.command("nonelective")
def nonelective(
    plan: PlanArgument,
    year: YearArgument,
    payroll: PayrollOption,
    percent: Annotated[
        str, typer.Option("--percent", help="Percent of the year's pay so far, up to 401(a)(17).")
    ] = "3",
    source: SourceOption = "qnec",
    pay_date: PayDateOption = None,
    dry_run: DryRunOption = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give everybody a share of this year's pay, less what the source has had this year."""
    asked = {"kind": "nonelective", "plan_id": plan, "year": year, "percent": percent, "source": source}
    _give(asked, payroll, pay_date, dry_run=dry_run, folder=folder, as_json=as_json)


@employer_app.command("profit-sharing")
def profit_sharing(
    plan: PlanArgument,
    year: YearArgument,
    payroll: PayrollOption,
    amount: Annotated[str, typer.Option("--amount", help="Dollars to divide, such as 9000.00.")],
    method: Annotated[
        Literal["pro_rata", "per_capita"], typer.Option("--method", help="By counted pay, or by heads.")
    ] = "pro_rata",
    source: SourceOption = "profit_sharing",
    pay_date: PayDateOption = None,
    dry_run: DryRunOption = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Divide an amount over everybody with pay in the year, to the cent."""
    from shared.values.money import cents_of

    try:
        cents = cents_of(amount)
    except ValueError as problem:
        fail(str(problem), as_json=as_json, status=2)
    asked = {
        "kind": "discretionary", "plan_id": plan, "year": year, "cents": cents, "method": method, "source": source,
    }  # fmt: skip
    _give(asked, payroll, pay_date, dry_run=dry_run, folder=folder, as_json=as_json)


@employer_app.command("forfeit")
def forfeit(
    plan: PlanArgument,
    participant: ParticipantArgument,
    payroll: Annotated[str, typer.Option("--payroll", help="The name under which the forfeiture is found again.")],
    because: Annotated[
        Literal["cash_out", "breaks"],
        typer.Option("--because", help="The vested balance was paid out, or five one-year breaks went by."),
    ],
    dry_run: DryRunOption = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take what somebody who left is not vested in into the plan's forfeiture account."""
    from deploy.operate.forfeitures import forfeit as send

    _run(lambda config: send(config, plan, participant, because, payroll, dry_run=dry_run), folder, as_json=as_json)


@employer_app.command("restore")
def restore(
    plan: PlanArgument,
    participant: ParticipantArgument,
    payroll: Annotated[str, typer.Option("--payroll", help="The run by which the employer's cash comes.")],
    pay_date: Annotated[datetime, typer.Option("--pay-date", formats=["%Y-%m-%d"], help="The date of the run.")],
    dry_run: DryRunOption = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give back, in the same cents, what somebody forfeited who works again."""
    from deploy.operate.forfeitures import restore as send

    paid_on = pay_date.date()
    _run(lambda config: send(config, plan, participant, payroll, paid_on, dry_run=dry_run), folder, as_json=as_json)


def _run(work: Callable[[Any], Coroutine[Any, Any, Given]], folder: Any, *, as_json: bool) -> None:
    from deploy.operate.target import TROUBLE, find_cluster

    try:
        given = asyncio.run(work(find_cluster(folder)))
    except (*TROUBLE, ValueError) as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, **given.as_json()})
        return
    for source, cents in sorted(given.by_source.items()):
        out.print(f"{source:<24}{cents:>14}", markup=False)
    verb = "sent" if given.sent else "not sent"
    out.print(f"{given.kind} of {given.cents} cents, {len(given.requests)} requests, {verb}", markup=False)


def _give(
    asked: dict[str, Any], payroll: str, pay_date: datetime | None, *, dry_run: bool, folder: Any, as_json: bool
) -> None:
    from deploy.operate.employer import give
    from deploy.operate.target import TROUBLE, find_cluster

    paid_on = date(asked["year"], 12, 31) if pay_date is None else pay_date.date()
    if paid_on.year != asked["year"]:
        outside = f"the pay date {paid_on} lies outside {asked['year']}, whose limits the money uses"
        fail(outside, as_json=as_json, status=2)
    try:
        money = asyncio.run(give(find_cluster(folder), asked, payroll, paid_on, dry_run=dry_run))
    except (*TROUBLE, ValueError) as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, **money.as_json()})
        return
    for participant, cents in sorted(money.shares.items()):
        out.print(f"{participant:<24}{cents:>14}", markup=False)
    verb = "sent" if money.sent else "not sent"
    out.print(f"{money.cents} cents to {len(money.shares)} participants as {money.source}, {verb}", markup=False)
    if money.drift_cents:
        out.print(f"{-money.drift_cents} cents were paid above the annual formula by rounding; they stay", markup=False)

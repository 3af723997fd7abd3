"""`nestwork load`: offer load by the clock, check every answer to the cent, compare two results."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from deploy.cli.output import JsonOption, fail, note, out, print_document
from deploy.load.profiles import ProfileName

if TYPE_CHECKING:
    from deploy.load.result import LoadResult
    from deploy.load.wish import Wish

RESULT_NAME = "result.json"

load_app = typer.Typer(no_args_is_help=True, help="Offer load that waits for nobody, and check every answer.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(load_app, name="load")


def parse_rate(text: str) -> float | None:
    """Lines per second; None for ``max``. Raises ``typer.BadParameter``."""
    if text == "max":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1_000_000:
        raise typer.BadParameter(f"--rate takes lines per second or max, not {text!r}")
    return rate


Participants = Annotated[int, typer.Option(min=1, max=5_000_000, help="People who contribute.")]
Rate = Annotated[str, typer.Option(help="Lines per second at the highest, or max: as many as are answered.")]
Seconds = Annotated[float, typer.Option(min=1, max=86_400, help="How long lines are offered.")]
Shape = Annotated[
    str, typer.Option(help="A shape of your own instead: SECONDS:RATE or SECONDS:FROM-TO, with commas between.")
]
CloseAt = Annotated[str, typer.Option(help="With --shape: close a business day after these seconds.")]
KillAt = Annotated[str, typer.Option(help="With --shape: kill -9 a worker after these seconds.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Where result, pictures and page go.")]
ClusterFolder = Annotated[
    Path | None, typer.Option("--folder", help="A running cluster; else the environment's, else one of its own.")
]
Partitions = Annotated[int, typer.Option(min=1, max=4096, help="Partitions of an own cluster.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Workers per service of an own cluster.")]
Strangers = Annotated[bool, typer.Option("--i-know", help="Allow servers that are not on this machine.")]


@load_app.command("run")
def run(
    context: typer.Context,
    participants: Participants = 20_000,
    rate: Rate = "1000",
    profile: Annotated[ProfileName, typer.Option(help="The shape of the load.")] = "steady",
    seconds: Seconds = 60.0,
    shape: Shape = "",
    close_at: CloseAt = "",
    kill_at: KillAt = "",
    folder_out: OutFolder = Path("reports/load"),
    folder: ClusterFolder = None,
    partitions: Partitions = 8,
    workers: Workers = 1,
    seed: Annotated[int, typer.Option(help="Chooses the workers that are killed.")] = 1,
    close: Annotated[bool, typer.Option(help="Close, value and prove the days; without it only receipts.")] = True,
    pictures: Annotated[bool, typer.Option(help="Draw PNG files and a page.")] = True,
    i_know: Strangers = False,
    as_json: JsonOption = False,
) -> None:
    """Offer payroll lines by the clock. Exit 0 only when each got one answer and every cent is where it belongs.

    Exit 2 for what is refused before anything starts. With --rate max, profiles say how many lines may be unanswered
    (up to 20,000) instead of how many come, and latency counts from sending.
    """
    from deploy.load.wish import Wish
    from deploy.operate.target import OperatorError
    from shared.runtime.logs import configure_logs

    configure_logs("load", "ERROR")
    if partitions & (partitions - 1):
        fail(f"--partitions must be a power of two, not {partitions}", as_json=as_json, status=2)
    try:
        wish = Wish(participants, parse_rate(rate), profile, seconds, seed, close)
        if shape or close_at or kill_at:
            wish = _own(wish, _told(context), shape, close_at, kill_at)
        wish.refuse_senseless()
        require_writable(folder_out)
    except OperatorError as problem:
        fail(str(problem), as_json=as_json, status=2)
    result = _measured(_run(wish, folder, partitions, workers, i_know), as_json)
    _answer(result, write_result(result, folder_out, pictures), as_json)


def _told(context: typer.Context) -> list[str]:
    """Those of the options of a profile that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in ("profile", "rate", "seconds")}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def _measured(running: Coroutine[Any, Any, LoadResult], as_json: bool) -> LoadResult:
    """What the run came to; ends the command when there is no result."""
    from deploy.cluster import ClusterError
    from deploy.operate.target import TROUBLE

    try:
        return asyncio.run(running)
    except (*TROUBLE, ClusterError) as problem:
        fail(str(problem) or "the engine did not get there in time", as_json=as_json)
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail("interrupted; a cluster of its own has been ended", as_json=as_json, status=130)


def _answer(result: LoadResult, written: list[Path], as_json: bool) -> None:
    if as_json:
        print_document(result.model_dump())
    else:
        _print(result, written)
    if not (result.ok and written):
        raise typer.Exit(1)


def _own(wish: Wish, told: list[str], shape: str, close_at: str, kill_at: str) -> Wish:
    """The wish with a shape that was told. Raises ``OperatorError`` for none, or for two things at once."""
    from deploy.load.profiles import own_profile, read_moments, read_shape
    from deploy.operate.target import OperatorError

    if not shape:
        raise OperatorError("--close-at and --kill-at go with --shape")
    if told:
        raise OperatorError(f"--shape says it all: leave out {', '.join(f'--{name}' for name in told)}")
    if close_at and not wish.close:
        raise OperatorError("--close-at closes business days and --no-close does not")
    try:
        pieces = read_shape(shape)
        own = own_profile(pieces, read_moments(close_at), read_moments(kill_at))
    except ValueError as problem:
        raise OperatorError(str(problem)) from problem
    said = " ".join(f"{name} {text}" for name, text in (("", shape), ("close", close_at), ("kill", kill_at)) if text)
    rate = max(max(piece.rate_from, piece.rate_to) for piece in pieces)
    seconds = sum(piece.seconds for piece in pieces)
    return replace(wish, rate=rate, seconds=seconds, own=own, own_text=said.strip())


async def _run(wish: Wish, folder: Path | None, partitions: int, workers: int, i_know: bool) -> LoadResult:
    from deploy.load.run import run_load
    from deploy.load.target import open_target

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    note("finding or starting the cluster")
    async with open_target(folder, partitions=partitions, workers=workers, i_know=i_know) as target:
        return await run_load(target, wish, note)


def require_writable(folder: Path) -> None:
    """Make the folder of the result and try to write there: after the run it would be too late to hear of it.

    Raises ``OperatorError``.
    """
    from deploy.operate.target import OperatorError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise OperatorError(f"--out {folder} can't be written to: {problem.strerror or problem}") from problem
    if (folder / RESULT_NAME).is_dir():
        raise OperatorError(f"--out {folder} holds a folder of the name {RESULT_NAME}")


def write_result(result: LoadResult, folder: Path, pictures: bool) -> list[Path]:
    """Write result, pictures and page; returns their paths, none when the folder takes no more."""
    from deploy.load.pictures import draw

    document = folder / RESULT_NAME
    try:
        document.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return [document, *(draw(result, folder) if pictures else ())]
    except OSError as problem:  # A disk may fill up during a run; its answer is still printed.
        note(f"nestwork: the result could not be written to {folder}: {problem.strerror or problem}")
        return []


def _print(result: LoadResult, written: list[Path]) -> None:
    from deploy.load.compare import OTHERS_SHARE_MAX

    offered, achieved, right = result.offered, result.achieved, result.correctness
    out.print(f"offered    {offered.lines} lines in {offered.seconds} s, {offered.per_s} per second")
    if not offered.generator_kept_up:
        out.print(f"           the sender itself was late: p99 {offered.generator_lag_ms.p99} ms")
    if (result.others_cpu_share or 0.0) > OTHERS_SHARE_MAX:
        out.print(f"           others took {result.others_cpu_share:.0%} of the machine meanwhile")
    out.print(
        f"answered   {achieved.answered} lines, {achieved.per_s} per second; last {achieved.drain_seconds} s later"
    )
    if result.latency_from == "sent":
        out.print("latency    from sending, not from when lines were due: --rate max sends only what was waited for")
    for name, one in result.latency_ms.items():
        out.print(f"{name:<20} p50 {one.p50} ms, p99 {one.p99} ms, p99.9 {one.p999} ms, max {one.max} ms")
    knee = result.knee_per_s or 0.0
    for step in result.steps:
        word = "sustained" if step.sustained else "disturbed" if step.rate < knee else "not sustained"
        out.print(f"  {step.rate:>9} per second: answered {step.answered_per_s}, p99 {step.p99} ms, {word}")
    if result.steps:
        out.print(f"knee       {f'{knee} per second' if knee else 'below the first step'}")
    for kill in result.kills:
        out.print(f"killed     {kill.worker} at {kill.second} s, ready {kill.ready_again_seconds} s later, "
                  f"worst latency {kill.worst_latency_ms} ms")  # fmt: skip
    for group, spent in result.cpu_microseconds_per_contribution.items():
        out.print(f"CPU of {group:<13}{spent:>9.1f} µs per contribution")
    for day in right.days:
        out.print(f"{day['trade_date']} proof {day['proof']}: {day['equations']} equations")
    out.print("correct to the cent" if right.ok else "NOT correct:\n  " + "\n  ".join(right.faults), markup=False)
    if written:
        out.print("written: " + ", ".join(str(path) for path in written), markup=False)


@load_app.command("compare")
def compare(
    before: Annotated[Path, typer.Argument(help="The result.json of one run (or its folder).")],
    after: Annotated[Path, typer.Argument(help="That of the other.")],
    noise: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Least relative change that counts, whatever the runs show.")
    ] = 0.05,
    as_json: JsonOption = False,
) -> None:
    """Compare two results of the same load. Exit 1 when the second is worse beyond the noise, or either is wrong."""
    from deploy.load.compare import NotComparable, comparison

    try:
        document = comparison(_read(before), _read(after), noise=noise)
    except (OSError, NotComparable, ValueError) as problem:
        fail(f"these results cannot be compared: {problem}", as_json=as_json, status=2)
    if as_json:
        print_document(document)
    else:
        _print_comparison(document)
    if not document["ok"]:
        raise typer.Exit(1)


def _read(path: Path) -> LoadResult:
    from deploy.load.result import LoadResult

    file = path / RESULT_NAME if path.is_dir() else path
    try:
        return LoadResult.model_validate_json(file.read_bytes())
    except ValueError as problem:  # Its own words are many lines.
        raise ValueError(f"{file} is no result of `nestwork load run`") from problem


def _print_comparison(document: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))  # Must fit 80 columns: a verdict cut short is none.
    for heading in ("figure", "before", "after", "change", "noise", "verdict"):
        table.add_column(heading, no_wrap=True)
    for one in document["differences"]:
        change, band = f"{one['change']:+.1%}", f"± {one['band']:.1%}"
        table.add_row(one["figure"], str(one["before"]), str(one["after"]), change, band, one["verdict"])
    out.print(table)
    if document["machine_was_busy"]:
        shares = ", ".join(
            f"{share:.0%} {name}" for name, share in document["others_cpu_share"].items() if share is not None
        )
        out.print(f"others took much of the machine ({shares}): a difference may be theirs")
    if not document["both_correct"]:
        out.print("at least one of the runs is not correct, so its speed does not count")
        for name, faults in document["faults"].items():
            for fault in faults:
                out.print(f"  {name}: {fault}", markup=False)

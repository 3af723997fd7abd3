"""`nestwork bench`: measured runs."""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.output import JsonOption, fail, note, out, print_document
from deploy.cluster import Cluster, ClusterError

bench_app = typer.Typer(
    no_args_is_help=True, help="Measure a payday: rates, CPU, memory, and the proof that nothing is lost."
)

ParticipantsOption = Annotated[int, typer.Option(min=1, help="Contributions of the payday, one per participant.")]
WorkersOption = Annotated[int, typer.Option(min=1, help="Workers per service.")]
PartitionsOption = Annotated[int, typer.Option(min=1, max=4096, help="Partitions, a power of two.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(bench_app, name="bench")


@bench_app.callback()
def bench() -> None:
    """Keep `payday` a command of the group."""


@bench_app.command("payday")
def payday(
    participants: ParticipantsOption = 50_000,
    as_json: JsonOption = False,
    workers: WorkersOption = 1,
    partitions: PartitionsOption = 8,
    rounds: Annotated[int, typer.Option(min=1, help="Paydays on consecutive trading days, in one cluster.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cluster's folder (logs, data) behind.")] = False,
) -> None:
    """Publish PARTICIPANTS contributions (3 sources, 4 funds each) and time them to the last participant valued."""
    if partitions & (partitions - 1):
        fail(f"--partitions must be a power of two, not {partitions}", as_json=as_json)
    try:
        document = asyncio.run(_payday(participants, workers, partitions, rounds, keep))
    except (ClusterError, TimeoutError) as problem:
        fail(str(problem) or "the payday did not end in time", as_json=as_json)
    if as_json:
        print_document(document)
    else:
        _print(document)
    if document["proof"] != "ok":
        raise typer.Exit(1)


async def _payday(participants: int, workers: int, partitions: int, rounds: int, keep: bool) -> dict[str, Any]:
    from deploy.bench.payday import run_paydays
    from deploy.bench.world import World
    from shared.runtime.logs import configure_logs

    configure_logs("bench", "ERROR")
    folder = Path(tempfile.mkdtemp(prefix="nestwork-bench-"))
    services = ("contribution", "allocation", "trading", "valuation")
    try:
        note("starting the cluster")
        cluster = await Cluster.start(folder, partitions=partitions, workers=dict.fromkeys(services, workers))
        async with cluster:
            measured = await run_paydays(cluster, World(participants), rounds, note)
    finally:
        if keep:
            note(f"the cluster's files are in {folder}")
        else:
            _remove(folder)
    return _document(measured, workers, partitions)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _document(measured: dict[str, Any], workers: int, partitions: int) -> dict[str, Any]:
    """The last payday's figures on top, all rounds below."""
    rounds = measured["rounds"]
    proven = all(one["proof"] == "ok" for one in rounds)
    return {
        **rounds[-1],
        "ok": proven,
        "proof": "ok" if proven else "broken",
        "workers_per_service": workers,
        "partitions": partitions,
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        **measured,
    }


def _print(document: dict[str, Any]) -> None:
    for one in document["rounds"]:
        out.print(f"{one['payday']}: {one['contributions']} contributions in {one['seconds']} s, "
                  f"{one['contributions_per_s']} per second, proof {one['proof']}")  # fmt: skip
        for phase, seconds in one["seconds_by_phase"].items():
            out.print(f"    {phase:<24}{seconds:>10.2f} s")
        for group, microseconds in one["cpu_microseconds_per_contribution"].items():
            out.print(f"    CPU of {group:<17}{microseconds:>10.1f} µs per contribution")
        for fault in one["faults"]:
            out.print(f"    {fault}", markup=False)

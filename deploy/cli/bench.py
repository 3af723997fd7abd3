"""`nestwork bench`: measured runs."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.output import JsonOption, fail, note, out, print_document
from deploy.cluster import Cluster, ClusterError

READY_SECONDS = 180.0
SERVICES = ("contribution", "allocation", "trading", "valuation")

bench_app = typer.Typer(no_args_is_help=True, help="Measure a payday: rates, CPU, memory, and that nothing is lost.")

ParticipantsOption = Annotated[int, typer.Option(min=1, help="Contributions of the payday, one per participant.")]
WorkersOption = Annotated[
    int, typer.Option(min=1, help="Workers per service; one for each processor, at most four, unless told.")
]
WORKERS = min(4, os.cpu_count() or 1)
"""The stages follow each other: one worker of each would leave the other processors idle."""
KeepOption = Annotated[bool, typer.Option("--keep", help="Leave the cluster's folder (logs, data) behind.")]
PartitionsOption = Annotated[int, typer.Option(min=1, max=4096, help="Partitions, a power of two.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(bench_app, name="bench")


@bench_app.command("payday")
def payday(
    participants: ParticipantsOption = 50_000,
    as_json: JsonOption = False,
    workers: WorkersOption = WORKERS,
    partitions: PartitionsOption = 8,
    rounds: Annotated[int, typer.Option(min=1, help="Paydays on consecutive trading days, in one cluster.")] = 1,
    keep: KeepOption = False,
    compare_rules: Annotated[
        bool, typer.Option("--compare-rules", help="Measure with bare plans and with all rules, in turns, in one run.")
    ] = False,
    floors: Annotated[
        bool, typer.Option("--floors", help="Then time the bare COPY of its rows and the bare log of its bytes.")
    ] = False,
) -> None:
    """Publish PARTICIPANTS contributions (3 sources, 4 funds each) and time them to the last participant valued."""
    _check_partitions(partitions, as_json=as_json)
    if floors and compare_rules:
        fail("--floors and --compare-rules are two measurements: run one after the other", as_json=as_json, status=2)
    _check_rounds(rounds, compare_rules, as_json=as_json)
    measure = _compare_rules if compare_rules else partial(_payday, floors=floors)
    try:
        document = asyncio.run(measure(participants, workers, partitions, rounds, keep))
    except (ClusterError, TimeoutError) as problem:
        fail(str(problem) or "the payday did not end in time", as_json=as_json)
    if as_json:
        print_document(document)
    else:
        _print(document)
        if compare_rules:
            _print_rules_cost(document)
        if floors:
            _print_floors(document["floors"])
    if not document["ok"]:
        raise typer.Exit(1)


@bench_app.command("first-stage")
def first_stage(
    participants: ParticipantsOption = 20_000,
    as_json: JsonOption = False,
    partitions: PartitionsOption = 8,
    rounds: Annotated[int, typer.Option(min=1, max=10, help="How often both drain a backlog, in turns.")] = 2,
    keep: KeepOption = False,
) -> None:
    """Drain PARTICIPANTS waiting contributions with the first service, then the same ones with a plain Faust agent."""
    _check_partitions(partitions, as_json=as_json)
    try:
        document = asyncio.run(_first_stage(participants, partitions, rounds, keep))
    except (ClusterError, TimeoutError) as problem:
        fail(str(problem) or "the backlog was not drained in time", as_json=as_json)
    if as_json:
        print_document(document)
    else:
        for name in ("engine", "plain_faust"):
            each = ", ".join(str(one.get("contributions_per_s", one.get("error"))) for one in document[name]["rounds"])
            out.print(
                f"{name:<12}{document[name]['contributions_per_s']} contributions per second ({each})", markup=False
            )
        out.print(f"ratio       {document['ratio']}")
    if not document["ok"]:
        raise typer.Exit(1)


@bench_app.command("rules")
def rules(participants: ParticipantsOption = 4_000, as_json: JsonOption = False) -> None:
    """Decide a made-up year of PARTICIPANTS people (26 paydays) with the rules alone, on one core."""
    from deploy.bench.rules import measure_rules

    try:
        document = measure_rules(participants) | {"machine": _machine()}
    except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document(document)
    else:
        for name in ("lines", "decided_per_s", "read_per_s", "checked_for_repeats_per_s", "all_steps_per_s"):
            out.print(f"{name:<28}{document[name]:>12,}")
    if not document["ok"]:
        raise typer.Exit(1)


@bench_app.command("scale")
def scale(
    participants: ParticipantsOption = 10_000,
    as_json: JsonOption = False,
    workers: Annotated[str, typer.Option(help="Workers per service to try, at the fewest partitions.")] = "1,2,4",
    partitions: Annotated[str, typer.Option(help="Partitions to try, with two workers.")] = "8,64,256",
    history: Annotated[int, typer.Option(min=0, max=50_000_000, help="Contributions of a made-up past; 0: none.")] = 0,
) -> None:
    """Measure paydays, cold start and rebalance at several sizes, and on tables with history. A cluster for each."""
    try:
        counts, parts = ([int(one) for one in text.split(",")] for text in (workers, partitions))
    except ValueError:
        fail("--workers and --partitions take numbers with commas between", as_json=as_json, status=2)
    if min(counts) < 1:
        fail(f"--workers takes numbers from 1 on, not {min(counts)}", as_json=as_json, status=2)
    for count in parts:
        _check_partitions(count, as_json=as_json)
    try:
        document = asyncio.run(_scale(participants, counts, parts, history))
    except (ClusterError, TimeoutError) as problem:
        fail(str(problem) or "a size was not measured in time", as_json=as_json)
    if as_json:
        print_document(document)
    else:
        _print_scale(document)
    if not document["ok"]:
        raise typer.Exit(1)


def _check_rounds(rounds: int, compare_rules: bool, *, as_json: bool) -> None:
    from deploy.bench.payday import paydays
    from deploy.bench.ruled import TURNS

    try:
        paydays(*(rounds * len(TURNS), len(set(TURNS))) if compare_rules else (rounds,))
    except ValueError as problem:
        fail(f"--rounds {rounds}: {problem}", as_json=as_json, status=2)


def _check_partitions(partitions: int, *, as_json: bool) -> None:
    if partitions < 1 or partitions & (partitions - 1):
        fail(f"--partitions must be a power of two, not {partitions}", as_json=as_json, status=2)


@asynccontextmanager
async def _cluster(workers: int, partitions: int, keep: bool) -> AsyncIterator[Cluster]:
    """A fresh cluster in a folder of its own, gone afterwards unless it shall be kept."""
    from shared.runtime.logs import configure_logs

    configure_logs("bench", "ERROR")
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # So that a folder is never left behind.
    folder = Path(tempfile.mkdtemp(prefix="nestwork-bench-"))
    try:
        note("starting the cluster")
        counts = dict.fromkeys(SERVICES, workers)
        async with await Cluster.start(
            folder, partitions=partitions, workers=counts, ready_timeout_seconds=READY_SECONDS
        ) as started:
            yield started
    finally:
        if keep:
            note(f"the cluster's files are in {folder}")
        else:
            _remove(folder)


async def _payday(
    participants: int, workers: int, partitions: int, rounds: int, keep: bool, *, floors: bool = False
) -> dict[str, Any]:
    from deploy.bench.payday import run_paydays
    from deploy.bench.world import World

    async with _cluster(workers, partitions, keep) as cluster:
        measured = await run_paydays(cluster, World(participants), rounds, note, floors=floors)
    return _document(measured, workers, partitions)


async def _compare_rules(participants: int, workers: int, partitions: int, rounds: int, keep: bool) -> dict[str, Any]:
    from deploy.bench.ruled import compare_rules

    async with _cluster(workers, partitions, keep) as cluster:
        measured = await compare_rules(cluster, participants, rounds, note)
    return {**measured, "workers_per_service": workers, "partitions": partitions, "machine": _machine()}


async def _first_stage(participants: int, partitions: int, rounds: int, keep: bool) -> dict[str, Any]:
    from deploy.bench.firststage import run_first_stage
    from deploy.bench.world import World

    async with _cluster(1, partitions, keep) as cluster:
        measured = await run_first_stage(cluster, World(participants), rounds, note)
    return measured | {"partitions": partitions, "machine": _machine()}


async def _scale(participants: int, workers: list[int], partitions: list[int], history: int) -> dict[str, Any]:
    from deploy.bench.scale import measure_history, measure_size, sizes
    from deploy.bench.world import World

    world, measured = World(participants), []
    for size in sizes(workers, partitions):
        began = time.monotonic()
        async with _cluster(size.workers, size.partitions, keep=False) as cluster:
            cold_start = time.monotonic() - began
            measured.append(await measure_size(cluster, world, size, cold_start, note))
    past = None
    if history:
        async with _cluster(1, min(partitions), keep=False) as cluster:
            past = await measure_history(cluster, world, history, note)
    paydays = [one["payday"] for one in measured] + (past["paydays"] if past else [])
    proven = all(one["proof"] == "ok" for one in paydays)
    return {
        "ok": proven, "contributions": participants, "sizes": measured, "history": past, "machine": _machine(),
    }  # fmt: skip


def _print_scale(document: dict[str, Any]) -> None:
    for one in document["sizes"]:
        payday, again = one["payday"], one["rebalance"]
        spent = sum(payday["cpu_microseconds_per_contribution"].values())
        out.print(f"{one['workers_per_service']} workers, {one['partitions']} partitions: "
                  f"{payday['contributions_per_s']} per second, {spent:.0f} µs of CPU each, "
                  f"cold start {one['cold_start_seconds']} s")  # fmt: skip
        if again:
            out.print(f"    a lost worker's lanes taken over after {again['taken_over_seconds']} s, "
                      f"shared again after {again['shared_again_seconds']} s")  # fmt: skip
    if past := document["history"]:
        out.print(f"history of {past['rows']} rows: CPU per contribution changes by {past['cpu_change']:+.1%}")


def _remove(folder: Path) -> None:
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
        "machine": _machine(),
        **measured,
    }


def _machine() -> dict[str, Any]:
    load = round(os.getloadavg()[2], 1)
    return {
        "cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(),
        "load_average_15_minutes": load,
    }  # fmt: skip


def _print_rules_cost(document: dict[str, Any]) -> None:
    for side in ("rules_off", "rules_on"):
        one = document[side]
        out.print(f"{side:<12}{one['contributions_per_s']} per second, {one['cpu_microseconds_in_all']} µs of CPU each")
    out.print(
        f"the rules cost {document['rules_cost']:.1%} of the throughput, {document['rules_cost_max']:.0%} is the most"
    )


def _print_floors(floors: dict[str, Any]) -> None:
    for name, what, unit in (("copy", "bare COPY of", "rows"), ("log", "bare produce and consume of", "records")):
        one = floors[name]
        spent = ", ".join(f"{group} {each}" for group, each in one["cpu_microseconds_per_contribution"].items())
        out.print(f"{what} {one[unit]} {unit}, {one['bytes']} bytes: {one['seconds']} s, µs of CPU each: {spent}")
    engine, ratio = floors["engine"]["cpu_microseconds_per_contribution"], floors["ratio"]
    said = "; ".join(
        f"{what}: {of['copy']} times COPY, {of['log']} times the log, {of['both']} times both"
        for what, of in (("CPU", ratio["cpu"]), ("seconds", ratio["seconds"]))
    )
    out.print(f"the engine takes {engine} µs of CPU each. {said}")


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

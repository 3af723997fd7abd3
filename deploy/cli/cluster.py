"""nestwork up, status, down: the embedded cluster from the command line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from deploy.cli.output import JsonOption, fail, note, out, print_document
from deploy.cluster import Cluster, ClusterError
from deploy.cluster.cluster import worker_counts
from deploy.cluster.launch import answers, end_cluster, refuse_if_running, require_state
from deploy.cluster.state import ProcessRecord, State

DEFAULT_FOLDER = Path(".nestwork")
FolderOption = Annotated[Path, typer.Option("--folder", help="Where data, logs and state live.")]


def register(app: typer.Typer) -> None:
    """Add up, status and down."""
    app.command()(up)
    app.command()(status)
    app.command()(down)


def parse_workers(texts: list[str]) -> dict[str, int]:
    """Worker counts from ``SERVICE=N`` words; a bare ``N`` means every service. Raises ``ClusterError``."""
    counts: dict[str, int] = {}
    for text in texts:
        service, equals, number = text.rpartition("=")
        if not number.isdigit() or int(number) < 1:
            raise ClusterError(f"--workers takes SERVICE=N with N at least 1, not {text!r}")
        chosen = [service] if equals else list(worker_counts(None))
        counts |= dict.fromkeys(chosen, int(number))
    return worker_counts(counts)


def up(
    workers: Annotated[list[str] | None, typer.Option("--workers", help="SERVICE=N, or N for all.")] = None,
    partitions: Annotated[int, typer.Option(min=1, max=4096, help="Lanes; a power of two.")] = 8,
    folder: FolderOption = DEFAULT_FOLDER,
    market_mode: Annotated[Literal["on", "off"], typer.Option(help="Close days by the market's clock.")] = "off",
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and end everything with Ctrl-C.")] = False,
    custodian: Annotated[bool, typer.Option(help="Run the simulated custodian.")] = True,
    intake: Annotated[bool, typer.Option(help="Take payroll files over HTTP.")] = True,
    fast_broker: Annotated[bool, typer.Option("--fast-broker", help="Tune Kafka for load, not start-up.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Never fetch anything.")] = False,
    jars: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder with Kafka's jars, for machines without a network."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start Kafka, PostgreSQL, the four services and the simulated custodian."""
    if partitions & (partitions - 1):
        fail(f"--partitions must be a power of two, not {partitions}", as_json=as_json, status=2)
    try:
        counts = parse_workers(workers or [])
    except ClusterError as problem:
        fail(str(problem), as_json=as_json, status=2)
    try:
        refuse_if_running(folder)
        options: dict[str, Any] = {
            "partitions": partitions,
            "workers": counts,
            "market_mode": market_mode,
            "custodian": custodian,
            "intake": intake,
            "offline": offline,
            "jar_folder": jars,
            "broker_full_compiler": fast_broker,
            "broker_heap_mb": 1024 if fast_broker else 512,
        }
        asyncio.run(_up(folder, foreground, as_json, options))
    except ClusterError as problem:
        fail(str(problem), as_json=as_json)
    except KeyboardInterrupt:
        fail("interrupted; everything that was started has been ended", as_json=as_json, status=130)


async def _up(folder: Path, foreground: bool, as_json: bool, options: dict[str, Any]) -> None:
    note(f"starting in {folder} …")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(Cluster.start(folder, tied=foreground, use_given_servers=True, **options))

    def interrupt() -> None:
        stopping.set()
        starting.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        cluster = await starting
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    _show(require_state(folder), as_json)
    if foreground:
        note("running; Ctrl-C ends it")
        with contextlib.suppress(asyncio.CancelledError):
            await stopping.wait()
        await cluster.stop()


def status(folder: FolderOption = DEFAULT_FOLDER, as_json: JsonOption = False) -> None:
    """Show processes, ports and URLs; exit 0 only when all of them serve."""
    try:
        state = require_state(folder)
    except ClusterError as problem:
        fail(str(problem), as_json=as_json)
    if not _show(state, as_json):
        raise typer.Exit(1)


def down(folder: FolderOption = DEFAULT_FOLDER, as_json: JsonOption = False) -> None:
    """End the cluster of a folder: exactly its own processes, also after a crash. Data stays."""
    try:
        ended = end_cluster(folder)
    except ClusterError as problem:
        fail(str(problem), as_json=as_json)
    if as_json:
        print_document({"ok": True, "ended": ended})
    else:
        out.print(f"ended {', '.join(ended)}" if ended else "nothing was running")


def describe(state: State) -> dict[str, Any]:
    """The cluster as ``status --json`` prints it."""
    brokers = sum(1 for name in state.ports if name.endswith("-controller"))
    processes = [_describe_process(record, brokers) for record in state.processes.values()]
    supervised = state.supervisor.identity.alive()
    return {
        "ok": supervised and state.phase == "running" and all(process["ready"] for process in processes),
        "phase": state.phase if supervised or state.phase in ("stopped", "failed") else "unsupervised",
        "message": state.message,
        "bootstrap_servers": state.bootstrap,
        "database_url": state.database_url,
        "marker_key_file": state.marker_key_file,
        "partitions": state.partitions,
        "market_mode": state.market_mode,
        "supervisor": {"pid": state.supervisor.pid, "alive": supervised, "log": state.supervisor.log},
        "processes": processes,
    }


def _describe_process(record: ProcessRecord, brokers: int) -> dict[str, Any]:
    alive = record.identity.alive()
    return {
        "name": record.name,
        "kind": record.kind,
        "pid": record.pid,
        "alive": alive,
        "ready": alive and answers(record, brokers=brokers),
        "port": record.port,
        "url": record.url,
        "restarts": record.restarts,
        "log": record.log,
    }


def _show(state: State, as_json: bool) -> bool:
    document = describe(state)
    if as_json:
        print_document(document)
        return bool(document["ok"])
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "pid", "state", "restarts", "address"):
        table.add_column(heading)
    for process in document["processes"]:
        condition = "ready" if process["ready"] else "starting" if process["alive"] else "dead"
        address = process["url"] or (f"127.0.0.1:{process['port']}" if process["port"] else "")
        table.add_row(process["name"], str(process["pid"]), condition, str(process["restarts"]), address)
    out.print(table)
    out.print(f"cluster is {document['phase']} {document['message']}".rstrip(), markup=False)
    return bool(document["ok"])

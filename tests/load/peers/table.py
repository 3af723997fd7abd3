"""The results as Markdown, for people and for docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from deploy.load.surroundings import cpu_model
from tests.load.peers import engine, harness

BEGIN, END = "<!-- peers: written by `tests/load/peers/run --write` -->\n", "<!-- /peers -->\n"
TITLES = {engine.NAME: (engine.TITLE, engine.GUARANTEE)} | {
    peer.name: (peer.title, peer.guarantee) for peer in harness.PEERS
}

DRAINED = (
    "| drain of a full topic | lines | runs | contributions/s min / median / max | "
    "CPU µs per contribution: worker, broker, PostgreSQL | checked |",
    "|---|---|---|---|---|---|",
)
KILLED = (
    "| kill -9 in the middle | lines | kills | lost | doubled | cents not allocated | rejects lost / doubled | "
    "going on after s | books | promised |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def read(results: Path) -> list[dict[str, Any]]:
    """All results; of a test that was repeated after an error only the last."""
    if not results.exists():
        return []
    newest = {}
    for line in results.read_text().splitlines():
        one = json.loads(line)
        newest[one["peer"], one["test"], one["round"], one["n"]] = one
    return list(newest.values())


def markdown(found: list[dict[str, Any]]) -> str:
    """Both tables with what was measured on."""
    if not found:
        return "Nothing was measured yet.\n"
    groups: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for one in found:
        groups[one["test"], one["peer"]].append(one)
    machine = f"{os.cpu_count()} CPUs ({cpu_model()}), {platform.system()}, Python {platform.python_version()}"
    loads = [one["load_before"] for one in found if "load_before" in one]
    noise = f"load average before the runs {min(loads)} to {max(loads)}" if loads else "load not recorded"
    lines = [f"Machine: {machine}; broker, PostgreSQL, worker and checker on it together; {noise}.", ""]
    lines += [*DRAINED, *(_drained(name, groups["drain", name]) for name in TITLES if groups["drain", name]), ""]
    lines += [*KILLED, *(_killed(name, groups["kill", name]) for name in TITLES if groups["kill", name])]
    return "\n".join(lines) + "\n"


def _drained(name: str, runs: list[dict[str, Any]]) -> str:
    title = TITLES[name][0]
    good = [one for one in runs if "error" not in one]
    if not good:
        return f"| {title} | {runs[-1]['n']:,} | 0 | not run: {_cell(runs[-1]['error'])} | | |"
    speeds = [one["contributions_per_s"] for one in good]
    spread = " / ".join(f"{speed:,.0f}" for speed in (min(speeds), statistics.median(speeds), max(speeds)))
    costs = ", ".join(
        f"{statistics.median(one[part] for one in good):.0f}" for part in ("worker_us", "broker_us", "postgres_us")
    )
    right = sum(one["ok"] for one in good)
    return f"| {title} | {good[-1]['n']:,} | {len(good)} | {spread} | {costs} | {right} of {len(good)} right |"


def _killed(name: str, kills: list[dict[str, Any]]) -> str:
    title, promise = TITLES[name]
    good = [one for one in kills if "error" not in one]
    if not good:
        return f"| {title} | {kills[-1]['n']:,} | 0 | not run: {_cell(kills[-1]['error'])} | | | | | | {promise} |"

    def each(*parts: str) -> str:
        return ", ".join(" / ".join(f"{one.get(part, 0):,}" for part in parts) for one in good)

    books = ", ".join("wrong" if "books" in one["faults"] else "right" for one in good)
    return (
        f"| {title} | {good[-1]['n']:,} | {len(good)} | {each('lost')} | {each('duplicated')} | {each('cents_lost')} | "
        f"{each('rejects_lost', 'rejects_duplicated')} | {each('resumed_after_s')} | {books} | {promise} |"
    )


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")[:160]


def write(page: Path, text: str) -> None:
    """Put the table between its marks. Raises ``ValueError`` when the page has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no place for the comparison")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")

"""The whole comparison in one command: `tests/load/peers/run` (or `make bench-peers`).

Rounds are interleaved, so that a change of the machine's load meets all. Every test's result is appended to
results.jsonl at once; what stands there is not measured again, so an interrupted comparison goes on where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import subprocess
import sys
import time
import venv
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from deploy.cluster import Infrastructure
from shared.runtime.logs import configure_logs
from tests.load.peers import engine, harness, table

HERE, ROOT = harness.HERE, harness.ROOT
BROKER: dict[str, Any] = {
    "broker_full_compiler": True, "broker_heap_mb": 1024, "postgres_settings": {"shared_buffers": "'1GB'"},
    "ready_timeout_seconds": 180.0,
}  # fmt: skip
"""The same servers for the peers and for the engine: Kafka's full compiler, as anybody would run it for load."""
Test = tuple[str, str, int]
"""Peer, drain or kill, number of the round."""


def say(text: str) -> None:
    """Progress, for people."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def prepare_quix(home: Path) -> str | None:
    """Make Quix Streams' own environment; returns why not, or None when it is there."""
    folder = home / "quix"
    if (folder / "done").exists():
        return None
    say("making the environment of Quix Streams (its pins and ours differ)")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
               "--require-hashes", "-r", str(HERE / "requirements.lock")]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return "its packages could not be fetched within 300 s"
    if done.returncode:
        return f"its packages could not be installed: {done.stderr.strip()[-300:]}"
    (folder / "done").touch()
    return None


class Comparison:
    """Which tests there are, which are done, and how each is run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.home = options, options.home.resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self.results = self.home / "results.jsonl"
        if options.fresh:
            self.results.unlink(missing_ok=True)
        self.peers = {peer.name: peer for peer in harness.PEERS if peer.name in options.peers}
        self.deadline = time.monotonic() + options.minutes * 60

    def done(self) -> list[dict[str, Any]]:
        """What was measured so far."""
        return table.read(self.results)

    def at_hand(self) -> list[dict[str, Any]]:
        """What was measured with the sizes that were asked for; runs of other sizes are not comparable."""
        return [one for one in self.done() if one["n"] == self.lines(one["peer"], one["test"])]

    def lines(self, name: str, kind: str) -> int:
        """How many lines a peer gets in a test."""
        count = self.options.n if kind == "drain" else self.options.kill_n
        share = self.peers[name].share if name in self.peers else 1.0
        return int(count * share)

    def open_tests(self) -> list[Test]:
        """Everything that was not measured with these sizes yet: rounds first, then kills."""
        names = [name for name in self.options.peers if name == engine.NAME or name in self.peers]
        wanted = [(name, "drain", number) for number in range(self.options.rounds) for name in names]
        wanted += [(name, "kill", number) for number in range(self.options.kills) for name in names]
        known = {(one["peer"], one["test"], one["round"], one["n"]) for one in self.done() if "error" not in one}
        return [test for test in wanted if (*test, self.lines(test[0], test[1])) not in known]

    def note(self, test: Test, result: dict[str, Any]) -> None:
        """Keep a result at once."""
        with self.results.open("a") as file:
            file.write(json.dumps({**result, "round": test[2], "at": int(time.time())}) + "\n")
        speed = f"{result['contributions_per_s']} per second, " if "contributions_per_s" in result else ""
        verdict = result.get("error") or speed + ("right" if result["ok"] else str(result["faults"]))
        say(f"  {test[0]} {test[1]}: {verdict}")

    async def run(self) -> None:
        """All open tests, as long as there is time."""
        tests = self.open_tests()
        if not tests:
            say("everything was measured before; --fresh measures again")
            return
        missing = prepare_quix(self.home) if any(name == "quix" for name, _, _ in tests) else None
        async with AsyncExitStack() as stack:
            bench: harness.Bench | None = None
            for test in tests:
                if time.monotonic() > self.deadline:
                    say(f"out of time: {len(tests) - tests.index(test)} tests are left for another call")
                    return
                if test[0] == "quix" and missing:
                    self.note(test, self._failed(test, missing))
                    continue
                if test[0] != engine.NAME and bench is None:
                    bench = await self._servers(stack)
                say(f"{test[0]} {test[1]} {test[2] + 1}, {self.lines(test[0], test[1])} lines")
                self.note(test, await self._one(test, bench))

    async def _servers(self, stack: AsyncExitStack) -> harness.Bench:
        folder = self.home / "servers"
        shutil.rmtree(folder, ignore_errors=True)
        started = await Infrastructure.start(folder, **BROKER)
        bench = harness.Bench(await stack.enter_async_context(started), self.home)
        await bench.open()
        return bench

    async def _one(self, test: Test, bench: harness.Bench | None) -> dict[str, Any]:
        name, kind, number = test
        count, seed = self.lines(name, kind), self.options.seed + number
        try:
            async with asyncio.timeout(self.options.test_seconds):
                if name == engine.NAME:
                    measure = engine.run if kind == "drain" else engine.kill
                    return await measure(self.home, {"custodian": False, **BROKER}, count, seed)
                assert bench is not None
                work = harness.run if kind == "drain" else harness.kill
                return await work(bench, self.peers[name], count, seed)
        except Exception as problem:  # One peer that fails must not take the others' results with it.
            return self._failed(test, str(problem) or type(problem).__name__)
        finally:
            for folder in self.home.glob("engine-*"):
                shutil.rmtree(folder, ignore_errors=True)

    def _failed(self, test: Test, why: str) -> dict[str, Any]:
        return {"peer": test[0], "test": test[1], "n": self.lines(test[0], test[1]), "error": why, "ok": False}


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [engine.NAME, *(peer.name for peer in harness.PEERS)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["run", "table"], default="run")
    parser.add_argument("--n", type=int, default=100_000, help="lines of a drain (a slow peer gets its share)")
    parser.add_argument("--kill-n", type=int, default=50_000, help="lines of a kill test")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--minutes", type=float, default=12.0, help="start no further test after this time")
    parser.add_argument("--test-seconds", type=float, default=240.0, help="give a single test up after this time")
    parser.add_argument("--peers", nargs="+", choices=names, default=names)
    parser.add_argument("--home", type=Path, default=ROOT / "reports" / "peers", help="scratch and results")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser.parse_args()


def main() -> int:
    """Measure what is open, print the table; 0 only when the engine was right in every test."""
    configure_logs("peers", "ERROR")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # A topic made a moment ago has no leader yet: retried.
    options = arguments()
    comparison = Comparison(options)
    if options.what == "run":
        asyncio.run(comparison.run())
    found = comparison.at_hand()
    text = table.markdown(found)
    sys.stdout.write(text)
    if options.write and found:
        table.write(ROOT / "docs" / "benchmarks.md", text)
    ours = [one for one in found if one["peer"] == engine.NAME]
    return 0 if ours and all(one["ok"] for one in ours) else 1


if __name__ == "__main__":
    sys.exit(main())

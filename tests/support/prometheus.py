"""A real Prometheus, Alertmanager and watcher around a running cluster, and an ear for what they say."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from deploy.cluster import Cluster
from deploy.cluster.processes import ProcessIdentity, free_ports, stop
from deploy.prometheus.build import alertmanager, rule_files
from deploy.prometheus.pace import Pace
from deploy.prometheus.tools import tool, working_folder
from tests.support.waiting import eventually

PACE = Pace(20)
"""The shipped rules, twenty times as fast."""
RATE_WINDOW = "15s"


@dataclass
class Watch:
    """What watches the cluster."""

    prometheus: str
    alertmanager: str
    console: str
    heard: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"page": [], "ticket": []})

    async def ask(self, path: str, **query: str) -> Any:
        """The data of one call of Prometheus' API."""
        url = f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        return (await asyncio.to_thread(_get, url))["data"]

    async def firing(self) -> list[dict[str, str]]:
        """The labels of every alert that fires now."""
        alerts = (await self.ask("alerts"))["alerts"]
        return [alert["labels"] for alert in alerts if alert["state"] == "firing"]

    async def until_fires(self, name: str, seconds: float = 240, *, is_told: bool = True, **labels: str) -> None:
        """Wait until Prometheus fires the alert and, unless a louder one silences it, Alertmanager has told it."""
        await eventually(lambda: self._fires(name, labels), seconds=seconds, every=0.5)
        if is_told:
            await eventually(lambda: self._was_told(name, labels, "firing"), seconds=90, every=0.2)

    async def until_ends(self, name: str, seconds: float = 240, *, is_told: bool = True, **labels: str) -> None:
        """Wait until the alert does not fire any more and Alertmanager has said so."""

        async def is_over() -> bool:
            return not await self._fires(name, labels)

        await eventually(is_over, seconds=seconds, every=0.5)
        if is_told:
            await eventually(lambda: self._was_told(name, labels, "resolved"), seconds=90, every=0.2)

    async def _fires(self, name: str, labels: dict[str, str]) -> bool:
        wanted = {"alertname": name, **labels}
        return any(wanted.items() <= found.items() for found in await self.firing())

    async def _was_told(self, name: str, labels: dict[str, str], status: str) -> bool:
        wanted = {"alertname": name, **labels}
        said = [one for heard in self.heard.values() for one in heard if wanted.items() <= one["labels"].items()]
        return bool(said) and said[-1]["status"] == status

    def told(self, name: str) -> list[tuple[str, str]]:
        """What was said about an alert: (receiver, status)."""
        return [(who, one["status"]) for who, said in self.heard.items() for one in said
                if one["labels"]["alertname"] == name]  # fmt: skip


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


@asynccontextmanager
async def open_watch(cluster: Cluster, folder: Path) -> AsyncIterator[Watch]:
    """Start all that watches, and end exactly that."""
    prometheus_port, alertmanager_port, watcher_port, console_port, ear_port = free_ports(5)
    watch = Watch(
        f"http://127.0.0.1:{prometheus_port}",
        f"http://127.0.0.1:{alertmanager_port}",
        f"http://127.0.0.1:{console_port}",
    )
    workers = [(record.url or "").removeprefix("http://") for record in cluster.workers()]
    doors = [(cluster.process("intake").url or "").removeprefix("http://"), f"127.0.0.1:{console_port}"]
    jobs = (workers, [f"127.0.0.1:{watcher_port}"], doors)
    _configure(folder, jobs, alertmanager_port, ear_port)
    async with AsyncExitStack() as stack:
        await _listen(stack, watch, ear_port)
        environment = {**os.environ, **cluster.environment()}
        for name, command, variables in (
            ("watcher", [sys.executable, "-m", "deploy.watcher"], environment | _port(watcher_port)),
            ("console", [sys.executable, "-m", "deploy.console"], environment | _port(console_port)),
            ("alertmanager", _alertmanager_command(folder, alertmanager_port), dict(os.environ)),
            ("prometheus", _prometheus_command(folder, prometheus_port), dict(os.environ)),
        ):
            stack.callback(_start(name, command, variables, folder))
        await eventually(lambda: _sees_all(watch, sum(map(len, jobs))), seconds=60)
        await eventually(lambda: _is_ready(watch.alertmanager), seconds=30)
        yield watch


def _port(port: int) -> dict[str, str]:
    return {"NESTWORK_WEB_PORT": str(port)}


def _configure(folder: Path, jobs: Sequence[list[str]], alertmanager_port: int, ear_port: int) -> None:
    for name, text in rule_files(PACE).items():
        (folder / name).write_text(text)
    ear = f"http://127.0.0.1:{ear_port}"
    routes = alertmanager(PACE, page_url=f"{ear}/page", ticket_url=f"{ear}/ticket")
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(routes))
    shipped = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "prometheus.yml"
    document = yaml.safe_load(shipped.read_text())
    document["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    document["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]
    for job, found in zip(document["scrape_configs"], jobs, strict=True):
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": found}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(document))


def _prometheus_command(folder: Path, port: int) -> list[str]:
    return [
        str(tool("prometheus")), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip


def _alertmanager_command(folder: Path, port: int) -> list[str]:
    return [
        str(tool("prometheus-alertmanager")), f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'told'}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip


def _start(name: str, command: list[str], environment: dict[str, str], folder: Path) -> Any:
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True,
            cwd=working_folder(Path(command[0])) if name == "alertmanager" else None,
        )  # fmt: skip
    identity = ProcessIdentity.of(process.pid)
    assert identity is not None, (folder / f"{name}.log").read_text()

    def end() -> None:
        stop([identity])
        process.wait(10)

    return end


async def _is_ready(url: str) -> bool:
    try:
        await asyncio.to_thread(lambda: urllib.request.urlopen(f"{url}/-/ready", timeout=5).close())
    except OSError:
        return False
    return True


async def _sees_all(watch: Watch, targets: int) -> bool:
    try:
        found = await watch.ask("query", query="sum(up)")
    except OSError:
        return False
    return bool(found["result"]) and float(found["result"][0]["value"][1]) == targets


async def _listen(stack: AsyncExitStack, watch: Watch, port: int) -> None:
    """Hear Alertmanager's webhooks, as a pager and a ticket system would."""

    async def hear(request: web.Request) -> web.Response:
        watch.heard[request.match_info["who"]] += (await request.json())["alerts"]
        return web.Response()

    app = web.Application()
    app.router.add_post("/{who}", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()

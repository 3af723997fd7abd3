"""A second process that says it is a worker which lives: same name, same folder, same identity in the group."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import psutil

from deploy.cluster import Cluster
from deploy.cluster.processes import free_ports

READY_SECONDS = 60.0


async def _answers(port: int) -> None:
    async with asyncio.timeout(READY_SECONDS), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"http://127.0.0.1:{port}/readyz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)


@asynccontextmanager
async def hijacked(cluster: Cluster, service: str, index: int) -> AsyncIterator[str]:
    """The worker has a double, whose pages answer when the block begins; gives their address. It ends by kill -9."""
    await cluster.wait_ready(timeout=READY_SECONDS)
    record = cluster.worker(service, index)
    original = psutil.Process(record.pid)
    environment, command = original.environ(), original.cmdline()
    (port,) = free_ports(1)
    environment["NESTWORK_WEB_PORT"] = str(port)  # All but this: with the same port it would end at once.
    with (cluster.folder / "log" / f"{record.name}-double.log").open("ab") as log:
        double = await asyncio.create_subprocess_exec(
            sys.executable, *command[1:], env=environment, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL
        )
    try:
        await _answers(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        if double.returncode is None:
            double.kill()
        await double.wait()

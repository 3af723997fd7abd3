"""Three brokers, a PostgreSQL with its standby, two workers of each service, proxies between them and the database."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from deploy.cluster import Cluster
from deploy.cluster.launch import require_state
from deploy.cluster.layout import detour_name
from deploy.cluster.spec import SERVICES
from deploy.cluster.standby import FIRST, SECOND
from shared.runtime.settings import Settings
from tests.support.chaos_bounds import dates
from tests.support.chaos_disk_faults import broker_disk_full, database_disk_full
from tests.support.chaos_disks import NoDisk, SmallDisk
from tests.support.chaos_field import Field
from tests.support.chaos_load import open_load
from tests.support.chaos_pipe import Pipe
from tests.support.chaos_proxy import LossyProxy
from tests.support.chaos_world import World

POSTGRES: dict[str, str | int] = {
    "shared_buffers": "'64MB'",
    "max_connections": 120,
    "min_wal_size": "'96MB'",  # Few old segments are kept, so that a full disk is soon felt.
    "max_wal_size": "'1GB'",
    "wal_keep_size": "'256MB'",
    "hot_standby_feedback": "on",
}


def actions() -> list[dict[str, str]]:
    """The custodian confirms one fund twice and mistakes the price of another, on every date a run can reach."""
    return [
        {"fund": fund, "trade_date": day.isoformat(), "side": "buy", "action": action}
        for day in dates()
        for fund, action in (("F2", "duplicate"), ("F3", "misprice"))
    ]


@asynccontextmanager
async def open_field(
    folder: Path,
    seed: int,
    *,
    brokers: int = 3,
    workers: int = 2,
    partitions: int = 8,
    worker_module: str = "services.{service}",
    environment: Mapping[str, str] | None = None,
    small_disks: bool = False,
) -> AsyncIterator[Field]:
    """The cluster under load; ``environment`` reaches every worker.

    With ``small_disks`` each server has a file system of its own that can be full, where that is allowed.
    """
    place, file = folder / "cluster", folder / "actions.json"
    file.write_bytes(orjson.dumps(actions()))
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(LossyProxy(every=12)) for _ in range(2)]
        for proxy, name in zip(proxies, (FIRST, SECOND), strict=True):
            proxy.target = lambda name=name: ("127.0.0.1", require_state(place).ports[name])  # type: ignore[misc]
        pipes = [await stack.enter_async_context(Pipe()) for _ in range(brokers)]
        for number, pipe in enumerate(pipes, 1):
            pipe.target = lambda number=number: ("127.0.0.1", require_state(place).ports[detour_name(number)])  # type: ignore[misc]
        disks, left_out = mount(place, brokers, stack.enter_context(ExitStack())) if small_disks else ({}, {})
        hosts = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
        given: dict[str, Any] = {
            "DATABASE_URL": f"postgresql://postgres@{hosts}/postgres?target_session_attrs=primary",
            "DATABASE_PASSWORD_FILE": str(place / FIRST / "password"),
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(f"127.0.0.1:{pipe.port}" for pipe in pipes),
        }
        cluster = await Cluster.start(
            place, partitions=partitions, brokers=brokers, standby=True, workers=dict.fromkeys(SERVICES, workers),
            custodian_actions=file, postgres_settings=POSTGRES, broker_heap_mb=256, ready_timeout_seconds=240.0,
            extra_env=given | dict(environment or {}), worker_module=worker_module,
            broker_detours=[pipe.port for pipe in pipes],
        )  # fmt: skip
        stack.push_async_callback(cluster.stop)
        config = Settings(**cluster.environment())  # type: ignore[arg-type]
        load = await stack.enter_async_context(open_load(config, World(seed)))
        yield Field(
            cluster, POSTGRES, proxies, load, random.Random(seed), workers, pipes, disks, left_out=left_out
        )  # fmt: skip


def mount(place: Path, brokers: int, stack: ExitStack) -> tuple[dict[str, SmallDisk], dict[str, str]]:
    """A file system for the data of each server; or the faults that are left out without, and why."""
    disks: dict[str, SmallDisk] = {}
    try:
        for name in (FIRST, SECOND, *(f"kafka-{number}" for number in range(1, brokers + 1))):
            disks[name] = stack.enter_context(SmallDisk(place / name))
    except NoDisk as why:
        stack.close()
        return {}, {fault.__name__: str(why) for fault in (database_disk_full, broker_disk_full)}
    return disks, {}

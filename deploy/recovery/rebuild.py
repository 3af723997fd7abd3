"""Databases made anew from the logs alone: empty ones take the place of the live ones, and the workers decide again.

An empty database is one restored to before the first record. What has to be done besides is the same as after any
restore: ``rejoin``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from deploy.operate.books import SERVICES
from deploy.operate.target import OperatorError
from deploy.recovery.programs import Address, ask
from deploy.recovery.restore import READ_ONLY
from shared.events.topics import INTERNAL_TOPICS, PUBLIC_INPUTS
from shared.runtime.clients import connect
from shared.runtime.definition import Input, Service
from shared.runtime.lanes import prepare_lanes
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from shared.runtime.topics import check_topics


async def empty_databases(config: Settings, services: Collection[str]) -> dict[str, str]:
    """Put an empty database in the place of each service's; returns the names that those got. Nothing is dropped.

    The empty ones can only be read before ``rejoin``. Raises ``OperatorError`` while anybody is connected to one.
    """
    unknown = sorted(set(services) - set(SERVICES))
    if unknown:
        raise OperatorError(f"there is no service {', '.join(unknown)}; the services are {', '.join(SERVICES)}")
    await check_topics(INTERNAL_TOPICS, config)
    address, kept = Address.of(config), {}
    stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    for service in (one for one in SERVICES if one in services):
        kept[service] = f"nestwork_{service}_until_{stamp}"
        ask(address, f"ALTER DATABASE nestwork_{service} RENAME TO {kept[service]}")
        await migrate(service, config)
        await _prepare(service, config)
        # A worker that is started too early fails loudly instead of speaking in the old epoch.
        ask(address, f"ALTER DATABASE nestwork_{service} SET {READ_ONLY} = on")
    return kept


async def _prepare(service: str, config: Settings) -> None:
    """The rows of all lanes, which `rejoin` moves."""
    inputs = tuple(Input(topic, ()) for topic in (*PUBLIC_INPUTS, *INTERNAL_TOPICS) if service in topic.readers)
    connection = await connect(f"nestwork_{service}", config)
    try:
        await prepare_lanes(connection, Service(service, inputs), config.partitions)
    finally:
        await connection.close()

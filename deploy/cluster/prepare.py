"""Create databases, tables and topics of a cluster: ``python -m deploy.cluster.prepare SERVICE...``."""

from __future__ import annotations

import asyncio
import sys

from deploy.cluster.errors import StartFailed
from shared.runtime.errors import PartitionCountDiffers

CUSTODIAN_DATABASE = "nestwork_custodian"


async def prepare(services: list[str]) -> None:
    """Bring every service's database and all topics up to date, side by side."""
    try:
        from shared.runtime.migrations import create_database, migrate
        from shared.runtime.topics import create_topics
    except ImportError as problem:
        raise StartFailed(f"this tree has no migrations or topics to prepare a cluster with: {problem}") from problem
    databases = [migrate(service) for service in services]
    await asyncio.gather(create_topics(), create_database(CUSTODIAN_DATABASE), *databases)


if __name__ == "__main__":
    try:
        asyncio.run(prepare(sys.argv[1:]))
    except (StartFailed, PartitionCountDiffers) as problem:
        sys.exit(str(problem))

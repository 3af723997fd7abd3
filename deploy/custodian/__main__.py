"""Run the simulated custodian: ``python -m deploy.custodian``."""

from __future__ import annotations

import asyncio
import signal

from aiokafka.errors import KafkaError

from deploy.custodian.behaviour import Behaviour
from deploy.custodian.session import open_session
from deploy.custodian.settings import CustodianSettings
from deploy.custodian.store import PositionMoved
from shared.runtime.clients import DATABASE_TROUBLE
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.settings import settings

log = get_logger(__name__)

RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 0.2, 3.0
ENVIRONMENT_FAILURES = (*DATABASE_TROUBLE, KafkaError, PositionMoved)


def _marker_secret() -> bytes | None:
    try:
        return settings().marker_secret()
    except ValueError:
        log.warning("markers_not_checked", reason="no marker key is configured")
        return None


async def serve(database: str, behaviour: Behaviour, stopping: asyncio.Event) -> None:
    """Run sessions until asked to stop; a failure of broker or database ends a session and the next one starts."""
    secret = _marker_secret()
    delay = RETRY_SECONDS_MIN
    while not stopping.is_set():
        try:
            async with open_session(database, behaviour) as session:
                session.marker_secret = secret
                await session.start(stopping)
                delay = RETRY_SECONDS_MIN
                await session.run(stopping)
        except ENVIRONMENT_FAILURES as problem:
            log.warning("session_failed", problem=repr(problem), retry_seconds=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, RETRY_SECONDS_MAX)


async def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    config = CustodianSettings()
    await serve(config.database, config.behaviour(), stopping)
    log.info("custodian_stopped")


if __name__ == "__main__":
    configure_logs("custodian", settings().log_level)
    asyncio.run(main())

"""``python -m deploy.watcher``: serve ``/metrics`` on NESTWORK_WEB_PORT, reading the same settings as the workers."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry, start_http_server

from deploy.watcher.watch import Watcher
from shared.runtime.logs import configure_logs
from shared.runtime.settings import settings


def main() -> None:
    """Watch until the process is ended."""
    config = settings()
    configure_logs("watcher", config.log_level)
    watcher = Watcher(config)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(watcher)
    start_http_server(config.web_port, addr=config.web_host, registry=registry)
    asyncio.run(watcher.run())


if __name__ == "__main__":
    main()

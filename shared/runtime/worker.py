"""One worker process: the Faust app (facts, pages, timers) hosts the money plane as one of its services."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import mode
from prometheus_client import CONTENT_TYPE_LATEST

from shared.runtime.clients import DATABASE_TROUBLE, Pool, open_pool
from shared.runtime.control import Control
from shared.runtime.definition import Service
from shared.runtime.exposition import Exposition
from shared.runtime.faustplane import NestworkApp, cancelled, make_app
from shared.runtime.guards import Guards
from shared.runtime.logs import configure_logs, error_text, get_logger
from shared.runtime.plane import MoneyPlane
from shared.runtime.settings import settings
from shared.runtime.snapshot import run_snapshots
from shared.runtime.tokens import CALLER_KEY, Caller, Refused, Role, Tokens, caller_of
from shared.runtime.topics import check_topics
from shared.runtime.tracing import start_tracing, stop_tracing

log = get_logger(__name__)

YOUNG_OBJECTS, YOUNG_ROUNDS, OLD_ROUNDS = 100_000, 50, 100
"""How rarely the cycle collector looks: a poll makes a hundred objects a record, all freed by count when it ends. At
Python's own 700 it walked the buffered records again and again, for two fifths of a worker's time."""

Page = Callable[[Pool, Any], Awaitable[tuple[int, Any]]]
"""Answers a request from the database: (status, JSON document)."""


def worker_app(service: Service, pages: Mapping[str, Page] | None = None, guards: Guards | None = None) -> NestworkApp:
    """The app of one worker of ``service``; ``pages`` maps paths to read-only queries."""
    config = settings()
    app = make_app(service, config)
    worker = Worker(app, service, guards or Guards())
    app.starting, app.stopping = worker.start, worker.stop
    _add_pages(app, worker, pages or {})

    @app.service
    class MoneyPlaneService(mode.Service):
        """Starts after the app, stops before it."""

        async def on_start(self) -> None:
            worker.plane = MoneyPlane(service, config, worker.guards)
            await worker.plane.start(self.crash)

        async def on_stop(self) -> None:
            if worker.plane is not None:
                await worker.plane.stop()

    return app


class Worker:
    """What a worker process holds besides the app."""

    def __init__(self, app: NestworkApp, service: Service, guards: Guards) -> None:
        self.app, self.service, self.config = app, service, settings()
        self.guards = guards
        self.plane: MoneyPlane | None = None
        self.pool: Pool | None = None
        self.tokens = Tokens(self.config.tokens_file) if self.config.tokens_file is not None else None
        self.exposition = Exposition(service.name, lambda: self.plane, lambda: len(app.control_plane.lost))
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the pool, start storing facts and the background questions."""
        _collect_rarely()
        configure_logs(self.service.name, self.config.log_level)
        start_tracing(self.service.name, self.config)
        read = [one.topic for one in self.service.inputs] + [one.topic for one in self.service.facts]
        await check_topics(read, self.config)  # Before it joins any group: it must not take work it can't do.
        self.pool = await open_pool(self.service.database)
        control_plane = self.app.control_plane
        await control_plane.open()
        control = Control(self.pool, self.config, control_plane.reads, control_plane.stored)
        runs: list[Any] = [control_plane.run(name) for name in control_plane.stores]
        runs += [background(control) for background in self.service.background]
        runs += [self.exposition.watch_loop(), run_snapshots(control, self.service, self.exposition)]
        self.tasks = [asyncio.create_task(self._guarded(run)) for run in runs]

    async def _guarded(self, run: Any) -> None:
        try:
            await run
        except asyncio.CancelledError:
            raise
        except BaseException as failure:
            log.error("control_plane_failed", error=error_text(failure), exc_info=failure)
            await self.app.crash(failure)

    async def stop(self) -> None:
        """Stop the background and close what was opened."""
        await cancelled(self.tasks)
        await self.app.control_plane.close()
        if self.pool is not None:
            self.pool.terminate()
        await asyncio.to_thread(stop_tracing)


def _add_pages(app: NestworkApp, worker: Worker, pages: Mapping[str, Page]) -> None:
    @app.page("/livez", name="livez")
    async def livez(web: Any, _request: Any) -> Any:
        alive = worker.plane is None or worker.plane.is_alive()
        return web.json({"alive": alive}, status=200 if alive else 503)

    @app.page("/readyz", name="readyz")
    async def readyz(web: Any, _request: Any) -> Any:
        plane = worker.plane
        ready = plane is not None and plane.is_ready() and not app.control_plane.lost
        detail = {
            "ready": ready,
            "lanes": sorted(plane.lanes) if plane else [],
            "stopped": {str(lane): why for lane, why in plane.stopped_lanes.items()} if plane else {},
            "facts": sorted(app.control_plane.next_offset),
            "facts_stopped": app.control_plane.lost,
        }
        return web.json(detail, status=200 if ready else 503)

    @app.page("/metrics", name="metrics")
    async def metrics(web: Any, _request: Any) -> Any:
        return web.bytes(worker.exposition.text(), content_type=CONTENT_TYPE_LATEST.split(";")[0])

    for path, page in pages.items():
        _add_page(app, worker, path, page)


def _add_page(app: NestworkApp, worker: Worker, path: str, page: Page) -> None:
    @app.page(path, name=path)
    async def answer(web: Any, request: Any, **_: Any) -> Any:
        try:
            request[CALLER_KEY] = allowed(worker, page, request)
        except Refused as refused:
            return problem(web, refused.status, refused.code, refused.detail)
        if worker.pool is None:
            return problem(web, 503, "starting", "The service is starting.")
        status, document = await asked(page, worker.pool, request)
        if status >= 400:
            return problem(web, status, document["code"], document["detail"])
        return web.json(document, status=status)


async def asked(page: Page, pool: Pool, request: Any) -> tuple[int, Any]:
    """What a page answers; an id no database can hold, a database that is away and our own defects are answers too."""
    if any("\x00" in text for text in (*request.match_info.values(), *request.query.values())):
        return 400, {"code": "invalid_id", "detail": "A NUL is part of no id and no date."}
    try:
        return await page(pool, request)
    except DATABASE_TROUBLE as trouble:
        log.warning("page_waits_for_database", page=page.__name__, error=error_text(trouble))
        return 503, {"code": "unavailable", "detail": "The database does not answer; ask again."}
    except Exception as defect:
        log.error("page_failed", page=page.__name__, error=error_text(defect), exc_info=defect)
        return 500, {"code": "internal", "detail": "The page failed; the log says why."}


def allowed(worker: Worker, page: Page, request: Any) -> Caller:
    """Who asks, when he may read this page. Raises ``Refused``.

    Without a token file only a worker that listens on loopback answers: forgetting the file must not open the books.
    """
    if worker.tokens is None and not is_loopback(worker.config.web_host):
        raise Refused(503, "tokens_not_configured", "Set NESTWORK_TOKENS_FILE: this worker listens beyond loopback.")
    caller = caller_of(worker.tokens, request.headers.get("Authorization"))
    plan_id = request.match_info.get("plan_id")
    caller.require(Role.READER, plan_id)
    if plan_id is None and not getattr(page, "leaves_out_other_plans", False):
        caller.require_every_plan()
    return caller


def is_loopback(host: str) -> bool:
    """Whether a listening address is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def problem(web: Any, status: int, code: str, detail: str) -> Any:
    """An RFC 9457 problem document."""
    body = {"type": f"urn:nestwork:problem:{code}", "title": code, "status": status, "detail": detail, "code": code}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json(body, status=status, content_type="application/problem+json", headers=headers)


def _collect_rarely() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, OLD_ROUNDS)


def run(app: NestworkApp) -> None:
    """``python -m services.NAME``: a worker, unless another Faust command is given."""
    if len(sys.argv) == 1:
        config = settings()
        sys.argv += ["worker", "--web-port", str(config.web_port), "--web-host", config.web_host, "-l", "warn"]
    app.main()

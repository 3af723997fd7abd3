"""Figures of the intake and the console, in a registry of their own: workers do not show them. Closed label sets."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Door = Literal["intake", "console"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FIGURES = CollectorRegistry()
PROBES = ("/livez", "/readyz", "/metrics")
OUTCOMES = ("ok", "refused", "failed")
LINE_OUTCOMES = ("accepted", "partially_accepted", "rejected", "duplicate", "held", "malformed")
ACTIONS = ("replay", "replay_again", "book", "withdraw")
STATES = ("asked", "done", "failed", "declined")

REQUESTS = Counter(
    "nestwork_http_requests_total",
    "Requests to the payroll intake and the console; refused: the caller's fault (4xx), failed: ours (5xx).",
    ["service", "outcome"],
    registry=FIGURES,
)
REQUEST_SECONDS = Histogram(
    "nestwork_http_request_seconds",
    "Time to answer them; of an upload until the file is read and kept.",
    ["service"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    registry=FIGURES,
)
FILES_WAITING = Gauge(
    "nestwork_payroll_files_waiting", "Payroll files that are kept and not answered to the last line.", ["service"],
    registry=FIGURES,
)  # fmt: skip
FILES_OLDEST = Gauge(
    "nestwork_payroll_files_oldest_timestamp_seconds", "When the oldest of them was received; 0 when none waits.",
    ["service"], registry=FIGURES,
)  # fmt: skip
FILE_LINES = Counter(
    "nestwork_payroll_file_lines_total",
    "Lines of files that are done, by their receipt; malformed: never sent.",
    ["service", "outcome"],
    registry=FIGURES,
)
CONSOLE_ACTIONS = Counter(
    "nestwork_console_actions_total", "Operators' actions at this console, by what they were and what became of them.",
    ["service", "action", "state"], registry=FIGURES,
)  # fmt: skip

# A rate sees the first event only if the series was there before it.
KNOWN: dict[Door, tuple[tuple[Counter, tuple[tuple[str, ...], ...]], ...]] = {
    "intake": ((FILE_LINES, tuple(("intake", one) for one in LINE_OUTCOMES)),),
    "console": ((CONSOLE_ACTIONS, tuple(("console", action, state) for action in ACTIONS for state in STATES)),),
}


def counting(door: Door) -> Middleware:
    """The outermost middleware of a door: counts every request by what became of it, but those of probes."""
    for outcome in OUTCOMES:
        REQUESTS.labels(door, outcome)
    REQUEST_SECONDS.labels(door)
    for counter, series in KNOWN[door]:
        for labels in series:
            counter.labels(*labels)

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in PROBES:
            return await handler(request)
        began, outcome = time.monotonic(), "failed"
        try:
            response = await handler(request)
            outcome = "ok" if response.status < 400 else "refused" if response.status < 500 else "failed"
            return response
        finally:
            REQUESTS.labels(door, outcome).inc()
            REQUEST_SECONDS.labels(door).observe(time.monotonic() - began)

    return count


async def show(_: web.Request) -> web.Response:
    """The page `/metrics`; by the network only, as the workers' is."""
    return web.Response(body=generate_latest(FIGURES), headers={"Content-Type": CONTENT_TYPE_LATEST})

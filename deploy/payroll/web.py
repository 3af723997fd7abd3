"""Payroll files over HTTP: `POST /v1/payroll/files?map=NAME` and what became of them. Errors are RFC 9457 documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from aiohttp import ClientPayloadError, web

from deploy.doors.metrics import counting, show
from deploy.payroll.columnmap import GIVEN_FIELDS
from deploy.payroll.intake import CHUNK_SECONDS_MAX, Intake, NotReady, TooLarge, TooSlow
from deploy.payroll.kept import Kept
from deploy.payroll.problems import FileRefused, MapInvalid, OutOfScope
from deploy.payroll.rejects import csv_pieces
from shared.runtime.tokens import Caller, Refused, Role, Tokens

FILES = "/v1/payroll/files"
FORMAT_BY_TYPE = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
PARAMETERS = ("map", "totals", *GIVEN_FIELDS)
REJECTS_MAX = 1_000
SKIP_MAX = 10**9

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer that is an error; becomes a problem document."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.more = status, code, detail, more


def intake_app(intake: Intake, tokens: Tokens) -> web.Application:
    """The web application; ``intake`` runs while it does."""
    pages = Pages(intake, tokens)
    app = web.Application(middlewares=[counting("intake"), _problems])

    async def run(_: web.Application) -> AsyncIterator[None]:
        async with intake.running():
            yield

    app.cleanup_ctx.append(run)
    app.router.add_post(FILES, pages.upload)
    app.router.add_get(f"{FILES}/{{id}}", pages.file)
    app.router.add_get(f"{FILES}/{{id}}/rejects.csv", pages.rejects)
    app.router.add_get("/livez", pages.live)
    app.router.add_get("/readyz", pages.ready)
    app.router.add_get("/metrics", pages.metrics)
    return app


class Pages:
    """The pages; each asks first who calls."""

    def __init__(self, intake: Intake, tokens: Tokens) -> None:
        self._intake, self._tokens = intake, tokens

    async def live(self, _: web.Request) -> web.Response:
        """The process runs."""
        return _json({"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """Kafka was reached."""
        if not self._intake.is_ready:
            raise Problem(503, "starting", "Kafka was not reached yet.")
        return _json({"status": "ok"})

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Figures for Prometheus, without ids."""
        self._intake.tell_figures()
        return await show(request)

    async def upload(self, request: web.Request) -> web.Response:
        """Take a file: 202 with its id, 200 when the same file came before."""
        caller = self._caller(request)
        parameters = _parameters(request)
        given = {name: value for name, value in parameters.items() if name in GIVEN_FIELDS}
        columns = self._intake.columns(parameters["map"], given)
        self._require_type(request, columns.format)
        if (request.content_length or 0) > self._intake.own.bytes_max:
            raise TooLarge
        kept, is_new = await self._intake.receive(
            _chunks(request), columns, caller, with_totals=parameters.get("totals") == "1"
        )
        place = f"{FILES}/{kept.state.file_id}"
        return _json(kept.state.document() | {"url": place}, 202 if is_new else 200, Location=place)

    async def file(self, request: web.Request) -> web.Response:
        """Counts of a file, and its rejects from ``skip`` on, at most ``limit``."""
        kept = self._visible(request)
        skip, limit = _number(request, "skip", 0, SKIP_MAX), _number(request, "limit", 100, REJECTS_MAX)
        shown = list(kept.rejects(skip, limit))
        return _json(kept.state.document() | {"skip": skip, "shown_rejects": shown})

    async def rejects(self, request: web.Request) -> web.StreamResponse:
        """All rejects so far, as CSV."""
        kept = self._visible(request)
        response = web.StreamResponse(headers=_HEADERS | {"Content-Disposition": 'attachment; filename="rejects.csv"'})
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        for piece in csv_pieces(kept.rejects()):
            await response.write(piece.encode())
        await response.write_eof()
        return response

    def _caller(self, request: web.Request) -> Caller:
        caller = self._tokens.caller(request.headers.get("Authorization"))
        caller.require(Role.PAYROLL)
        return caller

    def _visible(self, request: web.Request) -> Kept:
        """The file, to who sent it and to who may send for all its plans; others cannot tell that it exists."""
        caller = self._caller(request)
        kept = self._intake.known(request.match_info["id"])
        if kept is not None and (caller.name == kept.state.uploaded_by or all(map(caller.sees, kept.state.plans))):
            return kept
        raise Problem(404, "file_unknown", "There is no file with this id.")

    @staticmethod
    def _require_type(request: web.Request, wanted: str) -> None:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Problem(415, "content_encoding", "Send the file as it is, not compressed.")
        found = FORMAT_BY_TYPE.get(request.content_type)
        if found is None:
            raise Problem(415, "content_type", f"Send {' or '.join(FORMAT_BY_TYPE)}.")
        if found != wanted:
            raise Problem(415, "content_type", f"The map is for {wanted} files.")


def _parameters(request: web.Request) -> dict[str, str]:
    names = list(request.query)
    unknown = sorted(set(names) - set(PARAMETERS))
    if unknown or len(set(names)) != len(names):
        raise Problem(422, "parameters", f"The address takes each of {', '.join(PARAMETERS)} once.")
    if "map" not in names or request.query.get("totals", "0") not in ("0", "1"):
        raise Problem(422, "parameters", "Name a column map (map=NAME); totals is 0 or 1.")
    return dict(request.query)


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise Problem(422, "parameters", f"{name} is a whole number up to {most}.")
    return int(text)


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises ``TooSlow``; a sender that breaks off raises, so that half a file is no file."""
    while True:
        try:
            async with asyncio.timeout(CHUNK_SECONDS_MAX):
                data = await request.content.readany()
        except TimeoutError:
            raise TooSlow from None
        if not data:
            return
        yield data


_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def _json(document: dict[str, Any], status: int = 200, **headers: str) -> web.Response:
    body = orjson.dumps(document)
    return web.Response(body=body, status=status, content_type="application/json", headers=_HEADERS | headers)


def _problem(problem: Problem) -> web.Response:
    document = {
        "type": f"urn:nestwork:problem:{problem.code.lower()}", "title": HTTPStatus(problem.status).phrase,
        "status": problem.status, "detail": problem.detail, "code": problem.code, **problem.more,
    }  # fmt: skip
    headers = dict(_HEADERS)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    return web.Response(
        body=orjson.dumps(document), status=problem.status, content_type="application/problem+json", headers=headers
    )


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure as a problem document; none shows how the program looks inside."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        return _problem(Problem(refused.status, "http", HTTPStatus(refused.status).description or refused.reason))
    except Exception as failure:  # The last place before the socket: whatever it is, the client gets an answer.
        return _problem(_problem_of(failure))


_KNOWN: tuple[tuple[type[Exception], int, str, str], ...] = (
    (TooLarge, 413, "too_large", "The file is longer than this intake takes."),
    (TooSlow, 408, "too_slow", "The upload fell silent; nothing of it was kept."),
    (NotReady, 503, "not_ready", "Try again in a moment."),
    (ClientPayloadError, 400, "broken_off", "The upload broke off; nothing of it was kept."),
    (web.RequestPayloadError, 400, "broken_off", "The upload broke off; nothing of it was kept."),
    (ConnectionError, 400, "broken_off", "The upload broke off; nothing of it was kept."),
)


def _problem_of(failure: Exception) -> Problem:
    if isinstance(failure, Problem):
        return failure
    if isinstance(failure, Refused):
        return Problem(failure.status, failure.code, failure.detail)
    if isinstance(failure, FileRefused):
        status = 403 if isinstance(failure, OutOfScope) else 422
        return Problem(status, failure.code, failure.detail, row=failure.row)
    if isinstance(failure, MapInvalid):
        return Problem(422, "MAP_INVALID", str(failure))
    for kind, status, code, detail in _KNOWN:
        if isinstance(failure, kind):
            return Problem(status, code, detail)
    log.exception("intake_failed", exc_info=failure)
    return Problem(500, "failed", "The intake failed; its log says why.")

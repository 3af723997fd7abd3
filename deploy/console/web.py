"""The console over HTTP: sign-in, sessions, form tokens, strict headers. Pages are in ``pages``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from deploy.console.actions import Actions, NotAllowed
from deploy.console.pages import READS, WRITES, Pages, View
from deploy.console.rendering import make_environment, stylesheet
from deploy.console.sessions import Session, Sessions
from deploy.doors.metrics import counting, show
from deploy.operate.target import TROUBLE, OperatorError
from shared.runtime.settings import Settings
from shared.runtime.tokens import Caller, Refused, Role
from shared.runtime.worker import is_loopback

COOKIE = "nestwork_console"
BODY_BYTES_MAX = 64 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger(__name__)


def see_other(place: str) -> web.Response:
    """Send the browser to one of our pages."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": place})


def console_app(
    config: Settings, sessions: Sessions, actions: Actions, workers: Sequence[str] = (), *, secure_cookie: bool
) -> web.Application:
    """The web application; it keeps no connection open between requests."""
    console = Console(sessions, Pages(config, actions, workers), secure_cookie)
    app = web.Application(middlewares=[counting("console"), console.guard], client_max_size=BODY_BYTES_MAX)
    app.router.add_get("/livez", console.live)
    app.router.add_get("/readyz", console.ready)
    app.router.add_get("/metrics", show)
    app.router.add_get("/static/console.css", console.style)
    app.router.add_get("/login", console.show_login)
    app.router.add_post("/login", console.sign_in)
    app.router.add_post("/logout", console.sign_out)
    for path, name in READS.items():
        app.router.add_get(path, console.reader(name), allow_head=False)
    for path, name in WRITES.items():
        app.router.add_post(path, console.operator(name))
    return app


class Console:
    """The part of each request that is the same for all pages."""

    def __init__(self, sessions: Sessions, pages: Pages, secure_cookie: bool) -> None:
        self.sessions, self._pages, self._secure = sessions, pages, secure_cookie
        self._is_open = sessions.tokens is None
        self._environment, self._style = make_environment(), stylesheet()

    # -- around every request --------------------------------------------------------------------------------------

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what comes from elsewhere, answer failures as pages, put the strict headers on everything."""
        try:
            self._check_origin(request)
            response = await handler(request)
        except web.HTTPException as refused:
            response = self._sorry(refused.status, HTTPStatus(refused.status).description or refused.reason)
        except Refused as refused:
            response = self._sorry(refused.status, refused.detail)
        except OperatorError as problem:
            response = self._sorry(409 if isinstance(problem, NotAllowed) else 404, str(problem))
        except TROUBLE as trouble:
            log.warning("console_page_failed", path=request.path, error=repr(trouble))
            response = self._sorry(503, "Kafka or PostgreSQL did not answer; try again in a moment.")
        response.headers.update(HEADERS)
        return response

    def _check_origin(self, request: web.Request) -> None:
        """Without tokens a foreign page must not reach us under a name of its own; forms come from our pages only."""
        host = urlsplit(f"//{request.host}").hostname or ""
        if self._is_open and not is_loopback(host):
            raise Refused(403, "host", "Without a token file the console answers on loopback names only.")
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and urlsplit(origin).netloc != request.host:
            raise Refused(403, "origin", "This form was sent from another site.")

    # -- signing in ------------------------------------------------------------------------------------------------

    async def live(self, _: web.Request) -> web.Response:
        """The process runs."""
        return web.json_response({"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """PostgreSQL answers."""
        await self._pages.look()
        return web.json_response({"status": "ok"})

    async def style(self, _: web.Request) -> web.Response:
        """The style sheet."""
        return web.Response(body=self._style, content_type="text/css", charset="utf-8")

    async def show_login(self, _: web.Request) -> web.Response:
        """The form that takes a token."""
        return self._render(View("login.html", "Sign in", {"problem": None}), None)

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Give a session for a token."""
        form = await request.post()
        try:
            key = self.sessions.sign_in(str(form.get("token", "")))
        except Refused as refused:
            if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            return self._render(View("login.html", "Sign in", {"problem": refused.detail}, refused.status), None)
        response = see_other("/")
        self._remember(response, key)
        return response

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """End the session."""
        found = self.sessions.find(request.cookies.get(COOKIE))
        if found is not None:
            await self._checked_form(request, found[0])
            self.sessions.sign_out(request.cookies.get(COOKIE))
        response = see_other("/login")
        response.del_cookie(COOKIE)
        return response

    def _remember(self, response: web.StreamResponse, key: str) -> None:
        response.set_cookie(COOKIE, key, httponly=True, samesite="Strict", secure=self._secure, path="/")

    # -- pages -----------------------------------------------------------------------------------------------------

    def reader(self, name: str) -> Handler:
        """A page for everybody who may read."""

        async def answer(request: web.Request) -> web.StreamResponse:
            key = request.cookies.get(COOKIE)
            found = self.sessions.find(key)
            fresh = None
            if found is None and self._is_open:
                fresh = self.sessions.anonymous()
                found = self.sessions.find(fresh)
            if found is None:
                return see_other("/login")
            session, caller = found
            response = self._render(await getattr(self._pages, name)(request, caller), session, caller, request.path)
            if fresh is not None:
                self._remember(response, fresh)
            return response

        return answer

    def operator(self, name: str) -> Handler:
        """A form for operators; it must bring back the session's form token."""

        async def answer(request: web.Request) -> web.StreamResponse:
            found = self.sessions.find(request.cookies.get(COOKIE))
            if found is None:
                return see_other("/login")
            session, caller = found
            caller.require(Role.OPERATOR)
            form = await self._checked_form(request, session)
            view = await getattr(self._pages, name)(request, caller, form)
            if isinstance(view, str):
                return see_other(view)
            return self._render(view, session, caller, request.path)

        return answer

    async def _checked_form(self, request: web.Request, session: Session) -> Mapping[str, list[str]]:
        form = await request.post()
        texts = {name: [str(one) for one in form.getall(name)] for name in form}
        if not session.brought_back(texts.get("csrf", [""])[0]):
            raise Refused(403, "csrf", "This form is not from this session; open the page again.")
        return texts

    # -- answers ---------------------------------------------------------------------------------------------------

    def _render(
        self, view: View, session: Session | None, caller: Caller | None = None, path: str = ""
    ) -> web.Response:
        text = self._environment.get_template(view.template).render(
            title=view.title, path=path, caller=None if caller is None else caller.name,
            csrf=session.csrf if session else "", is_open=self._is_open,
            may_act=caller is not None and Role.OPERATOR in caller.roles, **view.values,
        )  # fmt: skip
        return web.Response(text=text, status=view.status, content_type="text/html", charset="utf-8")

    def _sorry(self, status: int, detail: str) -> web.Response:
        return self._render(View("sorry.html", HTTPStatus(status).phrase, {"detail": detail}, status), None)

"""The console on a socket of its own, and a browser without JavaScript that fills in its forms."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from deploy.console.serving import ConsoleSettings, build
from shared.runtime.settings import Settings

VOID = {"meta", "link", "input", "br", "hr", "img"}


@asynccontextmanager
async def served(config: Settings, alone_cents: int = 10_000_000, workers: str = "") -> AsyncIterator[str]:
    """The address of a running console."""
    own = ConsoleSettings(NESTWORK_TWO_PERSON_CENTS=alone_cents, NESTWORK_CONSOLE_WORKERS=workers)
    runner = web.AppRunner(build(config, own), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class Element:
    """One element with its attributes, text and children."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    own_text: list[str] = field(default_factory=list)

    def every(self, *tags: str) -> list[Element]:
        """This element's descendants of these tags, in order."""
        return [one for child in self.children for one in ([child] if child.tag in tags else []) + child.every(*tags)]

    @property
    def text(self) -> str:
        """All text inside."""
        return " ".join(" ".join([*self.own_text, *(child.text for child in self.children)]).split())


class Parser(HTMLParser):
    """Builds the tree and refuses what does not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].own_text.append(data)


def parse(text: str) -> Element:
    """The tree of a page, which must nest."""
    parser = Parser()
    parser.feed(text)
    parser.close()
    assert parser._open == [parser.root], "something is not closed"
    return parser.root


@dataclass
class Page:
    """An answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def tree(self) -> Element:
        return parse(self.text)

    @property
    def csrf(self) -> str:
        """The form token of the page's first form."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        return found[1] if found else ""


class Visitor:
    """A browser with cookies of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()

    async def get(self, path: str, **headers: str) -> Page:
        """Open a page, following redirects."""
        async with self.http.get(self.address + path, headers=headers) as answer:
            return Page(answer.status, dict(answer.headers), await answer.text())

    async def post(self, path: str, fields: list[tuple[str, str]], **headers: str) -> Page:
        """Send a form, following redirects."""
        async with self.http.post(self.address + path, data=fields, headers=headers) as answer:
            return Page(answer.status, dict(answer.headers), await answer.text())

    async def sign_in(self, token: str) -> Page:
        """Show a token."""
        return await self.post("/login", [("token", token)])


def complaints(page: Element) -> list[str]:
    """What a screen reader or a keyboard would stumble over; empty when nothing."""
    found = []
    (html,) = page.every("html")
    if html.attributes.get("lang") != "en" or not page.every("title")[0].text:
        found.append("language or title is missing")
    if len(page.every("main")) != 1 or len(page.every("h1")) != 1 or not page.every("header"):
        found.append("landmarks: one main, one h1, a header")
    first = page.every("body")[0].every("a", "button", "input")[0]
    if first.attributes.get("href") != "#content" or page.every("main")[0].attributes.get("id") != "content":
        found.append("the first thing to focus is not a skip link")
    found += [
        f"navigation without a name: {one.text[:30]}" for one in page.every("nav") if "aria-label" not in one.attributes
    ]
    levels = [int(one.tag[1]) for one in page.every("h1", "h2", "h3", "h4")]
    found += [f"heading jumps from {a} to {b}" for a, b in itertools.pairwise(levels) if b > a + 1]
    for table in page.every("table"):
        if not table.every("caption"):
            found.append(f"table without caption: {table.text[:30]}")
        found += [f"header without scope: {one.text}" for one in table.every("th") if "scope" not in one.attributes]
    named = {one.attributes.get("for") for one in page.every("label")}
    for one in page.every("input", "select", "textarea"):
        is_named = one.attributes.get("id") in named or "aria-label" in one.attributes
        if one.attributes.get("type") != "hidden" and not is_named:
            found.append(f"field without a label: {one.attributes}")
    found += [f"control without words: {one.attributes}" for one in page.every("a", "button") if not one.text]
    if page.every("script", "style") or any(
        name.startswith("on") or name == "style" for one in page.every(*_TAGS) for name in one.attributes
    ):
        found.append("inline script or style")
    ids = [one.attributes["id"] for one in page.every(*_TAGS) if "id" in one.attributes]
    if len(ids) != len(set(ids)):
        found.append(f"ids that come twice: {sorted(ids)}")
    return found


_TAGS = ("html", "body", "a", "form", "input", "button", "div", "span", "table", "td", "th", "main", "header", "p",
         "h1", "textarea", "select", "nav", "ul", "li", "dl", "dd", "tr", "section")  # fmt: skip

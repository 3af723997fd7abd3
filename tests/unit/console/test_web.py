"""What the console does before it reads anything: who is let in, what headers say, which forms are believed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.console.serving import ConsoleSettings, build
from shared.runtime.settings import Settings
from shared.runtime.tokens import token_hash
from tests.support.console import Visitor, complaints, served

TOKENS = {"rita": "nwt_rita", "otto": "nwt_otto"}
NOWHERE = Settings(DATABASE_URL="postgresql://postgres@127.0.0.1:1/postgres", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """A console with people and without a cluster."""
    file = tmp_path / "tokens.json"
    roles = {"rita": "reader", "otto": "operator"}
    entries = [
        {"name": name, "hash": token_hash(token), "roles": [roles[name]], "plans": ["*"]}
        for name, token in TOKENS.items()
    ]
    file.write_text(json.dumps({"tokens": entries}))
    return NOWHERE.model_copy(update={"tokens_file": file})


def test_a_console_that_would_be_open_beyond_this_machine_does_not_start() -> None:
    with pytest.raises(ValueError, match="NESTWORK_TOKENS_FILE"):
        build(NOWHERE.model_copy(update={"web_host": "0.0.0.0"}), ConsoleSettings())


async def test_nobody_comes_in_without_a_token(config: Settings) -> None:
    async with served(config) as address, Visitor(address) as visitor:
        for path in ("/", "/days", "/letters", "/explain", "/actions", "/runs", "/held", "/breaks", "/letter"):
            page = await visitor.get(path)
            assert "<h1>Sign in</h1>" in page.text, path
            assert complaints(page.tree) == []
        for path in ("/letters/act", "/held/0-1", "/actions/contribution/1", "/logout"):
            assert "<h1>Sign in</h1>" in (await visitor.post(path, [("csrf", ""), ("do", "agree")])).text, path
        refused = await visitor.sign_in("nwt_nobody")
        assert (refused.status, complaints(refused.tree)) == (401, [])
        assert 'role="alert"' in refused.text
        assert "nwt_nobody" not in refused.text


async def test_every_answer_carries_the_strict_headers_and_the_cookie_is_out_of_reach(config: Settings) -> None:
    async with served(config) as address, Visitor(address) as visitor:
        async with visitor.http.post(
            f"{address}/login", data={"token": TOKENS["rita"]}, allow_redirects=False
        ) as answer:
            cookie = answer.headers["Set-Cookie"]
        assert answer.status == 303
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert TOKENS["rita"] not in cookie
        for path in ("/login", "/", "/nowhere", "/static/console.css", "/livez"):
            headers = (await visitor.get(path)).headers
            assert "script-src" not in headers["Content-Security-Policy"], path
            assert headers["Content-Security-Policy"].startswith("default-src 'none'"), path
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
        assert (await visitor.get("/nowhere")).status == 404


async def test_a_missing_server_is_told_in_one_sentence_without_its_address(config: Settings) -> None:
    async with served(config) as address, Visitor(address) as visitor:
        page = await visitor.sign_in(TOKENS["rita"])
        assert (page.status, complaints(page.tree)) == (503, [])
        assert "try again" in page.text
        assert "127.0.0.1:1" not in page.text


async def test_readers_forms_and_foreign_forms_are_refused(config: Settings) -> None:
    async with served(config) as address, Visitor(address) as rita, Visitor(address) as otto:
        await rita.sign_in(TOKENS["rita"])
        await otto.sign_in(TOKENS["otto"])
        assert (await rita.post("/letters/act", [("do", "try"), ("id", "contribution:1")])).status == 403
        forged = await otto.post("/letters/act", [("csrf", "guessed"), ("do", "try"), ("id", "contribution:1")])
        assert forged.status == 403
        assert "not from this session" in forged.text
        assert (await otto.post("/logout", [("csrf", "guessed")])).status == 403
        elsewhere = await otto.post("/login", [("token", TOKENS["otto"])], Origin="http://elsewhere.example")
        assert elsewhere.status == 403


async def test_the_open_console_answers_on_loopback_names_only() -> None:
    async with served(NOWHERE) as address, Visitor(address) as visitor:
        rebound = await visitor.get("/login", Host="elsewhere.example")
        assert rebound.status == 403
        assert (await visitor.get("/login")).status == 200


@pytest.mark.parametrize(
    "path",
    ["/days/yesterday", "/runs?date=20-11-2026", "/held/x", "/held/0-", "/held/1-2-3", "/letters?service=nobody",
     "/runs?skip=-1", "/runs?payroll=" + "x" * 300,
     "/explain?participant=%00&date=2026-11-20", "/letter?id=nonsense"],
)  # fmt: skip
async def test_senseless_addresses_are_refused_before_anything_is_asked(config: Settings, path: str) -> None:
    async with served(config) as address, Visitor(address) as visitor:
        await visitor.sign_in(TOKENS["rita"])
        page = await visitor.get(path)
        assert page.status in (400, 404), page.text
        assert not re.search("Traceback", page.text)

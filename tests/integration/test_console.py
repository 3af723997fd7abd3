"""The operations console over a real cluster: every page, the two roles, replays, the second person."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from deploy.cluster import Cluster
from deploy.operate.letters import list_letters
from deploy.operate.target import of_folder
from shared.events import topics
from shared.events.payroll import Contribution
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings
from shared.runtime.tokens import token_hash
from shared.values.hashing import murmur2
from tests.support.console import Page, Visitor, complaints, served
from tests.support.operated import FIRST, operated_cluster
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PAGES = (
    "/", "/days", f"/days/{FIRST}", "/runs", f"/runs?date={FIRST}", "/held", "/breaks", "/letters",
    "/letters?service=contribution&replayed=yes", f"/explain?participant=s000-P1&date={FIRST}", "/actions",
)  # fmt: skip
TOKENS = {name: f"nwt_{name}_0123456789" for name in ("rita", "otto", "olga")}
HOSTILE = "<script>alert(1)</script>"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Two paydays, closed and proven, on two partitions."""
    cluster = await operated_cluster(tmp_path_factory.mktemp("console"), partitions=2)
    try:
        yield cluster
    finally:
        await cluster.stop()


@pytest.fixture
def config(operated: Cluster, tmp_path: Path) -> Settings:
    """The cluster with three people: a reader and two operators."""
    roles = {"rita": ["reader"], "otto": ["operator"], "olga": ["operator"]}
    file = tmp_path / "tokens.json"
    entries = [
        {"name": name, "hash": token_hash(token), "roles": roles[name], "plans": ["*"]}
        for name, token in TOKENS.items()
    ]
    file.write_text(json.dumps({"tokens": entries}))
    return of_folder(operated.folder).model_copy(update={"tokens_file": file})


async def send(config: Settings, key: str, body: bytes, ce_id: str, ce_type: str = Contribution.ce_type) -> None:
    producer = kafka_producer(config)
    await producer.start()
    try:
        await producer.send_and_wait(
            topics.PAYROLL_CONTRIBUTIONS.name, body, key=key.encode(),
            partition=murmur2(key.encode()) % config.partitions,
            headers=[("ce_id", ce_id.encode()), ("ce_source", b"/test/console"), ("ce_type", ce_type.encode())],
        )  # fmt: skip
    finally:
        await producer.stop()


def a_line(participant: str, cents: int) -> bytes:
    return orjson.dumps(
        {"plan_id": "s000-ACME", "participant_id": participant, "payroll_id": "C1", "pay_date": "2026-11-24",
         "compensation_cents": 100_000, "amounts": [{"source": "pre_tax", "cents": cents}]}
    )  # fmt: skip


async def letter_of(config: Settings, body: bytes, ce_id: str, ce_type: str) -> str:
    """Send a record that becomes a dead letter; returns its id."""
    before = {str(one.id) for one in await list_letters(config)}
    await send(config, "s000-P1", body, ce_id, ce_type)
    fresh: list[str] = []

    async def is_there() -> bool:
        fresh[:] = [str(one.id) for one in await list_letters(config) if str(one.id) not in before]
        return bool(fresh)

    await eventually(is_there, seconds=60)
    return fresh[0]


async def audit(operated: Cluster) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(operated.database_url("contribution"))
    try:
        return [dict(row) for row in await connection.fetch("SELECT * FROM operator_actions ORDER BY action")]
    finally:
        await connection.close()


def sealed(page: Page) -> str:
    found = re.search(r'name="seal" value="([0-9a-f]+)"', page.text)
    assert found, page.text
    return found[1]


async def try_out(visitor: Visitor, letter: str, *more: tuple[str, str]) -> Page:
    csrf = (await visitor.get(f"/letter?id={letter}")).csrf
    return await visitor.post("/letters/act", [("csrf", csrf), ("do", "try"), ("id", letter), *more])


async def replay(visitor: Visitor, letter: str, reason: str = "the sender asked for it") -> Page:
    dry = await try_out(visitor, letter)
    fields = [("csrf", dry.csrf), ("do", "replay"), ("id", letter), ("seal", sealed(dry)), ("reason", reason)]
    return await visitor.post("/letters/act", fields)


async def test_every_page_opens_for_a_reader_and_reads_well(config: Settings) -> None:
    async with served(config) as address, Visitor(address) as rita:
        assert "Token" in (await rita.get("/")).text
        assert (await rita.sign_in("nwt_wrong")).status == 401
        assert (await rita.sign_in(TOKENS["rita"])).status == 200
        for path in PAGES:
            page = await rita.get(path)
            assert (page.status, complaints(page.tree)) == (200, []), path
            policy = page.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "agree" not in page.text
        day = (await rita.get(f"/days/{FIRST}")).tree
        states = {row.every("th")[0].text: row.every("td")[1].text for row in day.every("table")[2].every("tr")[1:]}
        assert states == {"0": "closed", "1": "closed"}
        assert "proven" in day.text
        run = (await rita.get("/runs?payroll=s000-R1")).tree
        cells = [cell.text for cell in run.every("table")[0].every("tr")[1].every("td")]
        assert cells[0] == "s000-ACME"
        assert "released" in cells[10]
        story = (await rita.get(f"/explain?participant=s000-P1&date={FIRST}")).tree.text
        assert "169.23" in story
        assert "23.47" in story
        nobody = await rita.get(f"/explain?participant=nobody&date={FIRST}")
        assert "nothing is known of nobody" in nobody.text


async def test_the_overview_shows_what_the_workers_say(operated: Cluster, config: Settings) -> None:
    addresses = [operated.web_url("trading"), "http://127.0.0.1:1"]
    async with served(config, workers=", ".join(addresses)) as address, Visitor(address) as rita:
        page = await rita.sign_in(TOKENS["rita"])
        assert complaints(page.tree) == []
        (table,) = [one for one in page.tree.every("table") if "What the workers say" in one.text]
        rows = [[cell.text for cell in row.every("th", "td")] for row in table.every("tr")[1:]]
        assert rows[0] == [addresses[0], "ready", "0, 1", "–"]
        assert rows[1][:3] == [addresses[1], "does not answer", "–"]


async def test_probes_and_prometheus_need_no_token(operated: Cluster, config: Settings) -> None:
    async with served(config) as address, Visitor(address) as nobody, Visitor(address) as rita:
        assert [(await nobody.get(path)).status for path in ("/livez", "/readyz")] == [200, 200]
        before = (await nobody.get("/metrics")).text
        await rita.sign_in(TOKENS["rita"])
        assert (await rita.get("/letters/nowhere")).status == 404
        after = (await nobody.get("/metrics")).text
    refused = re.compile(
        r'^nestwork_http_requests_total\{outcome="refused",service="console"\} ([0-9.]+)$', re.MULTILINE
    )
    (first,), (second,) = refused.findall(before), refused.findall(after)
    assert float(second) - float(first) == 1
    assert 'nestwork_console_actions_total{action="replay",service="console",state="asked"}' in after
    lost = config.model_copy(update={"database_url": config.database_url.replace("@127.0.0.1:", "@127.0.0.2:")})
    async with served(lost) as address, Visitor(address) as nobody:
        assert [(await nobody.get(path)).status for path in ("/livez", "/readyz")] == [200, 503]


async def test_a_reader_may_not_act_and_sees_no_bodies(config: Settings) -> None:
    letter = await letter_of(config, b'{"born": "1970-02-03"', "secret-1", Contribution.ce_type)
    async with served(config) as address, Visitor(address) as rita, Visitor(address) as otto:
        await rita.sign_in(TOKENS["rita"])
        await otto.sign_in(TOKENS["otto"])
        assert "1970-02-03" not in (await rita.get(f"/letter?id={letter}")).text
        assert "1970-02-03" in (await otto.get(f"/letter?id={letter}")).text
        csrf = (await rita.get("/")).csrf
        for path in ("/letters/act", "/held/0-1", "/actions/contribution/1"):
            assert (await rita.post(path, [("csrf", csrf), ("do", "replay"), ("id", letter)])).status == 403


async def test_a_replay_is_tried_out_first_and_leaves_an_audit_row(operated: Cluster, config: Settings) -> None:
    letter = await letter_of(config, HOSTILE.encode(), "hostile-1", Contribution.ce_type)
    async with served(config) as address, Visitor(address) as otto:
        await otto.sign_in(TOKENS["otto"])
        before = await audit(operated)
        dry = await try_out(otto, letter)
        assert "would send" in dry.text
        assert complaints(dry.tree) == []
        assert await audit(operated) == before
        shown = await otto.get(f"/letter?id={letter}")
        assert HOSTILE not in shown.text
        assert "&lt;script&gt;" in shown.text
        without = await otto.post("/letters/act", [("do", "replay"), ("id", letter), ("seal", sealed(dry))])
        assert without.status == 403
        foreign = [("csrf", dry.csrf), ("do", "replay"), ("id", letter), ("seal", sealed(dry)), ("reason", "x")]
        assert (await otto.post("/letters/act", foreign, Origin="http://elsewhere.example")).status == 403
        unsealed = [("csrf", dry.csrf), ("do", "replay"), ("id", letter), ("seal", "0"), ("reason", "x")]
        assert (await otto.post("/letters/act", unsealed)).status == 409
        assert await audit(operated) == before
        done = await replay(otto, letter)
        assert done.status == 200
        (row,) = (await audit(operated))[len(before) :]
        assert (row["kind"], row["subjects"], row["state"]) == ("replay", [letter], "done")
        assert (row["asked_by"], row["decided_by"], row["reason"]) == ("otto", "otto", "the sender asked for it")
        assert row["outcome"] == f"{letter}: sent"
        assert (await try_out(otto, letter)).status == 409
        assert "would send" in (await try_out(otto, letter, ("again", "yes"))).text


async def test_above_the_amount_somebody_else_has_to_agree(operated: Cluster, config: Settings) -> None:
    letter = await letter_of(config, a_line("s000-P2", 5_000), "dear-1", "nestwork.payroll.contribution.v9")
    async with (
        served(config, alone_cents=0) as address, Visitor(address) as otto, Visitor(address) as olga,
        Visitor(address) as rita,
    ):  # fmt: skip
        for visitor, name in ((otto, "otto"), (olga, "olga"), (rita, "rita")):
            await visitor.sign_in(TOKENS[name])
        connection = await asyncpg.connect(operated.database_url("contribution"))
        await connection.execute(
            "UPDATE dead_letters SET cents = 5000 WHERE dead_letter = $1", int(letter.partition(":")[2])
        )
        await connection.close()
        asked = await replay(otto, letter)
        assert "waits for a second person" in asked.text
        assert complaints(asked.tree) == []
        row = (await audit(operated))[-1]
        assert (row["state"], row["cents"], row["decided_by"]) == ("asked", 5_000, None)
        place = f"/actions/contribution/{row['action']}"
        assert (await replay(otto, letter)).status == 409
        for visitor, status in ((otto, 409), (rita, 403)):
            csrf = (await visitor.get("/actions")).csrf
            assert (await visitor.post(place, [("csrf", csrf), ("do", "agree")])).status == status
        assert (await audit(operated))[-1]["state"] == "asked"
        csrf = (await olga.get("/actions")).csrf
        assert (await olga.post(place, [("csrf", csrf), ("do", "agree")])).status == 200
        row = (await audit(operated))[-1]
        assert (row["state"], row["asked_by"], row["decided_by"]) == ("done", "otto", "olga")
        assert (await olga.post(place, [("csrf", csrf), ("do", "agree")])).status == 409
        (marked,) = [one for one in await list_letters(config) if str(one.id) == letter]
        assert "otto, olga" in (marked.replayed or "")


async def test_a_held_repeat_is_booked_from_its_page(operated: Cluster, config: Settings) -> None:
    await send(config, "s000-P1", a_line("s000-P1", 777), "held-1")
    await send(config, "s000-P1", a_line("s000-P1", 777), "held-2")
    async with served(config) as address, Visitor(address) as otto:
        await otto.sign_in(TOKENS["otto"])
        places: list[str] = []

        async def is_held() -> bool:
            places[:] = re.findall(r'href="(/held/\d+-\d+)"', (await otto.get("/held")).text)
            return bool(places)

        await eventually(is_held, seconds=60)
        page = await otto.get(places[0])
        assert complaints(page.tree) == []
        assert "held-2" in page.text
        done = await otto.post(places[0], [("csrf", page.csrf), ("do", "book"), ("reason", "a bonus")])
        assert done.status == 200
        row = (await audit(operated))[-1]
        assert (row["kind"], row["state"], row["cents"], row["outcome"]) == ("book", "done", 777, "booked")
        assert (await otto.get(places[0])).status == 409

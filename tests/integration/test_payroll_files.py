"""Payroll files on a running engine: by command and over HTTP, twice, after a crash, and with everything wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
import yaml
from aiohttp.test_utils import TestServer
from aiokafka import TopicPartition

from deploy.payroll.importing import Wanted, check_file
from deploy.payroll.intake import Intake, IntakeSettings
from deploy.payroll.kept import Kept, Store
from deploy.payroll.web import FILES, intake_app
from deploy.security.tokenfile import add_token
from shared.events import topics
from shared.runtime.clients import kafka_reader
from shared.runtime.settings import Settings
from shared.runtime.tokens import Role, Tokens
from shared.runtime.topics import partition_count
from tests.support.events import PLAN, fresh
from tests.support.payday import Payday
from tests.support.waiting import eventually
from tests.unit.payroll.builders import MAP, a_field, a_map

HEADER = "Employee,Name,SSN,Payroll,Date,Gross,401k,Roth\n"
COLUMNS = {**MAP, "fields": a_field("payroll_id", "Payroll")}


def row(person: str, payroll: str, pre_tax: str = "100.00", roth: str = "0.50", date: str = "11/20/2026") -> str:
    return f'{person},"Doe, Jane",123-45-6789,{payroll},{date},"4,230.77",{pre_tax},{roth}\n'


def people(payday: Payday, count: int) -> list[str]:
    return [payday.person(number % 4) for number in range(count)]


class Files:
    """A folder to run the command in, as somebody would who has the cluster's addresses in his environment."""

    def __init__(self, payday: Payday, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | payday.cluster.environment()
        (folder / "map.yaml").write_text(yaml.safe_dump(COLUMNS))

    async def start(self, content: str, *options: str) -> asyncio.subprocess.Process:
        (self.folder / "payroll.csv").write_text(content)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from deploy.cli.main import main; main()", "payroll", "import", "payroll.csv",
            "--map", "map.yaml", "--json", *options, cwd=self.folder, env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def run(self, content: str, *options: str) -> tuple[int, Any]:
        process = await self.start(content, *options)
        said, noted = await process.communicate()
        assert b"Traceback" not in noted
        return process.returncode or 0, json.loads(said)

    def sent(self) -> int:
        """How far the file is, by its checkpoint."""
        found = list((self.folder / ".nestwork" / "payroll").glob("*-*-*/state.json"))
        return int(json.loads(found[0].read_bytes())["sent"]) if found else 0


@pytest.fixture
def files(payday: Payday, tmp_path: Path) -> Files:
    return Files(payday, tmp_path)


async def booked(payday: Payday, payrolls: str) -> tuple[int, int]:
    """Lines and accepted cents of the runs that are LIKE this, in the engine's books."""
    rows = await payday.wire.query(
        "contribution",
        "SELECT count(*) AS lines, coalesce(sum(requested - rejected), 0)::bigint AS accepted"
        " FROM journal WHERE kind = 'line' AND payroll_id LIKE $1",
        payrolls,
    )
    return rows[0]["lines"], rows[0]["accepted"]


async def everything(config: Settings, topic: topics.Topic) -> list[Any]:
    """All records of a topic so far."""
    consumer = kafka_reader(config)
    await consumer.start()
    try:
        places = [TopicPartition(topic.name, number) for number in range(partition_count(topic, config))]
        ends, found = await consumer.end_offsets(places), []
        consumer.assign(places)
        for place in places:
            consumer.seek(place, 0)
        for place in places:
            while ends[place] > await consumer.position(place):
                found += (await consumer.getmany(place, timeout_ms=500)).get(place, [])
        return found
    finally:
        await consumer.stop()


async def test_a_file_is_decided_as_lines_are_and_twice_changes_nothing(payday: Payday, files: Files) -> None:
    payroll, crowd = fresh("file"), people(payday, 6)
    content = HEADER + "".join(row(person, payroll) for person in crowd) + row(crowd[0], payroll, "(5.00)")
    content += row(crowd[1], payroll, "1.005") + row(crowd[2], payroll, date="2026-13-01") + row(crowd[0], payroll)
    status, first = await files.run(content, "--rejects", "rejects.csv")
    assert (status, first["lines"], first["malformed"], first["accepted_cents"]) == (1, 8, 2, 6 * 10_050)
    assert first["answers"] == {"accepted": 6, "rejected": 1, "duplicate": 1}
    told = [line.split(",")[:4] for line in (files.folder / "rejects.csv").read_text().splitlines()[1:]]
    assert told == [
        ["9", "", "malformed", "ROW_INVALID_AMOUNT"], ["10", "", "malformed", "ROW_INVALID_DATE"],
        ["8", crowd[0], "rejected", "INVALID_AMOUNT"], ["8", crowd[0], "rejected", "INVALID_AMOUNT"],
    ]  # fmt: skip  # Once for each source of the line.
    assert [(one["code"], one["rows"], one["cents"]) for one in first["reasons"]][2:] == [("INVALID_AMOUNT", 1, 50)]
    before = await booked(payday, payroll)
    assert before[1] == 6 * 10_050
    status, second = await files.run(content)
    assert (status, second["answers"], second["accepted_cents"]) == (1, {"duplicate": 8}, 0)
    assert second["accepted_before_cents"] == 7 * 10_050  # One of the rows is there twice.
    assert await booked(payday, payroll) == before
    # Somebody who exports the same rows in another order sends the same lines.
    turned = HEADER + "".join(row(person, payroll) for person in reversed(crowd))
    assert (await files.run(turned))[1]["answers"] == {"duplicate": 6}
    assert await booked(payday, payroll) == before


async def test_names_and_tax_ids_reach_no_topic(payday: Payday, files: Files) -> None:
    person, payroll = payday.person(), fresh("file")
    assert (await files.run(HEADER + row(person, payroll)))[0] == 0
    found = await everything(payday.wire.config, topics.PAYROLL_CONTRIBUTIONS)
    (line,) = [record for record in found if payroll.encode() in (record.value or b"")]
    assert b"Doe" not in line.value
    assert b"123-45" not in line.value
    assert all(b"Doe" not in value and b"123-45" not in value for _, value in line.headers)


async def test_control_totals_are_published_when_asked_for(payday: Payday, files: Files) -> None:
    payroll, crowd = fresh("file"), people(payday, 3)
    content = HEADER + "".join(row(person, payroll) for person in crowd)
    assert (await files.run(content, "--totals"))[0] == 0
    said = await everything(payday.wire.config, topics.PAYROLL_RUNS)  # With what other tests sent that is no JSON.
    opened, closed = [orjson.loads(one.value) for one in said if payroll.encode() in (one.value or b"")]
    assert (opened["line_count"], opened["pay_date"], closed["line_count"]) == (3, "2026-11-20", 3)
    assert closed["cents_by_source"] == {"pre_tax": 30_000, "roth": 150}
    # A row that could not be read makes the totals unknown: the run is opened, and not closed.
    other = fresh("file")
    broken = content.replace(payroll, other) + row(crowd[0], other, "x")
    assert (await files.run(broken, "--totals"))[0] == 1
    said = await everything(payday.wire.config, topics.PAYROLL_RUNS)
    assert len([one for one in said if other.encode() in (one.value or b"")]) == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_after_a_kill_the_command_goes_on_and_every_line_is_booked_once(payday: Payday, files: Files) -> None:
    payroll, crowd = fresh("file"), people(payday, 40)
    lines = [row(person, f"{payroll}-{number}", "0.10", "0.01") for number in range(200) for person in crowd]
    content = HEADER + "".join(lines)
    process = await files.start(content)

    async def is_under_way() -> bool:
        return files.sent() > 0

    await eventually(is_under_way, seconds=120, every=0.01)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert files.sent() < len(lines), "the file was done before it could be killed"
    status, document = await files.run(content)
    assert (status, document["ok"]) == (0, True)
    assert sum(document["answers"].values()) == len(lines)
    assert document["accepted_cents"] + document["accepted_before_cents"] == 11 * len(lines)
    assert await booked(payday, f"{payroll}-%") == (len(lines), 11 * len(lines))


@pytest.mark.parametrize(
    ("content", "code"),
    [("", "FILE_EMPTY"), ("a,b\n1,2\n", "FILE_HEADER"), (HEADER + '"' + "x\n" * 9, "FILE_QUOTE_OPEN")],
)
async def test_a_file_that_is_refused_ends_with_a_sentence_and_its_code(files: Files, content: str, code: str) -> None:
    status, document = await files.run(content)
    assert (status, document["ok"], document["code"]) == (1, False, code)


# -- over HTTP -----------------------------------------------------------------------------------------------------


class Caller:
    """Somebody with a token (or none) at the intake."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None) -> None:
        self._session, self._url = session, url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def post(
        self, body: Any, query: str = "map=acme", content_type: str = "text/csv", **headers: str
    ) -> tuple[int, Any]:
        headers = self._headers | {"Content-Type": content_type} | headers
        async with self._session.post(f"{self._url}{FILES}?{query}", data=body, headers=headers) as answer:
            return self._told(answer, await answer.read())

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._session.get(f"{self._url}{path}", headers=self._headers) as answer:
            return self._told(answer, await answer.read())

    async def until_done(self, file_id: str) -> Any:
        document: Any = {}

        async def is_done() -> bool:
            nonlocal document
            status, document = await self.get(f"{FILES}/{file_id}")
            return status == 200 and document["phase"] == "done"

        await eventually(is_done, seconds=90)
        return document

    @staticmethod
    def _told(answer: aiohttp.ClientResponse, body: bytes) -> tuple[int, Any]:
        document = orjson.loads(body) if answer.content_type.endswith("json") else body.decode()
        if answer.status >= 400:
            assert answer.content_type == "application/problem+json"
            assert (document["status"], set(document) >= {"type", "title", "detail"}) == (answer.status, True)
            assert (answer.status == 401) == ("WWW-Authenticate" in answer.headers)
        return answer.status, document


class Callers:
    """The intake that the cluster started, and who may use it."""

    def __init__(self, payday: Payday, session: aiohttp.ClientSession) -> None:
        folder = payday.cluster.folder
        self.url = str(payday.cluster.process("intake").url)
        self.session, self.tokens = session, folder / "tokens.json"
        (folder / "intake" / "maps" / "acme.yaml").write_text(yaml.safe_dump(COLUMNS))
        self.acme = self.named(fresh("acme"), PLAN)
        self.other = self.named(fresh("other"), "OTHER")
        self.nobody = Caller(session, self.url, None)

    def named(self, name: str, *plans: str) -> Caller:
        return Caller(self.session, self.url, add_token(self.tokens, name, [Role.PAYROLL], plans))


@pytest_asyncio.fixture
async def callers(payday: Payday) -> AsyncIterator[Callers]:
    async with aiohttp.ClientSession() as session:
        yield Callers(payday, session)


async def test_an_upload_is_sent_in_the_background_and_a_second_one_is_the_same(
    payday: Payday, callers: Callers
) -> None:
    payroll, crowd = fresh("file"), people(payday, 5)
    content = HEADER + "".join(row(person, payroll) for person in crowd) + row(crowd[0], payroll, "x")
    status, document = await callers.acme.post(content.encode())
    assert (status, document["lines"], document["malformed"]) == (202, 5, 1)
    done = await callers.acme.until_done(document["id"])
    assert (done["answers"], done["accepted_cents"]) == ({"accepted": 5}, 5 * 10_050)
    assert [(one["row"], one["code"]) for one in done["shown_rejects"]] == [(7, "ROW_INVALID_AMOUNT")]
    assert (
        (await callers.acme.get(f"{FILES}/{document['id']}/rejects.csv"))[1].splitlines()[1].startswith("7,,malformed,")
    )
    status, again = await callers.acme.post(content.encode())
    assert (status, again["id"], again["phase"]) == (200, document["id"], "done")
    # Another holder's file of the same content is another upload of the same lines.
    twin = callers.named(fresh("twin"), PLAN)
    status, other = await twin.post(content.encode())
    assert (status, other["id"] != document["id"]) == (202, True)
    assert (await twin.until_done(other["id"]))["answers"] == {"duplicate": 5}
    stored = b"".join(one.read_bytes() for one in (payday.cluster.folder / "intake").rglob("*") if one.is_file())
    assert b"Doe" not in stored
    assert b"123-45" not in stored


async def test_prometheus_is_told_what_came_in_and_what_became_of_it_without_a_token(
    payday: Payday, callers: Callers
) -> None:
    async def figures() -> dict[str, float]:
        status, text = await callers.nobody.get("/metrics")
        assert status == 200
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}

    def lines(outcome: str) -> str:
        return f'nestwork_payroll_file_lines_total{{outcome="{outcome}",service="intake"}}'

    before = await figures()
    payroll = fresh("file")
    content = HEADER + row(payday.person(), payroll) + row(payday.person(1), payroll, "x")
    _, document = await callers.acme.post(content.encode())
    assert (await callers.nobody.post(content.encode()))[0] == 401
    await callers.acme.until_done(document["id"])
    refused = 'nestwork_http_requests_total{outcome="refused",service="intake"}'
    grown = {lines("accepted"): 1, lines("malformed"): 1, lines("rejected"): 0, refused: 1}

    async def told() -> bool:
        after = await figures()
        return {name: after[name] - before[name] for name in grown} == grown

    await eventually(told, seconds=20)
    waiting = await figures()
    assert waiting['nestwork_payroll_files_waiting{service="intake"}'] == 0
    assert waiting['nestwork_payroll_files_oldest_timestamp_seconds{service="intake"}'] == 0
    assert not [name for name in waiting if payroll in name or "acme" in name]


async def test_who_may_not_is_told_so(payday: Payday, callers: Callers) -> None:
    content = (HEADER + row(payday.person(), fresh("file"))).encode()
    assert (await callers.nobody.post(content))[0] == 401
    assert (await Caller(callers.session, callers.url, "nwt_wrong").post(content))[0] == 401
    status, problem = await callers.other.post(content)
    assert (status, problem["code"], problem["row"]) == (403, "plan_out_of_scope", 2)
    _, document = await callers.acme.post(content)
    assert (await callers.other.get(f"{FILES}/{document['id']}"))[0] == 404
    assert (await callers.nobody.get(f"{FILES}/{document['id']}"))[0] == 401
    assert (await callers.acme.get(f"{FILES}/{document['id']}"))[0] == 200
    await callers.acme.until_done(document["id"])


@pytest.mark.parametrize(
    ("query", "content_type", "expected"),
    [
        ("map=acme", "application/json", 415), ("map=acme", "application/x-ndjson", 415), ("map=acme", "", 415),
        ("", "text/csv", 422), ("map=none", "text/csv", 422), ("map=../maps/acme", "text/csv", 422),
        ("map=..%2f..%2ftokens.json", "text/csv", 422), ("map=acme%00", "text/csv", 422),
        ("map=acme&map=b", "text/csv", 422),
        ("map=acme&plan_id=ACME", "text/csv", 422), ("map=acme&totals=yes", "text/csv", 422),
        ("map=acme&x=%0d%0aSet-Cookie:a", "text/csv", 422),
    ],
)  # fmt: skip
async def test_a_wrong_request_is_a_problem_document(
    callers: Callers, query: str, content_type: str, expected: int
) -> None:
    assert (await callers.acme.post(b"a,b\n1,2\n", query, content_type))[0] == expected


async def test_compressed_and_unreadable_files_are_problem_documents(callers: Callers) -> None:
    assert (await callers.acme.post(b"x", **{"Content-Encoding": "gzip"}))[0] == 415
    for content, code in (
        (b"", "FILE_EMPTY"),
        (b"a\n1\n", "FILE_HEADER"),
        (HEADER.encode() + b'"x', "FILE_QUOTE_OPEN"),
    ):
        status, problem = await callers.acme.post(content)
        assert (status, problem["code"]) == (422, code)


@pytest.mark.parametrize(
    "path", [f"{FILES}/x", f"{FILES}/..%2f..%2ftokens.json", f"{FILES}/state.json/rejects.csv", "/v1"]
)
async def test_unknown_files_and_pages_are_not_found(callers: Callers, path: str) -> None:
    assert (await callers.acme.get(path))[0] == 404


async def test_half_a_file_is_no_file(payday: Payday, callers: Callers) -> None:
    kept_before = set((payday.cluster.folder / "intake" / "files").iterdir())

    async def broken_off() -> AsyncIterator[bytes]:
        yield (HEADER + row(payday.person(), fresh("file"))).encode()
        raise ConnectionError

    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await callers.acme.post(broken_off())

    async def nothing_is_kept() -> bool:
        return set((payday.cluster.folder / "intake" / "files").iterdir()) == kept_before

    await eventually(nothing_is_kept)


async def test_too_large_is_said_before_and_while_it_arrives(payday: Payday, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "acme.yaml").write_text(yaml.safe_dump(COLUMNS))
    async with an_intake(payday, tmp_path, bytes_max=5_000) as caller:
        await eventually(lambda: answers(caller, "/readyz", 200), seconds=30)
        content = (HEADER + row("P1", "R1") * 100).encode()
        assert (await caller.post(content))[0] == 413

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 1_000):
                yield content[start : start + 1_000]

        assert (await caller.post(pieces()))[0] == 413
    assert list((tmp_path / "files").iterdir()) == []


async def test_a_restarted_intake_sends_what_was_left(payday: Payday, tmp_path: Path) -> None:
    payroll, crowd = fresh("file"), people(payday, 4)
    file = tmp_path / "payroll.csv"
    file.write_text(HEADER + "".join(row(person, payroll) for person in crowd))
    left = check_file(Wanted(file, a_map(fields=COLUMNS["fields"]), tmp_path / "files"))
    async with an_intake(payday, tmp_path) as caller:
        assert (await caller.until_done(left.state.file_id))["answers"] == {"accepted": 4}
    found: Kept | None = Store(tmp_path / "files").find(left.state.file_id)
    assert found is not None
    assert not (found.folder / "lines").exists()


async def answers(caller: Caller, path: str, status: int) -> bool:
    return (await caller.get(path))[0] == status


@asynccontextmanager
async def an_intake(payday: Payday, folder: Path, bytes_max: int = 10**6) -> AsyncIterator[Caller]:
    """An intake of this process with other limits."""
    tokens = folder / "tokens.json"
    token = add_token(tokens, "acme", [Role.PAYROLL], ["*"])
    config: Settings = payday.wire.config.model_copy(update={"data_dir": folder})
    own = IntakeSettings(NESTWORK_PAYROLL_MAPS=folder / "maps", NESTWORK_UPLOAD_BYTES_MAX=bytes_max)
    server = TestServer(intake_app(Intake(config, own), Tokens(tokens)))
    await server.start_server()
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(session, str(server.make_url("")).rstrip("/"), token)
    finally:
        await server.close()

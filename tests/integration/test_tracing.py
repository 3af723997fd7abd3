"""Traces and privacy on a real cluster: a traceparent follows the money, spans arrive, nobody's data is in logs."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import asyncpg
import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from shared.events import topics
from shared.events.envelope import TRACEPARENT
from tests.support import events
from tests.support.payday import Payday, open_payday
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT_IN = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
CANARIES = ("CanaryAnn", "078-05-1120", "1971-02-03")
"""A name, a number of Social Security's own advertising, and a birth date nobody else here has."""


@dataclass(repr=False)
class Collector:
    """What an OpenTelemetry collector was sent."""

    raw: list[bytes] = field(default_factory=list)
    spans: list[tuple[str, Span]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Keep one export."""
        body = await request.read()
        self.raw.append(body)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {one.key: one.value.string_value for one in group.resource.attributes}
            found = [span for scope in group.scope_spans for span in scope.spans]
            self.spans += [(names["service.name"], span) for span in found]
        return web.Response(body=b"", content_type="application/x-protobuf")

    def linked(self, name: str) -> set[str]:
        """The services whose spans of this name (or with it in front) link to the trace that came in."""
        return {
            service
            for service, span in self.spans
            if span.name.startswith(name) and any(link.trace_id.hex() == TRACE_ID for link in span.links)
        }


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    collector = Collector()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield collector, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class Traced:
    """A running company whose workers send spans to us."""

    payday: Payday
    collector: Collector
    folder: Path

    def logs(self) -> dict[str, str]:
        """What every process of the cluster wrote."""
        return {file.name: file.read_text(errors="replace") for file in (self.folder / "log").glob("*.log")}


@pytest_asyncio.fixture(scope="module")
async def traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    async with collecting() as (collector, address):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(os.environ, "NESTWORK_TRACE_RATIO", "1")
            patch.setitem(os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT", address)
            patch.setitem(os.environ, "OTEL_BSP_SCHEDULE_DELAY", "300")
            async with open_payday(folder) as payday:
                yield Traced(payday, collector, folder)


async def test_a_traceparent_follows_the_money_and_spans_link_to_it(traced: Traced) -> None:
    payday = traced.payday
    line = events.line(payday.person(), {"pre_tax": 4_000}, payroll="traced")
    plain = events.line(payday.person(1), {"pre_tax": 4_000}, payroll="traced")
    traced_line = line.with_header(TRACEPARENT, TRACEPARENT_IN.encode())
    broken = plain.with_header(TRACEPARENT, TRACEPARENT_IN.upper().encode())
    await payday.wire.send(traced_line, broken, events.funding("traced", 8_000))
    await payday.wire.receipt(line.ce_id)
    await payday.wire.receipt(plain.ce_id)
    carried = {
        one.body["request"]["id"]: one.headers.get(TRACEPARENT)
        for one in payday.wire.heard[topics.PAYROLL_RECEIPTS.name]
    }
    assert carried[line.ce_id] == TRACEPARENT_IN.encode()
    assert carried[plain.ce_id] is None
    await payday.close_day()
    for service in ("contribution", "allocation", "trading"):
        rows = await payday.wire.query(service, "SELECT trace FROM journal WHERE trace IS NOT NULL")
        assert {row["trace"] for row in rows} == {TRACEPARENT_IN}, service
    money = {f"nestwork-{service}" for service in ("contribution", "allocation", "trading")}

    async def are_there() -> bool:
        seen = {(service, span.name.split()[0]) for service, span in traced.collector.spans}
        four = {f"nestwork-{name}" for name in ("contribution", "allocation", "trading", "valuation")}
        return seen >= {(s, name) for s in four for name in ("poll", "handle", "publish")} and (
            traced.collector.linked("handle") >= money
        )

    await eventually(are_there, seconds=60)
    assert "nestwork-contribution" in traced.collector.linked("poll")


async def test_logs_metrics_and_spans_hold_no_name_number_or_birth_date(traced: Traced) -> None:
    payday = traced.payday
    name, number, born = CANARIES
    extra = {"first_name": name, "ssn": number, "employee": {"name": name}}
    good, unlucky, unreadable = (payday.person(partition) for partition in range(3))
    contribution = payday.cluster.database_url("contribution")
    await run(contribution, refusing(unlucky))
    line = events.line(unlucky, {"pre_tax": 100}, payroll="parked-run", **extra)
    await payday.wire.send(
        events.census(good, birth_date=born, **extra),
        events.line(good, {"pre_tax": 1_000}, payroll="canary", **extra),
        events.line(unreadable, payroll="canary").but(value=f'{{"name": "{name} {number} {born}"'.encode()),
        events.census(unreadable, birth_date=f"{born} {name}"),
        events.census(unlucky, birth_date=born, **extra),
        line.with_header(TRACEPARENT, TRACEPARENT_IN.encode()),
    )

    async def is_parked() -> bool:
        rows = await payday.wire.query("contribution", "SELECT key FROM parked WHERE key = $1", unlucky)
        letters = await payday.wire.query("contribution", "SELECT dead_letter FROM dead_letters")
        return len(rows) >= 1 and len(letters) >= 2

    await eventually(is_parked, seconds=60)
    await run(contribution, ACCEPTING)
    parked = [
        orjson.loads(text)
        for text in traced.logs()["contribution-0.log"].splitlines()
        if '"participant_parked"' in text
    ]
    assert parked, "the failure was not logged, so this test looks at nothing"
    assert parked[-1]["events"] == [{"event_id": line.ce_id, "payroll_id": "parked-run", "trace_id": TRACE_ID}]
    assert "CheckViolationError" in parked[-1]["exception"]
    seen = {name: text for name, text in traced.logs().items() if name != "postgres.log"}  # It repeats our trigger.
    for service in ("contribution", "allocation", "trading", "valuation"):
        _, text = await metrics(f"{payday.cluster.web_url(service)}/metrics")
        seen[f"metrics of {service}"] = text
    seen["spans"] = b"".join(traced.collector.raw).decode("latin-1")
    for place, text in seen.items():
        assert [canary for canary in CANARIES if canary in text] == [], place
    assert not re.search("Failing row", "".join(seen.values()))


def refusing(participant: str) -> str:
    """A database that refuses one participant's entries and repeats everything about him, as details do."""
    said = " ".join(CANARIES)
    return f"""
    CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'no entry for {said}' USING ERRCODE = 'check_violation', DETAIL = 'Failing row: {said}'; END $$;
    CREATE TRIGGER refuse_one BEFORE INSERT ON journal FOR EACH ROW
        WHEN (NEW.participant_id = '{participant}') EXECUTE FUNCTION refuse_one();"""


ACCEPTING = "DROP TRIGGER refuse_one ON journal; DROP FUNCTION refuse_one"


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def metrics(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.text()

"""Real troubles on a running cluster, watched by a real Prometheus: an alert fires, the trouble is healed, it ends.

The rules are the shipped ones, twenty times as fast. The troubles follow each other on one cluster, whose dates are
proven in between.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
import yaml
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.grafana.asking import ask
from deploy.grafana.build import DASHBOARDS
from deploy.grafana.money import MONEY
from deploy.grafana.panels import Panel
from deploy.grafana.picture import draw
from deploy.operate.replay import replay
from deploy.scenarios.facts import VALUE_REQUESTED
from deploy.security.tokenfile import add_token
from shared.events import topics
from shared.events.custodian import Holdings
from shared.runtime.clients import kafka_admin
from shared.runtime.tokens import Role
from tests.support import events
from tests.support.events import Outgoing, fresh
from tests.support.payday import PRICE, Payday, open_payday
from tests.support.prometheus import RATE_WINDOW, Watch, open_watch
from tests.support.waiting import eventually
from tests.support.wire import page
from tests.unit.payroll.builders import HEADER, MAP, ROW

REFUSING = """
CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'no entry' USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER refuse_one BEFORE INSERT ON journal FOR EACH ROW
    WHEN (NEW.participant_id = '{participant}') EXECUTE FUNCTION refuse_one();"""
ACCEPTING = "DROP TRIGGER refuse_one ON journal; DROP FUNCTION refuse_one"


class Watched:
    """A company on a cluster, and what watches it."""

    def __init__(self, payday: Payday, watch: Watch) -> None:
        self.payday, self.watch = payday, watch
        self.cluster, self.wire = payday.cluster, payday.wire

    async def earn(self, cents: int = 10_000, cash: bool = True) -> tuple[str, str]:
        """One payroll line, with its cash unless it is held back; returns participant and payroll."""
        person, payroll = self.payday.person(), fresh("run")
        line = events.line(person, {"pre_tax": cents}, payroll=payroll)
        await self.wire.send(line, *([events.funding(payroll, cents)] if cash else []))
        return person, payroll

    async def execute(self, service: str, statement: str) -> None:
        """Do something to a service's database that nobody should."""
        connection = await asyncpg.connect(self.cluster.database_url(service))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @asynccontextmanager
    async def without(self, name: str) -> AsyncIterator[None]:
        """A process of the cluster is dead meanwhile."""
        self.cluster.hold(name)
        self.cluster.process(name).identity.send(9)
        try:
            yield
        finally:
            self.cluster.release(name)
            await eventually(self._runs(name), seconds=60)

    def _runs(self, name: str) -> Any:
        async def runs() -> bool:
            return self.cluster.process(name).identity.alive()

        return runs

    async def cut_and_price(self) -> date:
        """Cut the open date and publish its price, so that the custodian answers; the date is not valued yet."""
        day = await self.payday.cut()
        await self.wire.send(events.price(events.FUND, day.isoformat(), PRICE))
        return day


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """The cluster with a little money in it, seen by Prometheus, Alertmanager and the watcher."""
    async with (
        open_payday(tmp_path_factory.mktemp("payday")) as payday,
        open_watch(payday.cluster, tmp_path_factory.mktemp("watch")) as watch,
    ):
        found = Watched(payday, watch)
        await found.earn()
        await payday.close_day()
        yield found


async def test_a_quiet_cluster_fires_nothing(watched: Watched) -> None:
    await asyncio.sleep(15)
    assert await watched.watch.firing() == []


async def test_a_dead_service_is_seen_from_outside_and_pages_once(watched: Watched) -> None:
    async with watched.without("trading-0"):
        await watched.wire.send(events.price("F9", "2026-11-18", PRICE))
        await watched.watch.until_fires("ServiceSilent", service="trading")
        await watched.watch.until_fires("WorkerDown")
        lag = {"service": "trading", "topic": "market.prices.v1"}
        await watched.watch.until_fires("RecordsWaitOutside", is_told=False, **lag)
        assert watched.watch.told("RecordsWaitOutside") == []
    await watched.cluster.wait_ready("trading")
    for name in ("ServiceSilent", "WorkerDown"):
        await watched.watch.until_ends(name)
    await watched.watch.until_ends("RecordsWaitOutside", is_told=False)
    assert ("page", "firing") in watched.watch.told("ServiceSilent")
    assert {who for who, _ in watched.watch.told("WorkerDown")} == {"ticket"}


async def test_records_that_wait_are_seen_and_the_late_ones_burn_the_budget(watched: Watched) -> None:
    connection = await asyncpg.connect(watched.cluster.database_url("contribution"))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE identities IN ACCESS EXCLUSIVE MODE")
            for _ in range(200):
                await watched.earn()
            await watched.watch.until_fires("RecordsWait", service="contribution", topic="payroll.contributions.v1")
            await watched.watch.until_fires("PollsFail", service="contribution")
    finally:
        await connection.close()
    await watched.watch.until_fires("ReceiptsLate")
    for name in ("RecordsWait", "PollsFail"):
        await watched.watch.until_ends(name)
    await watched.payday.close_day()
    await watched.watch.until_ends("ReceiptsLate", seconds=400)


async def test_a_parked_participant_pages_until_he_is_freed(watched: Watched) -> None:
    person, payroll = watched.payday.person(), fresh("run")
    await watched.execute("contribution", REFUSING.format(participant=person))
    await watched.wire.send(events.line(person, {"pre_tax": 5_000}, payroll=payroll), events.funding(payroll, 5_000))
    await watched.watch.until_fires("ParticipantParked", service="contribution")
    await watched.execute("contribution", ACCEPTING)
    (freed,) = await replay(watched.wire.config, [f"contribution:parked:{person}"], by="the test")
    assert freed.outcome == "freed"
    await watched.watch.until_ends("ParticipantParked")
    await watched.payday.close_day()


async def test_a_dead_letter_is_a_ticket(watched: Watched) -> None:
    await watched.wire.send(Outgoing(topics.PAYROLL_CONTRIBUTIONS.name, b"somebody", b"{not json", []))
    await watched.watch.until_fires("DeadLetters", service="contribution")
    await watched.watch.until_ends("DeadLetters")


async def test_a_break_of_the_custodian_is_a_ticket_until_it_is_corrected(watched: Watched) -> None:
    await watched.earn(12_340)
    day = await watched.cut_and_price()
    asked = "SELECT c.order_id, c.shares, c.price, c.cents FROM confirmations AS c JOIN orders AS o USING (order_id)"
    rows: list[Any] = []

    async def is_confirmed() -> bool:
        rows[:] = await watched.wire.query(
            "trading", f"{asked} WHERE o.trade_date = $1 AND o.status = 'confirmed'", day
        )
        return bool(rows)

    await eventually(is_confirmed, seconds=60)
    order_id, shares, price, cents = rows[0]
    figures = {"status": "corrected", "shares": shares, "cents": cents}
    await watched.wire.send(events.confirmation(order_id, 2, **(figures | {"price": "10.10"})))
    await watched.watch.until_fires("CustodianBreak", code="PRICE_MISMATCH")
    await watched.wire.send(events.confirmation(order_id, 3, **(figures | {"price": price})))
    await watched.watch.until_ends("CustodianBreak")
    await watched.payday.value(day)


async def test_payroll_without_cash_is_a_ticket_and_then_a_page(watched: Watched) -> None:
    _, payroll = await watched.earn(7_700, cash=False)
    for _ in range(4):
        await watched.payday.close_day()
    await watched.watch.until_fires("PayrollFundingLate")
    for _ in range(4):
        await watched.payday.close_day()
    await watched.watch.until_fires("PayrollFundingOverdue")
    await watched.wire.send(events.funding(payroll, 7_700))
    await watched.payday.close_day()
    for name in ("PayrollFundingLate", "PayrollFundingOverdue"):
        await watched.watch.until_ends(name)
    assert {who for who, _ in watched.watch.told("PayrollFundingOverdue")} == {"page"}


async def test_a_payroll_file_without_answers_and_pages_that_fail_are_tickets(watched: Watched) -> None:
    token = add_token(watched.cluster.folder / "tokens.json", "acme", [Role.PAYROLL], [events.PLAN])
    url = (watched.cluster.process("intake").url or "") + "/v1/payroll/files?map=acme"
    columns = {
        **MAP,
        "fields": MAP["fields"] | {"plan_id": {"constant": events.PLAN}, "payroll_id": {"constant": fresh("run")}},
    }
    (watched.cluster.folder / "intake" / "maps" / "acme.yaml").write_text(yaml.safe_dump(columns))
    content = HEADER + ROW.replace("P1", watched.payday.person())
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    async with watched.without("contribution-0"), aiohttp.ClientSession() as http:
        async with http.post(url, data=content, headers=headers) as answer:
            assert answer.status == 202, await answer.text()
        await watched.execute("valuation", "ALTER TABLE operator_actions RENAME TO taken_away")
        for _ in range(9):
            async with http.get(f"{watched.watch.console}/") as answer:
                assert answer.status == 503
            await asyncio.sleep(1)
        await watched.execute("valuation", "ALTER TABLE taken_away RENAME TO operator_actions")
        await watched.watch.until_fires("PagesFail", service="console")
        await watched.watch.until_fires("PayrollFileWaits")
    await watched.cluster.wait_ready("contribution")
    for name in ("PagesFail", "PayrollFileWaits"):
        await watched.watch.until_ends(name)
    assert {who for who, _ in watched.watch.told("PayrollFileWaits")} == {"ticket"}


async def test_an_outbox_the_broker_refuses_pages_until_it_takes_it(watched: Watched) -> None:
    await limit_records(watched, "100")
    person, _ = await watched.earn()
    await watched.watch.until_fires("OutboxStuck", service="contribution")
    waiting = await watched.wire.query("contribution", "SELECT topic FROM outbox")
    assert {row["topic"] for row in waiting} == {topics.PAYROLL_RECEIPTS.name}
    await limit_records(watched, topics.PAYROLL_RECEIPTS.config["max.message.bytes"])
    await watched.watch.until_ends("OutboxStuck")
    assert {who for who, _ in watched.watch.told("OutboxStuck")} == {"page"}
    heard = watched.wire.heard[topics.PAYROLL_RECEIPTS.name]
    assert [one.body["status"] for one in heard if one.key == person.encode()] == ["accepted"]
    await watched.payday.close_day()


async def limit_records(watched: Watched, size: str) -> None:
    """Change what the topic of the receipts takes."""
    topic = topics.PAYROLL_RECEIPTS
    admin = kafka_admin(watched.wire.config)
    await admin.start()
    try:
        configs = {**topic.config, "max.message.bytes": size}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=configs)])
    finally:
        await admin.close()


async def test_holdings_that_are_missing_and_then_wrong_page_until_a_date_is_proven(watched: Watched) -> None:
    await watched.earn(8_800)
    held = await watched.wire.query("valuation", "SELECT sum(units) FROM lane_holdings WHERE trade_date = $1",
                                    await last_proven(watched))  # fmt: skip
    async with watched.without("custodian"):
        day = await watched.cut_and_price()
        await watched.payday.command(VALUE_REQUESTED, day)
        await watched.watch.until_fires("DayNotClosed", service="valuation", cycle="day")
        units = int(held[0][0]) + 1
        shares = f"{units // 1000}.{units % 1000:03}"
        positions = [{"plan_id": events.PLAN, "fund_id": events.FUND, "shares": shares}]
        body = {"date": day.isoformat(), "part": 1, "parts": 1, "positions": positions}
        await watched.wire.send(events.event(topics.CUSTODIAN_HOLDINGS, day.isoformat(), Holdings.ce_type, body))
        await watched.watch.until_fires("BooksDoNotAddUp")
        missed = await watched.watch.ask("query", query="sum(nestwork_conservation_error_units)")
        assert float(missed["result"][0]["value"][1]) > 0
    await watched.watch.until_ends("DayNotClosed")
    await eventually(lambda: every_order_is_answered(watched), seconds=120)
    await watched.payday.close_day()
    await watched.watch.until_ends("BooksDoNotAddUp")
    status, _ = await page(f"{watched.cluster.web_url('valuation')}/v1/days/{day.isoformat()}")
    assert status == 200
    assert ("page", "firing") in watched.watch.told("BooksDoNotAddUp")


async def every_order_is_answered(watched: Watched) -> bool:
    """The custodian, back again, has answered what it missed; what comes after a value cut is judged with the next."""
    return not await watched.wire.query(
        "trading", "SELECT FROM orders AS o WHERE NOT EXISTS (SELECT FROM confirmations WHERE order_id = o.order_id)"
    )


async def last_proven(watched: Watched) -> date:
    """The last date whose books were proven."""
    (row,) = await watched.wire.query("valuation", "SELECT max(trade_date) FROM proofs WHERE status = 'proven'")
    found: date = row[0]
    return found


def panels() -> list[Any]:
    return [pytest.param(panel, id=f"{one.name}: {panel.title}") for one in DASHBOARDS for panel in one.panels]


@pytest.mark.parametrize("panel", panels())
async def test_every_query_of_every_panel_returns_data(watched: Watched, panel: Panel) -> None:
    answers = await asyncio.to_thread(ask, watched.watch.prometheus, panel, seconds=300, rate_window=RATE_WINDOW)
    empty = [query for legend, query in panel.queries.items() if not any(line.points for line in answers[legend])]
    assert empty == []


async def test_the_main_dashboard_can_be_drawn(watched: Watched, tmp_path: Path) -> None:
    file = Path(os.environ.get("PICTURE", tmp_path / "money.png"))
    await asyncio.to_thread(draw, MONEY, watched.watch.prometheus, file, seconds=900, rate_window=RATE_WINDOW)
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 20_000

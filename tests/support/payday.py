"""A small company on a whole running cluster: good participants around each bad record, and days to be proven."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from deploy.cluster import Cluster
from deploy.scenarios.facts import CLOSE_REQUESTED, VALUE_REQUESTED, day_command
from shared.events import topics
from shared.events.envelope import event_headers
from shared.runtime.settings import Settings
from shared.values.trading_days import next_trading_day
from tests.support import events
from tests.support.events import Outgoing, fresh
from tests.support.waiting import eventually
from tests.support.wire import Sent, Wire, open_wire, page

PARTITIONS = 4
FIRST_DAY = date(2026, 11, 18)
PRICE = "10.00"
POOL = 2_400
GOOD_CENTS = 12_340
"""At 10.00 a share and three decimals, a whole number of share units."""


@dataclass
class Payday:
    """The cluster, its outsider, and the good participants whose money must not be touched by anything bad."""

    cluster: Cluster
    wire: Wire
    day: date = FIRST_DAY
    pool: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    good: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    funds: set[str] = field(default_factory=lambda: {events.FUND})

    async def open(self) -> None:
        """Publish the facts and a first line, and close the first day over them."""
        names = [f"person-{number}" for number in range(POOL)]
        for name in names:
            self.pool[events.home(name, PARTITIONS)].append(name)
        await self.wire.send(events.fund_fact(), events.plan_fact(), *(events.census(name) for name in names))
        await self._good_line()
        await self.close_day()

    def person(self, partition: int = 0) -> str:
        """A participant of the plan who has no money yet, in a partition."""
        return self.pool[partition].pop()

    # -- good money around bad records -----------------------------------------------------------------------------

    @asynccontextmanager
    async def between_good_ones(self, partition: int = 0) -> AsyncIterator[None]:
        """Send a good line before and after what is done inside, in one partition; both must be served."""
        before = await self._good_line(partition)
        yield
        after = await self._good_line(partition)
        for sent in (before, after):
            receipt = await self.wire.receipt(sent.outgoing.ce_id)
            assert (receipt["status"], receipt["accepted_cents"], receipt["rejected_cents"]) == (
                "accepted", GOOD_CENTS, 0,
            )  # fmt: skip

    async def _good_line(self, partition: int = 0) -> Sent:
        person, payroll = self.person(partition), fresh("good")
        self.good[person] += GOOD_CENTS
        sent, _ = await self.wire.send(
            events.line(person, {"pre_tax": GOOD_CENTS}, payroll=payroll), events.funding(payroll, GOOD_CENTS)
        )
        return sent

    async def the_good_have_their_money(self) -> None:
        """After a close: what each good participant sent is worth exactly that, since the price never moves."""
        for person, cents in self.good.items():
            status, answer = await page(f"{self.cluster.web_url('valuation')}/v1/participants/{person}/balance")
            assert (status, answer.get("balance_cents")) == (200, cents), (person, answer)

    # -- what became of a bad record -------------------------------------------------------------------------------

    async def dead_letter(self, sent: Sent, service: str, code: str) -> Any:
        """The record is on its dead letter topic and in the table, byte for byte, with this code; returns the row."""
        letter = await self.wire.letter(sent, service)
        assert letter.headers["reason"].decode() == code
        assert letter.headers["failed_at"]
        assert letter.value == (sent.outgoing.value or b"")
        came = [name for name, _ in sent.outgoing.headers if name.isascii() and name.isprintable()]
        assert {f"original_{name}" if name.startswith("ce_") else name for name in came} <= letter.headers.keys()
        rows = await self.wire.query(
            service,
            "SELECT code, value, key, headers::text AS headers, detail FROM dead_letters"
            " WHERE topic = $1 AND partition = $2 AND record_offset = $3",
            *sent.place,
        )
        assert [row["code"] for row in rows] == [code]
        assert (rows[0]["key"], rows[0]["value"]) == (sent.outgoing.key, sent.outgoing.value)
        return rows[0]

    async def everything_is_alive(self) -> None:
        """Every worker is ready, none was started again, no lane stands still, nobody is parked."""
        for service in ("contribution", "allocation", "trading", "valuation"):
            status, answer = await page(f"{self.cluster.web_url(service)}/readyz")
            assert (status, answer["stopped"]) == (200, {})
            assert self.cluster.worker(service).restarts == 0
        assert self.cluster.process("custodian").restarts == 0

    # -- days ------------------------------------------------------------------------------------------------------

    async def cut(self) -> date:
        """Close the open date toward orders; everything sent before belongs to it."""
        day = self.day
        await self.command(CLOSE_REQUESTED, day)
        await eventually(lambda: self._trading(day, "orders_built"), seconds=90)
        self.day = next_trading_day(day)
        return day

    async def value(self, day: date) -> dict[str, Any]:
        """Price and value a date that was cut; it must come out proven. Returns ``day.closed``."""
        text = day.isoformat()
        await self.wire.send(*(events.price(fund, text, PRICE) for fund in sorted(self.funds)))
        await eventually(lambda: self._answered(day), seconds=90)
        await self.command(VALUE_REQUESTED, day)
        said = self.wire.heard[topics.VALUATION_DAYS.name]
        closed = await self.wire.until(
            lambda: next((one for one in said if one.key == text.encode()), None), f"day.closed of {text}", 90
        )
        broken = {name: one for name, one in closed.body["proof"].items() if not one["ok"]}
        assert (closed.body["status"], broken) == ("proven", {})
        return dict(closed.body)

    async def close_day(self) -> date:
        """Cut and value the open date."""
        day = await self.cut()
        await self.value(day)
        return day

    async def command(self, ce_type: str, day: date) -> None:
        """Give a command of the day cycle."""
        one = day_command(ce_type, day)
        headers = event_headers(one.ce_id, one.ce_source, one.ce_type)
        await self.wire.send(Outgoing(one.topic, one.key.encode(), one.value, headers))

    async def trading_page(self, day: date) -> dict[str, Any]:
        """What trading says about a date."""
        _, answer = await page(f"{self.cluster.web_url('trading')}/v1/days/{day.isoformat()}")
        return dict(answer)

    async def _trading(self, day: date, name: str) -> bool:
        return bool((await self.trading_page(day)).get(name))

    async def _answered(self, day: date) -> bool:
        answer = await self.trading_page(day)
        open_ends = answer["orders"]["unanswered"], answer["corrections_outstanding"], answer["confirmations_unjudged"]
        return not any(open_ends)


@asynccontextmanager
async def open_payday(folder: Path) -> AsyncIterator[Payday]:
    """A fresh cluster with one worker of each service and the custodian, its first day closed."""
    settings = {"shared_buffers": "'128MB'"}
    cluster = await Cluster.start(folder, partitions=PARTITIONS, postgres_settings=settings, intake=True)
    try:
        config = Settings.model_validate(cluster.environment())
        async with open_wire(cluster, config) as wire:
            payday = Payday(cluster, wire)
            await payday.open()
            yield payday
    finally:
        await cluster.stop()

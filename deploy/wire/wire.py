"""One connection to a running engine for tools: bulk publishing, the commands of the day cycle, and waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from http import HTTPStatus
from typing import Any, Self

import aiohttp

from deploy.wire import outgoing
from deploy.wire.daylog import DayLog
from deploy.wire.outgoing import Outgoing
from deploy.wire.publish import BATCH_BYTES, BulkPublisher
from shared.events import topics
from shared.runtime.clients import kafka_producer, kafka_reader
from shared.runtime.settings import Settings

Page = Mapping[str, Any]

WAIT_SECONDS = 120.0
PAGE_RETRY_SECONDS = 0.1


class NothingInTime(Exception):
    """The engine did not do its part in time; the text says what was awaited."""


class NotProven(Exception):
    """A date was valued and its proof does not hold."""

    def __init__(self, day: date, proof: Mapping[str, Mapping[str, Any]]) -> None:
        broken = [f"{name} ({one['left']} ≠ {one['right']})" for name, one in proof.items() if not one["ok"]]
        super().__init__(f"{day} is not proven: {'; '.join(broken)}")
        self.proof = proof


class Wire:
    """Use as ``async with Wire(bootstrap) as wire``; every wait ends after ``wait_seconds`` with ``NothingInTime``."""

    def __init__(
        self, bootstrap: str, *, ce_source: str = "/nestwork/tool", wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self.ce_source = ce_source
        self._config = Settings(KAFKA_BOOTSTRAP_SERVERS=bootstrap)
        self._wait_seconds = wait_seconds

    async def __aenter__(self) -> Self:
        self._producer = kafka_producer(self._config, max_batch_size=BATCH_BYTES)
        self._bulk = BulkPublisher(self._producer)
        self._days = DayLog(kafka_reader(self._config, fetch_max_wait_ms=50))
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60))
        try:
            await self._producer.start()
            await self._days.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._days.stop()
        await self._producer.stop()

    async def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Publish and wait until the broker has all of them; returns how many. Raises ``KafkaError``."""
        return await self._bulk.publish(topic, messages)

    async def partitions(self, topic: str) -> int:
        """How many partitions an existing topic has."""
        return await self._bulk.partitions(topic)

    async def publish_prices(self, day: date, price_by_fund: Mapping[str, str]) -> None:
        """Final prices of a date, dollars per share as decimal text."""
        await self.publish(topics.MARKET_PRICES.name, outgoing.final_prices(day, price_by_fund, self.ce_source))

    async def fund_runs(self, day: date, cents_by_run: Mapping[tuple[str, str], int]) -> int:
        """Cash for payroll runs named by (plan, run); returns how many got some."""
        return await self.publish(topics.PAYROLL_RUNS.name, outgoing.fundings(day, cents_by_run, self.ce_source))

    async def close_day(self, day: date) -> None:
        """Ask for the close of a date and wait until the engine has cut the price log there."""
        await self.publish(topics.DAY_COMMANDS.name, [outgoing.close_request(day, self.ce_source)])
        await self._until(lambda: self._days.is_cut(day), f"the cut of {day}")

    async def request_value(self, day: date) -> None:
        """Ask for the valuation of a closed date."""
        await self.publish(topics.DAY_COMMANDS.name, [outgoing.value_request(day, self.ce_source)])

    async def wait_orders_answered(self, trading_url: str, day: date) -> Page:
        """Trading's page of the date once its orders are made, all answered, and no correction is outstanding."""
        return await self.page(f"{trading_url.rstrip('/')}/v1/days/{day}", is_answered)

    async def wait_day_closed(self, day: date, valuation_url: str | None = None) -> Mapping[str, Any]:
        """What valuation published about the date. Given valuation's address, raises ``NotProven`` at once."""
        proven = asyncio.create_task(self._until(lambda: self._days.closed(day) is not None, f"day.closed of {day}"))
        refused = asyncio.create_task(self._watch_proof(day, valuation_url)) if valuation_url else None
        try:
            await asyncio.wait([task for task in (proven, refused) if task], return_when=asyncio.FIRST_COMPLETED)
            if refused is not None and refused.done() and not proven.done():
                refused.result()
            await proven
        finally:
            for task in (proven, refused):
                if task is not None:
                    task.cancel()
        closed = self._days.closed(day)
        assert closed is not None
        return closed

    async def _watch_proof(self, day: date, valuation_url: str) -> None:
        """Return when the date's proof stands on valuation's page. Raises ``NotProven`` when it does not hold."""
        page = await self.page(f"{valuation_url.rstrip('/')}/v1/days/{day}")
        if page["status"] != "proven":
            raise NotProven(day, page["proof"])

    async def page(self, url: str, ready: Callable[[Page], bool] = lambda _: True) -> Page:
        """A service's page once it answers 200 and is ``ready``; a worker that restarts is asked again."""
        last = "no answer"
        try:
            async with asyncio.timeout(self._wait_seconds):
                while True:
                    try:
                        async with self._http.get(url) as response:
                            last = (await response.text())[:300]
                            if response.status == HTTPStatus.OK and ready(page := await response.json()):
                                return dict(page)
                    except (aiohttp.ClientError, ValueError) as problem:
                        last = repr(problem)
                    await asyncio.sleep(PAGE_RETRY_SECONDS)
        except TimeoutError:
            raise NothingInTime(f"{url} was not ready in {self._wait_seconds:.0f} s ({last})") from None

    async def _until(self, holds: Callable[[], bool], awaited: str) -> None:
        if not await self._days.until(holds, self._wait_seconds):
            raise NothingInTime(f"{awaited} did not come in {self._wait_seconds:.0f} s")


def is_answered(page: Page) -> bool:
    """True when trading has made the date's orders, each has an answer, and no correction is awaited.

    Until the orders are made, no order only means not yet; a confirmation nobody judged may still be a break.
    """
    orders: dict[str, Any] = page.get("orders") or {}
    awaited = orders.get("unanswered"), page.get("corrections_outstanding"), page.get("confirmations_unjudged")
    return bool(page.get("orders_built")) and not any(awaited)

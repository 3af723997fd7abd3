"""Business days under load: each is streamed, funded, closed, priced and valued while the next one's lines flow."""

from __future__ import annotations

import asyncio
import time
from datetime import date
from typing import Any

import aiohttp
import orjson
from aiokafka import TopicPartition

from deploy.scenarios.facts import CLOSE_REQUESTED, VALUE_REQUESTED, day_command
from deploy.scenarios.runner import is_answered
from shared.events.envelope import event_headers
from shared.events.topics import VALUATION_DAYS
from shared.runtime.clients import kafka_reader
from shared.values.trading_days import next_trading_day
from tests.support import events
from tests.support.chaos_bounds import HEAD_DAY, PATIENCE
from tests.support.chaos_field import Field
from tests.support.chaos_load import Load
from tests.support.chaos_world import PLANS
from tests.support.events import Outgoing

STEP_SECONDS = 600.0 * PATIENCE
"""How long any step of a day may take under faults."""

LATE_SECONDS = 3.0


class Stuck(AssertionError):
    """A day did not go on."""


class Days:
    """Takes the engine from day to day."""

    def __init__(self, field: Field, rate: float, day_seconds: float) -> None:
        self.field, self.load = field, field.load
        self.rate, self.day_seconds = rate, day_seconds
        self.valued: list[date] = []
        self.streaming: asyncio.Task[None] | None = None
        self.stop = asyncio.Event()

    async def open(self) -> None:
        """Facts, and the day before the first."""
        await self.load.send_all(self.load.world.head())
        await self._close(HEAD_DAY)

    async def run(self, seconds: float, calm: asyncio.Event) -> None:
        """Days until the time is over; then ``calm`` is awaited and one more day is taken without faults."""
        deadline, day = time.monotonic() + seconds, next_trading_day(HEAD_DAY)
        self._stream(day)
        while time.monotonic() < deadline:
            day = await self._one(day)
        await calm.wait()
        await self._one(day, last=True)

    def _stream(self, day: date) -> None:
        self.stop = asyncio.Event()
        self.streaming = asyncio.create_task(self.load.stream(day, self.rate, self.stop))

    async def _one(self, day: date, *, last: bool = False) -> date:
        assert self.streaming is not None
        await asyncio.sleep(self.day_seconds)
        self.stop.set()
        await self.streaming
        following = next_trading_day(day)
        if not last:
            self._stream(following)
        await self.load.send_all([self._funding(plan, day) for plan in PLANS if f"{plan}-{day}" in self.load.runs])
        await self._close(day)
        return following

    def _funding(self, plan: str, day: date) -> Outgoing:
        run = f"{plan}-{day}"
        return events.funding(run, sum(self.load.runs[run].values()), plan_id=plan)

    async def _close(self, day: date) -> None:
        prices = self.load.world.prices(day)
        await self.load.send_all(prices.early)
        await self._command(CLOSE_REQUESTED, day)
        await self._until(lambda page: bool(page.get("orders_built")), day)
        await self.load.send_all(prices.final)
        if prices.late:
            await asyncio.sleep(LATE_SECONDS)
            await self.load.send_all(prices.late)
        await self._until(is_answered, day)
        for price in prices.changed:  # One after the other: what contradicts a version follows it.
            await self.load.send(price)
        await self._command(VALUE_REQUESTED, day)
        await self._valued(day)
        self.valued.append(day)
        await self.load.send_all(prices.afterwards)

    async def _command(self, ce_type: str, day: date) -> None:
        one = day_command(ce_type, day)
        headers = event_headers(one.ce_id, one.ce_source, one.ce_type)
        await self.load.send(Outgoing(one.topic, one.key.encode(), one.value, headers))

    async def _until(self, holds: Any, day: date) -> None:
        """Ask trading's page of the date, at whichever worker answers."""
        deadline, index = time.monotonic() + STEP_SECONDS, 0
        page: dict[str, Any] = {}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            while time.monotonic() < deadline:
                index = (index + 1) % self.field.workers
                try:
                    async with http.get(f"{self.field.cluster.web_url('trading', index)}/v1/days/{day}") as answer:
                        page = await answer.json() if answer.status == 200 else {}
                except (aiohttp.ClientError, TimeoutError, ValueError):
                    page = {}
                if holds(page):
                    return
                await asyncio.sleep(0.2)
        raise Stuck(f"{day} does not go on: {page}")

    async def _valued(self, day: date) -> None:
        reader, place = kafka_reader(self.load.config), TopicPartition(VALUATION_DAYS.name, 0)
        await reader.start()
        try:
            reader.assign([place])
            await reader.seek_to_beginning(place)
            async with asyncio.timeout(STEP_SECONDS):
                while True:
                    for record in (await reader.getmany(timeout_ms=300)).get(place, []):
                        said = orjson.loads(record.value)
                        if said["trade_date"] == day.isoformat():
                            assert said["status"] == "proven", said
                            return
        except TimeoutError:
            raise Stuck(f"{day} was not valued in {STEP_SECONDS:.0f} s") from None
        finally:
            await reader.stop()


async def answered_by_all(load: Load, seconds: float = 120.0 * PATIENCE) -> None:
    """Wait until no line waits for its answer."""
    deadline = time.monotonic() + seconds
    while load.unanswered:
        if time.monotonic() > deadline:
            raise Stuck(f"{len(load.unanswered)} lines were never answered: {sorted(load.unanswered)[:5]}")
        await asyncio.sleep(0.2)

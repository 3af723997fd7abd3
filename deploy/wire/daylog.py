"""Follow the two logs that tell how far business days are: the cut in the price log, and closed days."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.events.topics import MARKET_PRICES, VALUATION_DAYS
from shared.runtime.records import DAY_CUT

POLL_WAIT_MS = 200
RETRY_SECONDS = 0.2


class DayLog:
    """What the engine published about days so far."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.cut: set[str] = set()
        self.closed_by_day: dict[str, Mapping[str, Any]] = {}
        self._consumer = consumer
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read both logs from their beginning, for ever."""
        await self._consumer.start()
        places = [TopicPartition(topic.name, 0) for topic in (MARKET_PRICES, VALUATION_DAYS)]
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, 0)
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._consumer.stop()

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``holds``; false when ``seconds`` passed first."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            return False
        return True

    def is_cut(self, day: date) -> bool:
        """True when the engine ended the date in the price log."""
        return day.isoformat() in self.cut

    def closed(self, day: date) -> Mapping[str, Any] | None:
        """What valuation published about the date."""
        return self.closed_by_day.get(day.isoformat())

    async def _follow(self) -> None:
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=POLL_WAIT_MS)
            except KafkaError:
                await asyncio.sleep(RETRY_SECONDS)  # A broker that restarts is waited for; the wait has its own end.
                continue
            if fetched:
                async with self._changed:
                    for records in fetched.values():
                        for record in records:
                            self._take(record)
                    self._changed.notify_all()

    def _take(self, record: Any) -> None:
        if record.topic == VALUATION_DAYS.name:
            body = orjson.loads(record.value)
            self.closed_by_day.setdefault(body["trade_date"], body)
        elif dict(record.headers).get("ce_type") == DAY_CUT.encode():
            self.cut.add(orjson.loads(record.value)["trade_date"])

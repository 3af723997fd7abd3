"""The day clock while Kafka is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from services.trading import dayclock, store_days
from shared.events.topics import CUT_TOPICS
from shared.runtime import control
from shared.runtime.control import Control
from shared.runtime.settings import Settings

FRIDAY = date(2026, 11, 20)


class Marks:
    """A pool, and its connection, over one cut that is marked and not in the logs yet."""

    def __init__(self) -> None:
        self.noted: list[tuple[Any, ...]] = []
        self.changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Marks]:
        yield self

    async def fetch(self, statement: str) -> list[dict[str, Any]]:
        is_due = statement == store_days.UNAPPENDED and not self.noted
        return [{"kind": "cut", "trade_date": FRIDAY}] if is_due else []

    async def execute(self, statement: str, *values: Any) -> None:
        assert statement == store_days.NOTE_APPENDED
        self.noted.append(values)
        self.changed.set()


class Producer:
    """A producer that fails as told: at its start, when it sends, or when a delivery is awaited."""

    def __init__(self, failure: tuple[str, KafkaError] | None) -> None:
        self.failure, self.sent, self.is_stopped = failure, 0, False

    def _pass(self, step: str) -> None:
        if self.failure is not None and self.failure[0] == step:
            raise self.failure[1]

    async def start(self) -> None:
        self._pass("start")

    async def send(self, _topic: str, **_: Any) -> Any:
        self._pass("send")
        self.sent += 1
        return self._delivery()

    async def _delivery(self) -> None:
        self._pass("delivery")

    async def stop(self) -> None:
        self.is_stopped = True


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_markers_are_appended_once_kafka_is_back_and_the_clock_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    away = KafkaConnectionError("no broker answers")
    failures = [("start", away), ("send", KafkaTimeoutError("no leader")), ("delivery", away), None]
    producers: list[Producer] = []

    def next_producer(_config: Settings) -> Producer:
        producers.append(Producer(failures[len(producers)]))
        return producers[-1]

    monkeypatch.setattr(control, "kafka_producer", next_producer)
    monkeypatch.setattr(dayclock, "TICK_SECONDS", 0)
    monkeypatch.setattr(dayclock, "RETRY_SECONDS", 0)
    marks = Marks()

    async def watch() -> None:
        config = Settings.model_validate({"NESTWORK_MARKER_KEY": "k", "NESTWORK_PARTITIONS": 1})
        clock = asyncio.create_task(dayclock.run_day_clock(Control(marks, config, lambda _topic: True)))
        noted = asyncio.create_task(marks.changed.wait())
        await asyncio.wait({clock, noted}, return_when=asyncio.FIRST_COMPLETED)
        assert not clock.done()
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)

    asyncio.run(watch())
    assert marks.noted == [("cut", FRIDAY)]
    assert [producer.is_stopped for producer in producers] == [True] * 4
    assert producers[-1].sent == len(CUT_TOPICS)

"""The control plane's background: what a service's timers need to know, and the appending of cut markers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from shared.events.envelope import ce_source_of, event_headers
from shared.events.topics import CUT_TOPICS, VALUE_CUT_TOPICS
from shared.runtime.clients import Pool, kafka_producer
from shared.runtime.records import DAY_CUT, VALUE_CUT
from shared.runtime.settings import Settings
from shared.runtime.signing import SIGNATURE_HEADER, sign_marker
from shared.runtime.topics import partition_count


@dataclass
class Control:
    """What background coroutines of a service work with."""

    pool: Pool
    config: Settings
    reads: Callable[[str], bool]
    """True while this worker is the one that reads the named control topic."""
    stored: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when facts were stored or control topics came to this worker."""

    async def news(self, seconds: float) -> None:
        """Wait until something was stored, at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stored.wait(), seconds)
        self.stored.clear()


async def append_markers(config: Settings, ce_type: str, trade_date: date) -> None:
    """Append one date's cut (or value cut) marker to every partition of every log it rules; safe to repeat.

    Raises ``KafkaError`` when the brokers do not take them now.
    """
    topics = CUT_TOPICS if ce_type == DAY_CUT else VALUE_CUT_TOPICS
    secret, text = config.marker_secret(), trade_date.isoformat()
    body = orjson.dumps({"trade_date": text})
    now_ms = time.time_ns() // 1_000_000
    producer = kafka_producer(config)
    try:
        await producer.start()
        sent = []
        for topic in topics:
            for partition in range(partition_count(topic, config)):
                headers = event_headers(
                    f"{ce_type}/{text}/{topic.name}/{partition}", ce_source_of("trading"), ce_type, now_ms
                )
                headers.append((SIGNATURE_HEADER, sign_marker(secret, ce_type, text, topic.name, partition)))
                sent.append(await _send(producer, topic.name, partition, body, headers))
        for delivery in sent:
            await delivery
    finally:
        await producer.stop()


async def _send(
    producer: AIOKafkaProducer, topic: str, partition: int, body: bytes, headers: list[tuple[str, bytes]]
) -> Any:
    return await producer.send(topic, value=body, partition=partition, headers=headers)


__all__ = ["DAY_CUT", "VALUE_CUT", "Control", "append_markers"]

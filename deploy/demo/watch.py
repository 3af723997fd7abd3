"""Read what the engine and the custodian say, as an integration would: receipts, orders, confirmations, dead letters.

The wire is at least once, so everything is kept by its own id and repeats change nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.events import topics
from shared.runtime.clients import kafka_reader
from shared.runtime.settings import Settings

DEAD_LETTERS = topics.PAYROLL_CONTRIBUTIONS.name + topics.DEAD_LETTER_SUFFIX
READ = (
    topics.PAYROLL_RECEIPTS.name,
    topics.CUSTODIAN_ORDERS.name,
    topics.CUSTODIAN_CONFIRMATIONS.name,
    DEAD_LETTERS,
)
POLL_WAIT_MS = 100


@dataclass(frozen=True, slots=True)
class Receipt:
    """One answer to a line. ``stamp_ms`` is when the broker appended it; ``codes`` are all, ``cuts`` the errors."""

    status: str
    accepted_cents: int
    rejected_cents: int
    credited_cents: int
    codes: tuple[str, ...]
    cuts: frozenset[str]
    stamp_ms: int


@dataclass
class Seen:
    """Everything read so far, by the ce_id of the line it is about."""

    finals: dict[str, Receipt] = field(default_factory=dict)
    held: dict[str, Receipt] = field(default_factory=dict)
    seconds: dict[str, Receipt] = field(default_factory=dict)
    """Answers to second sendings."""
    contradictions: list[str] = field(default_factory=list)
    """Lines with two final receipts that differ: there must be none."""
    orders: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    confirmations: dict[str, dict[int, Mapping[str, Any]]] = field(default_factory=dict)
    repeated_confirmations: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By key and reason."""
    _letters_seen: set[tuple[int, int]] = field(default_factory=set)

    def add_receipt(self, body: Mapping[str, Any], stamp_ms: int) -> None:
        """Sort an answer by what it is: not yet, final, or to a second sending."""
        codes = body.get("codes") or ()
        receipt = Receipt(
            body["status"],
            body["accepted_cents"],
            body["rejected_cents"],
            sum(part["cents"] for part in body.get("credited") or ()),
            tuple(code["code"] for code in codes),
            frozenset(code["code"] for code in codes if code["severity"] == "error"),
            stamp_ms,
        )
        line = body["request"]["id"]
        if body.get("original_receipt_id") is not None:
            self.seconds.setdefault(line, receipt)
            return
        if receipt.status == "held":
            self.held.setdefault(line, receipt)
            return
        first = self.finals.setdefault(line, receipt)
        if (first.status, first.accepted_cents, first.cuts) != (receipt.status, receipt.accepted_cents, receipt.cuts):
            self.contradictions.append(line)

    def add_confirmation(self, body: Mapping[str, Any]) -> None:
        """Keep each version of what the custodian said about an order."""
        versions = self.confirmations.setdefault(body["order_id"], {})
        self.repeated_confirmations[body["order_id"]] += body["version"] in versions
        versions.setdefault(body["version"], body)

    def add_dead_letter(self, partition: int, offset: int, key: str, reason: str) -> None:
        """Count a dead letter once."""
        if (partition, offset) not in self._letters_seen:
            self._letters_seen.add((partition, offset))
            self.dead_letters[key, reason] += 1

    def in_the_air(self) -> list[str]:
        """Orders whose last word is `pending`."""
        return [order for order, said in self.confirmations.items() if said[max(said)]["status"] == "pending"]


class Watch:
    """A reader of all these topics from their beginning, filling ``seen``."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.seen = Seen()
        self._consumer = consumer
        self._changed = asyncio.Condition()

    async def start(self, partitions_of: Callable[[str], Awaitable[int]]) -> None:
        """Assign every partition, at the start of its log."""
        places = [TopicPartition(topic, number) for topic in READ for number in range(await partitions_of(topic))]
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, 0)

    async def follow(self) -> None:
        """Read on for ever."""
        while True:
            fetched = await self._consumer.getmany(timeout_ms=POLL_WAIT_MS, max_records=2_000)
            if not fetched:
                continue
            async with self._changed:
                for records in fetched.values():
                    for record in records:
                        self._take(record)
                self._changed.notify_all()

    async def until(self, holds: Callable[[Seen], bool], seconds: float) -> bool:
        """Wait until ``holds``; false when ``seconds`` passed first."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: holds(self.seen))
        except TimeoutError:
            return False
        return True

    def _take(self, record: Any) -> None:
        if record.topic == DEAD_LETTERS:
            reason = dict(record.headers).get("reason", b"").decode()
            key = (record.key or b"").decode(errors="replace")
            self.seen.add_dead_letter(record.partition, record.offset, key, reason)
            return
        body = orjson.loads(record.value)
        if record.topic == topics.PAYROLL_RECEIPTS.name:
            self.seen.add_receipt(body, record.timestamp)
        elif record.topic == topics.CUSTODIAN_ORDERS.name:
            self.seen.orders.setdefault(body["order_id"], body)
        elif "order_id" in body:  # Cut markers stand between the confirmations.
            self.seen.add_confirmation(body)


@asynccontextmanager
async def open_watch(bootstrap: str, partitions_of: Callable[[str], Awaitable[int]]) -> AsyncIterator[Watch]:
    """A watch that follows until the block ends."""
    consumer = kafka_reader(Settings(KAFKA_BOOTSTRAP_SERVERS=bootstrap), fetch_max_wait_ms=50)
    await consumer.start()
    task: asyncio.Task[None] | None = None
    try:
        watch = Watch(consumer)
        await watch.start(partitions_of)
        task = asyncio.create_task(watch.follow())
        yield watch
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await consumer.stop()

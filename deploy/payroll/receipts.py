"""Follow the log of receipts from given places on: the engine's answers to the lines of one sender."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.events.topics import PAYROLL_RECEIPTS
from shared.runtime.clients import kafka_reader
from shared.runtime.settings import Settings

POLL_WAIT_MS = 200
RETRY_SECONDS = 0.5


class Request(msgspec.Struct, gc=False):
    """Whom a receipt answers."""

    source: str
    id: str


class ReceiptCode(msgspec.Struct, gc=False):
    """One reason."""

    code: str
    severity: str
    source: str | None = None
    cents: int | None = None
    message: str = ""


class Receipt(msgspec.Struct, gc=False):
    """What the importer reads of a receipt."""

    request: Request
    status: str
    accepted_cents: int
    rejected_cents: int
    codes: list[ReceiptCode]
    original_receipt_id: str | None = None


class ReceiptLog:
    """The receipts of one ``ce_source``, in the order of each partition."""

    def __init__(self, consumer: AIOKafkaConsumer, places: list[TopicPartition], ce_source: str) -> None:
        self._consumer, self._places = consumer, places
        self._source = ce_source
        self._decoder = msgspec.json.Decoder(Receipt)
        self._next: dict[int, int] = {}

    async def seek(self, positions: dict[str, int]) -> None:
        """Go to positions by partition (numbers as text); a partition that is not named is read from its end."""
        ends = await self._consumer.end_offsets(self._places)
        # Assigned only now: a consumer without positions would begin to look for some by itself.
        self._consumer.assign(self._places)
        for place in self._places:
            self._next[place.partition] = min(positions.get(str(place.partition), ends[place]), ends[place])
            self._consumer.seek(place, self._next[place.partition])

    async def catch_up(self, wanted: Collection[str]) -> list[Receipt]:
        """The receipts for the ``wanted`` ids that are in the log already."""
        ends, found = await self._consumer.end_offsets(self._places), []
        while any(self._next[place.partition] < ends[place] for place in self._places):
            found += [receipt for receipt in await self.next() if receipt.request.id in wanted]
        return found

    def positions(self) -> dict[str, int]:
        """Where reading goes on."""
        return {str(partition): offset for partition, offset in self._next.items()}

    async def next(self) -> list[Receipt]:
        """The receipts that came meanwhile; an empty list after a short wait. A broker that restarts is waited for."""
        try:
            fetched = await self._consumer.getmany(timeout_ms=POLL_WAIT_MS)
        except KafkaError:
            await asyncio.sleep(RETRY_SECONDS)
            return []
        found = []
        for place, records in fetched.items():
            for record in records:
                receipt = self._read(record.value)
                if receipt is not None and receipt.request.source == self._source:
                    found.append(receipt)
            self._next[place.partition] = records[-1].offset + 1
        return found

    def _read(self, value: bytes) -> Receipt | None:
        try:
            return self._decoder.decode(value)
        except msgspec.DecodeError:
            return None  # Not a receipt this version knows; it answers none of its lines.


@asynccontextmanager
async def open_receipt_log(config: Settings, partitions: int, ce_source: str) -> AsyncIterator[ReceiptLog]:
    """The receipts' log, closed when the block ends; ``seek`` before reading. Raises ``KafkaError``."""
    consumer = kafka_reader(config)
    await consumer.start()
    try:
        places = [TopicPartition(PAYROLL_RECEIPTS.name, number) for number in range(partitions)]
        yield ReceiptLog(consumer, places, ce_source)
    finally:
        await consumer.stop()

"""The custodian's loop: poll, decide, save with the positions in one transaction, then publish what was saved.

A kill at any point neither loses nor changes an answer: what was saved is published again with the same id and bytes,
what was not saved is read again. After any failure of broker or database a new session starts from the tables.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import groupby
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.custodian import store
from deploy.custodian.answers import Order
from deploy.custodian.behaviour import Behaviour
from deploy.custodian.books import Books
from deploy.custodian.wire import READ_TOPICS, FundSeen, PriceSeen, ValueCutSeen, read_fact
from shared.events.custodian import Confirmation, Holdings
from shared.events.envelope import event_headers
from shared.events.topics import CUSTODIAN_CONFIRMATIONS, CUSTODIAN_HOLDINGS
from shared.runtime.clients import Connection, connect, kafka_producer, kafka_reader
from shared.runtime.logs import get_logger
from shared.values.hashing import murmur2

log = get_logger(__name__)

SOURCE = "/nestwork/custodian"
POLL_RECORDS_MAX = 5_000
POLL_WAIT_MS = 200
TOPIC_WAIT_SECONDS = 0.2
TOPIC_BY_KIND = {"confirmation": CUSTODIAN_CONFIRMATIONS.name, "holdings": CUSTODIAN_HOLDINGS.name}
TYPE_BY_KIND = {"confirmation": Confirmation.ce_type, "holdings": Holdings.ce_type}


class Session:
    """One life of the loop between two failures."""

    def __init__(
        self, connection: Connection, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, behaviour: Behaviour
    ) -> None:
        self._connection = connection
        self._consumer = consumer
        self._producer = producer
        self._behaviour = behaviour
        self._books = Books()
        self._positions: dict[store.TopicPartitionKey, int] = {}
        self._next_seq = 1
        self._confirmation_partitions = 0
        self.marker_secret: bytes | None = None

    async def start(self, stopping: asyncio.Event) -> None:
        """Wait for the topics, load the books, publish what the last life left, and seek to where it stopped."""
        partitions = await self._wait_for_partitions(stopping)
        if stopping.is_set():
            return
        self._confirmation_partitions = len(await self._producer.partitions_for(CUSTODIAN_CONFIRMATIONS.name))
        await store.prepare(self._connection)
        self._books = await store.load_books(self._connection)
        self._positions = await store.load_positions(self._connection, partitions)
        left = await store.load_outbox(self._connection)
        self._next_seq = left[-1].seq + 1 if left else 1
        await self._publish(left)
        self._consumer.assign([TopicPartition(*key) for key in partitions])
        for key in partitions:
            self._consumer.seek(TopicPartition(*key), self._positions[key])
        log.info("custodian_ready", partitions=len(partitions), republished=len(left))

    async def run(self, stopping: asyncio.Event) -> None:
        """Answer until asked to stop."""
        while not stopping.is_set():
            fetched = await self._consumer.getmany(timeout_ms=POLL_WAIT_MS, max_records=POLL_RECORDS_MAX)
            if fetched:
                await self._publish(await self._take(fetched))

    async def _wait_for_partitions(self, stopping: asyncio.Event) -> list[store.TopicPartitionKey]:
        wanted = {*READ_TOPICS, *TOPIC_BY_KIND.values()}
        while not stopping.is_set() and not wanted <= await self._consumer.topics():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), TOPIC_WAIT_SECONDS)
        return [
            (topic, partition)
            for topic in READ_TOPICS
            for partition in sorted(await self._producer.partitions_for(topic))
        ]

    async def _take(self, fetched: dict[TopicPartition, list[Any]]) -> list[store.OutboxRow]:
        """Decide a poll and save it; returns what must be published now."""
        records = [record for place in sorted(fetched) for record in fetched[place]]
        facts = [fact for fact in (read_fact(record, self.marker_secret) for record in records) if fact is not None]
        orders = [self._behaviour.decide(fact) for fact in facts if isinstance(fact, Order)]
        moves = {
            (place.topic, place.partition): (self._positions[place.topic, place.partition], last[-1].offset + 1)
            for place, last in fetched.items()
        }
        async with self._connection.transaction():
            await store.move_positions(self._connection, moves)
            new = await store.insert_new_orders(self._connection, orders) if orders else []
            self._apply(facts, new)
            effects = self._books.take_effects()
            rows = await store.save_effects(self._connection, self._books, effects, self._next_seq)
        self._positions |= {key: after for key, (_, after) in moves.items()}
        self._next_seq += len(rows)
        if orders or effects.value_cuts:
            log.info("batch_taken", orders=len(orders), new=len(new), answers=len(rows), cuts=effects.value_cuts)
        return rows

    def _apply(self, facts: Sequence[object], new_orders: Sequence[Order]) -> None:
        """Funds and orders first: the partitions of a poll have no order among them, and answers need both."""
        for fact in facts:
            if isinstance(fact, FundSeen):
                self._books.receive_fund(fact.fund_id, fact.share_decimals)
        for order in new_orders:
            self._books.receive_order(order)
        for fact in facts:
            if isinstance(fact, PriceSeen):
                self._books.receive_price(fact.fund_id, fact.price_date, fact.price, fact.version)
            elif isinstance(fact, ValueCutSeen):
                self._books.receive_value_cut(fact.trade_date)

    async def _publish(self, rows: Sequence[store.OutboxRow]) -> None:
        """Publish in order, a run of rows of one topic at a time, and forget them once acknowledged."""
        for kind, run in groupby(rows, key=lambda row: row.message.kind):
            acknowledgements = [await self._send(kind, row) for row in run]
            await asyncio.gather(*acknowledgements)
        if rows:
            await store.forget_published(self._connection, rows[-1].seq)

    async def _send(self, kind: str, row: store.OutboxRow) -> asyncio.Future[Any]:
        message = row.message
        key = message.key.encode()
        partition = murmur2(key) % self._confirmation_partitions if kind == "confirmation" else 0
        headers = event_headers(ce_id=message.ce_id, ce_source=SOURCE, ce_type=TYPE_BY_KIND[kind], ce_time=row.ce_time)
        acknowledgement: asyncio.Future[Any] = await self._producer.send(
            TOPIC_BY_KIND[kind], message.value, key=key, partition=partition, headers=headers
        )
        return acknowledgement


@asynccontextmanager
async def open_session(database: str, behaviour: Behaviour) -> AsyncIterator[Session]:
    """A session with fresh connections, all closed at the end."""
    connection: Any = await connect(database)
    consumer, producer = kafka_reader(), kafka_producer(linger_ms=2)
    try:
        await consumer.start()
        await producer.start()
        yield Session(connection, consumer, producer, behaviour)
    finally:
        await consumer.stop()
        await producer.stop()
        await connection.close(timeout=5)

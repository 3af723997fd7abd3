"""Faults of those who send: everything said once more, and transactions that are written and taken back."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer

from shared.events.topics import CUSTODIAN_CONFIRMATIONS, PAYROLL_CONTRIBUTIONS
from shared.runtime.clients import kafka_producer
from tests.support.chaos_bounds import HEAD_DAY
from tests.support.chaos_load import Load
from tests.support.chaos_memory import Memory
from tests.support.chaos_public import read_log
from tests.support.events import Outgoing

if TYPE_CHECKING:
    from tests.support.chaos_field import Field

REPLAYED_LINES, REPLAYED_OTHERS = 300, 60
TRANSACTIONS = 4


async def topic_replayed(field: Field) -> None:
    """What was said so far is sent once more, each topic backwards: a part of every topic, drawn from the whole run."""
    memory = field.load.world.said
    confirmations = Memory(field.dice.randrange(2**32))
    for one in await read_log(field.settings, CUSTODIAN_CONFIRMATIONS.name):
        confirmations.keep(Outgoing(one.topic, one.key, one.value, list(one.headers), one.partition))
    drawn = {topic: memory.newest_first(topic, field.dice, replayed(topic)) for topic in sorted(memory.said)}
    name = CUSTODIAN_CONFIRMATIONS.name
    drawn[name] = confirmations.newest_first(name, field.dice, replayed(name))
    await asyncio.gather(*(_say_again(field.load, records) for records in drawn.values()))
    counts = Counter({topic: len(records) for topic, records in drawn.items() if records})
    field.say(f"{counts.total()} records of {len(counts)} topics")


def replayed(topic: str) -> int:
    """How many records of a topic are sent again."""
    return REPLAYED_LINES if topic == PAYROLL_CONTRIBUTIONS.name else REPLAYED_OTHERS


async def _say_again(load: Load, records: list[Outgoing]) -> None:
    for record in records:
        await load.send(record)


async def transactions_aborted(field: Field) -> None:
    """Cash, a line, a price and an election are written in a transaction and taken back; another one is kept."""
    producer = kafka_producer(field.settings, transactional_id="an-outsider")
    await producer.start()
    try:
        for _ in range(TRANSACTIONS):
            await _taken_back(field, producer)
        await _kept(field, producer)
    finally:
        await producer.stop()


async def _taken_back(field: Field, producer: AIOKafkaProducer) -> None:
    """Readers of what is undecided wait, readers of what was taken back never see it."""
    await producer.begin_transaction()
    try:
        await _write(field, producer, field.load.world.unsaid(field.load.day or HEAD_DAY, field.dice))
        await asyncio.sleep(field.dice.uniform(0.2, 1.5))
    finally:
        await producer.abort_transaction()


async def _kept(field: Field, producer: AIOKafkaProducer) -> None:
    """Elections of two people, who may be in two partitions, come at once."""
    await producer.begin_transaction()
    chosen = [field.load.world.election() for _ in range(2)]
    places = await _write(field, producer, chosen)
    await producer.commit_transaction()
    for record, at in zip(chosen, places, strict=True):
        field.load.note(record, at)


async def _write(field: Field, producer: AIOKafkaProducer, records: list[Outgoing]) -> list[Any]:
    """Where the broker put them."""
    waiting = [
        await producer.send(one.topic, one.value, key=one.key, headers=one.headers, partition=field.load.place(one))
        for one in records
    ]
    return [await one for one in waiting]

"""Sending a dead letter through again as it came, and freeing a parked participant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from deploy.operate import store_letters
from deploy.operate.letters import LetterId, UnknownLetter
from deploy.operate.partitions import places_of
from deploy.operate.target import OperatorError
from shared.events.topics import ALL_TOPICS
from shared.runtime.clients import Connection, connect, kafka_producer
from shared.runtime.parking import FRAME_CYCLE, UNPARK
from shared.runtime.settings import Settings
from shared.values.hashing import murmur2

POLL_SECONDS = 0.2
BY_CHARACTERS_MAX = 128
PARTITIONED = {topic.name: topic.partitioned for topic in ALL_TOPICS}


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of one id."""

    id: str
    ok: bool
    outcome: str
    """sent, would send, freed, would free, or why not."""
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    """Where the record stands now."""

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "id": self.id,
            "ok": self.ok,
            "outcome": self.outcome,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
        }


async def replay(
    config: Settings, ids: Sequence[str], *, by: str, dry_run: bool = False, again: bool = False, seconds: float = 60.0
) -> list[Replay]:
    """Send letters again and free participants, in the order given; one that can't be does not stop the others."""
    producer = kafka_producer(config)
    try:
        await producer.start()
        return [await _one(Replayer(config, producer, by, dry_run, again, seconds), text) for text in ids]
    finally:
        await producer.stop()


async def _one(replayer: Replayer, text: str) -> Replay:
    try:
        letter_id = LetterId.parse(text)
        if letter_id.key is not None:
            return await replayer.free(letter_id, letter_id.key)
        return await replayer.send(letter_id)
    except OperatorError as problem:
        return Replay(text, False, str(problem))


@dataclass(frozen=True, slots=True)
class Replayer:
    """How to do it."""

    config: Settings
    producer: AIOKafkaProducer
    by: str
    dry_run: bool
    again: bool
    seconds: float

    async def send(self, letter_id: LetterId) -> Replay:
        """Publish the original bytes and headers to the original topic, and remember who asked for it."""
        async with _database(self.config, letter_id.service) as connection, connection.transaction():
            await connection.fetch(store_letters.LOCK_LETTER, letter_id.number)
            row = await connection.fetchrow(store_letters.LETTER, letter_id.number)
            if row is None:
                raise UnknownLetter(f"there is no dead letter {letter_id}")
            if row["replayed_at"] and not self.again:
                when = row["replayed_at"].isoformat()
                raise OperatorError(f"sent again already at {when} by {row['replayed_by']}; --again does it once more")
            partition = await self._partition(row)
            if self.dry_run:
                return Replay(str(letter_id), True, "would send", row["topic"], partition)
            await connection.execute(store_letters.MARK_REPLAYED, letter_id.number, self.by[:BY_CHARACTERS_MAX])
            # Published inside the transaction: if the broker refuses, the letter is not marked as sent.
            headers = [(name, text.encode("latin-1")) for name, text in orjson.loads(row["headers"])]
            landed = await self.producer.send_and_wait(
                row["topic"], value=row["value"], key=row["key"], partition=partition, headers=headers
            )
        return Replay(str(letter_id), True, "sent", row["topic"], partition, landed.offset)

    async def _partition(self, row: Any) -> int:
        """The partition the key hashes to; without a key the one it came by."""
        if not PARTITIONED.get(row["topic"], True):
            return 0
        if not row["key"]:
            return int(row["partition"])
        return murmur2(row["key"]) % len(await places_of(self.config, row["topic"]))

    async def free(self, letter_id: LetterId, key: str) -> Replay:
        """Ask the lane's owner to apply what was parked, and wait for it."""
        async with _database(self.config, letter_id.service) as connection:
            if not await connection.fetch(store_letters.PARKED_ITEMS, key):
                raise UnknownLetter(f"nobody is parked as {letter_id}")
            if self.dry_run:
                return Replay(str(letter_id), True, "would free")
            rows = await connection.fetch(store_letters.ASK_TO_FREE, key, FRAME_CYCLE, UNPARK)
            await connection.execute(store_letters.NOTIFY)
            if not await self._done(connection, [row["task"] for row in rows]):
                return Replay(str(letter_id), False, "asked for, but no owner of the lane has done it yet")
            left = await connection.fetch(store_letters.PARKED_ITEMS, key)
        if left:
            return Replay(str(letter_id), False, f"stays parked: {left[0]['detail']}")
        return Replay(str(letter_id), True, "freed")

    async def _done(self, connection: Connection, tasks: list[int]) -> bool:
        deadline = time.monotonic() + self.seconds
        while await connection.fetchval(store_letters.TASKS_LEFT, tasks):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True


@asynccontextmanager
async def _database(config: Settings, service: str) -> AsyncIterator[Connection]:
    connection = await connect(f"nestwork_{service}", config, idle_in_transaction_session_timeout="60000")
    try:
        yield connection
    finally:
        await connection.close()

"""Make services agree again after databases were restored: who said what, up to where, and who reads from where.

A restored service decides again what it decided after the moment of its backup. The books come out the same; how they
are packed into records does not, so sequence numbers given twice would mean different things. Therefore it goes on in
a new epoch, what it said in the old one beyond the restored moment is void, and its readers go on behind that. What
still counts and was not read is appended to the log once more for them. Nothing in a log is removed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from deploy.operate.books import SERVICES
from deploy.operate.target import OperatorError
from deploy.recovery import store_rejoin as store
from deploy.recovery.restore import READ_ONLY
from deploy.recovery.streams import Ends, Place, Tail, read_tail
from shared.events.topics import INTERNAL_TOPICS, Topic
from shared.runtime.clients import Connection, connect, kafka_producer, kafka_reader
from shared.runtime.settings import Settings

FENCE = 1_000_000
"""Claims from before the restore are never reached again by counting on."""


class CannotRejoin(OperatorError):
    """The databases and logs can't be brought together as they are; the text says which one has to be restored."""


@dataclass
class Link:
    """One internal topic between its writer and its reader."""

    topic: Topic
    ends: Ends
    tails: list[Tail] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Void and repeated records, all partitions together."""
        return {
            "topic": self.topic.name,
            "void": sum(tail.void for tail in self.tails),
            "appended_again": sum(len(tail.kept) for tail in self.tails if tail.void),
        }


async def rejoin(config: Settings, restored: Collection[str], *, dry_run: bool = False) -> list[Link]:
    """Bring ``restored`` services and all their readers together; every worker and tool must be stopped.

    Can be run again after it was interrupted. Raises ``CannotRejoin`` before anything is changed.
    """
    unknown = sorted(set(restored) - set(SERVICES))
    if unknown:
        raise CannotRejoin(f"there is no service {', '.join(unknown)}; the services are {', '.join(SERVICES)}")
    async with _databases(config) as books:
        await _refuse_company(books)
        links = [await _look(config, books, topic) for topic in INTERNAL_TOPICS]
        for link in links:
            _refuse_unnamed(link, restored)
        if dry_run:
            return links
        for service in SERVICES:
            if service in restored:
                await _next_epoch(books[service], [link for link in links if link.ends.writer == service])
        for link in links:
            await _move_readers(config, books[link.topic.readers[0]], link)
        for service in restored:
            await books[service].execute(f"ALTER DATABASE nestwork_{service} RESET {READ_ONLY}")
    return links


@asynccontextmanager
async def _databases(config: Settings) -> AsyncIterator[dict[str, Connection]]:
    async with AsyncExitStack() as stack:
        books = {}
        for service in SERVICES:
            books[service] = await connect(f"nestwork_{service}", config, **{READ_ONLY: "off"})
            stack.push_async_callback(books[service].close)
        yield books


async def _refuse_company(books: dict[str, Connection]) -> None:
    """A worker that runs meanwhile would write to what is being moved."""
    own = [connection.get_server_pid() for connection in books.values()]
    names = [f"nestwork_{service}" for service in SERVICES]
    others = await books[SERVICES[0]].fetchval(store.COUNT_SESSIONS, names, own)
    if others:
        raise CannotRejoin(f"{others} sessions are open in the services' databases; stop all workers and tools first")


async def _look(config: Settings, books: dict[str, Connection], topic: Topic) -> Link:
    (writer,), (reader,) = topic.writers, topic.readers
    ends = Ends(topic.name, writer)
    for row in await books[writer].fetch(store.STREAMS, topic.name):
        ends.newest[row["lane"], row["partition"]] = (row["epoch"], row["next_seq"] - 1)
    for row in await books[writer].fetch(store.ENDS, topic.name):
        ends.ended[row["lane"], row["partition"], row["epoch"]] = row["last_seq"]
    received: dict[int, dict[str, Place]] = {}
    for row in await books[reader].fetch(store.RECEIVED):
        parts = row["stream"].split("/")
        if parts[0] != writer or parts[2] != topic.name:
            continue
        place = (row["epoch"], row["seq"])
        if not ends.counts(row["stream"], place):
            raise CannotRejoin(
                f"{reader} has applied {row['stream']} up to {place[0]}/{place[1]}, which {writer} does not know of: "
                f"restore {reader} to the same moment as {writer} or to an earlier one"
            )
        received.setdefault(row["lane"], {})[row["stream"]] = place
    link = Link(topic, ends)
    positions = {row["lane"]: row["next_offset"] for row in await books[reader].fetch(store.POSITIONS, topic.name)}
    link.tails = await _tails(config, ends, received, positions)
    return link


async def _tails(
    config: Settings, ends: Ends, received: dict[int, dict[str, Place]], positions: dict[int, int]
) -> list[Tail]:
    reader = kafka_reader(config)
    await reader.start()
    try:
        places = {lane: TopicPartition(ends.topic, lane) for lane in positions}
        beyond = await reader.end_offsets(list(places.values()))
        found = []
        for lane, place in sorted(places.items()):
            start, end = positions[lane], beyond[place]
            if start > end:
                raise CannotRejoin(
                    f"the log {place.topic}/{lane} ends at {end}, its reader is at {start}: Kafka lost it"
                )
            found.append(await read_tail(reader, ends, received.get(lane, {}), place, start, end))
        return found
    finally:
        await reader.stop()


def _refuse_unnamed(link: Link, restored: Collection[str]) -> None:
    """A log that holds more than its writer remembers, though nobody says that the writer was restored."""
    if link.ends.writer not in restored and any(tail.lost_streams for tail in link.tails):
        raise CannotRejoin(
            f"{link.topic.name} holds records that {link.ends.writer} does not know of: it was restored; name it"
        )


async def _next_epoch(connection: Connection, written: list[Link]) -> None:
    """End the service's epochs where its database does; what waits in its outbox still counts.

    The new epoch is newer than any in the logs: an epoch that an earlier restore began may have been forgotten by this
    one, and must not be used twice.
    """
    async with connection.transaction():
        for link in written:
            for lane, partition in sorted(set().union(*(tail.lost_streams for tail in link.tails))):
                await connection.execute(store.KNOW_STREAM, lane, link.topic.name, partition)
        seen = [tail.epoch_max for link in written for tail in link.tails]
        epoch = 1 + max([await connection.fetchval(store.NEWEST_EPOCH), *seen])
        await connection.execute(store.END_EPOCHS, epoch)
        await connection.execute(store.BEGIN_EPOCH, epoch)
        await connection.execute(store.FENCE_LANES, FENCE)


async def _move_readers(config: Settings, connection: Connection, link: Link) -> None:
    """Put the readers behind what is void, with what still counts appended for them."""
    moving = [tail for tail in link.tails if tail.void]
    if not moving:
        return
    producer = kafka_producer(config)
    await producer.start()
    try:
        for tail in moving:
            await _append_again(producer, link.topic.name, tail)
            await connection.execute(store.MOVE_POSITION, link.topic.name, tail.partition, tail.end)
    finally:
        await producer.stop()


async def _append_again(producer: AIOKafkaProducer, topic: str, tail: Tail) -> None:
    for expected, record in enumerate(tail.kept, tail.end):
        landed = await producer.send_and_wait(
            topic, value=record.value, key=record.key, partition=tail.partition, headers=list(record.headers)
        )
        if landed.offset != expected:
            raise CannotRejoin(f"somebody else writes to {topic}/{tail.partition}; stop all workers and run it again")

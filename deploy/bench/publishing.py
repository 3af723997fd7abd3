"""The events of a measured payday through the tools' bulk publisher: packed topic by topic, sent as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import groupby, islice

from deploy.bench.world import SOURCE, Event
from deploy.wire import publish
from deploy.wire.outgoing import Outgoing
from deploy.wire.publish import EVENTS_PER_CHUNK, Packed
from shared.runtime.settings import Settings

__all__ = ["BulkPublisher", "Packed", "open_bulk_publisher"]


class BulkPublisher:
    """Packs the bench's events beforehand, so that only sending them is measured."""

    def __init__(self, bulk: publish.BulkPublisher) -> None:
        self._bulk = bulk

    async def publish(self, events: Iterable[Event]) -> int:
        """Pack and send chunk by chunk; returns how many events the broker has acknowledged."""
        remaining, sent = iter(events), 0
        while chunk := list(islice(remaining, EVENTS_PER_CHUNK)):
            await self.send(await self.pack(chunk))
            sent += len(chunk)
        return sent

    async def pack(self, events: Iterable[Event]) -> Packed:
        """Batches of neighbouring events of one topic: what a later topic builds on is sent before it."""
        packed: Packed = []
        for topic, group in groupby(events, key=lambda event: event.topic):
            packed += await self._bulk.pack((topic, _outgoing(event)) for event in group)
        return packed

    async def send(self, packed: Packed) -> None:
        """Send batches in their order and wait until the broker has all of them."""
        await self._bulk.send(packed)


def _outgoing(event: Event) -> Outgoing:
    return Outgoing(event.key, event.value, event.ce_type, event.ce_id, SOURCE)


@asynccontextmanager
async def open_bulk_publisher(config: Settings) -> AsyncIterator[BulkPublisher]:
    """A bulk publisher that is closed when the block ends."""
    async with publish.open_bulk_publisher(config) as bulk:
        yield BulkPublisher(bulk)

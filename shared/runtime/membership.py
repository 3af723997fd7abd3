"""Who owns which lanes: the consumer group of the service's first input topic, and nothing else.

The group member never fetches (its partitions are paused): a separate reader takes the same partitions of all inputs by
assignment, so that a new input topic can't split a lane in a rolling upgrade.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from shared.runtime.clients import kafka_settings
from shared.runtime.logs import get_logger
from shared.runtime.settings import Settings

log = get_logger(__name__)
NEVER_MS = 1_000_000_000
UNKNOWN_MEMBER = ""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """The worker's place in the group. ``assigned`` and ``generation`` change only inside a rebalance."""

    def __init__(self, group: str, topic: str, config: Settings, on_revoked: Callable[[], Awaitable[None]]) -> None:
        self.topic, self.on_revoked = topic, on_revoked
        self.assigned: list[int] = []
        self.generation = -1
        self.rebalances = 0
        self.changed = asyncio.Event()
        session_ms = config.session_timeout_seconds * 1000
        self.consumer = AIOKafkaConsumer(
            **kafka_settings(config),
            group_id=group,
            group_instance_id=config.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(300, session_ms // 6),
            rebalance_timeout_ms=session_ms,
            max_poll_interval_ms=NEVER_MS,
            request_timeout_ms=max(10_000, session_ms + 5_000),
            retry_backoff_ms=100,
        )

    async def start(self) -> None:
        """Join the group; assignments arrive through the listener."""
        await self.consumer.start()
        self.consumer.subscribe([self.topic], listener=self)

    async def stop(self) -> None:
        """Leave the group, so that the lanes move on at once."""
        with contextlib.suppress(KafkaError, asyncio.TimeoutError):
            await asyncio.wait_for(self.consumer.stop(), 8)

    @property
    def _coordinator(self) -> Any:
        return self.consumer._coordinator

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Finish the running poll, then let go. Heartbeats still run during this callback."""
        self.assigned = []
        try:
            await self.on_revoked()
        except Exception as failure:
            # aiokafka would only log it; the lanes are fenced by their rows anyway.
            log.warning("release_failed", error=repr(failure))

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Note what was given; claiming happens outside, since heartbeats stand still inside this callback."""
        if assigned:
            self.consumer.pause(*assigned)
        self.assigned = sorted(place.partition for place in assigned)
        self.generation = self._coordinator.generation
        self.rebalances += 1
        self.changed.set()

    async def answered_at(self) -> int | None:
        """The generation at which the group answers a heartbeat of ours now; ``None`` when it does not.

        A group that rebalances answers too: a generation ends only when the next one begins.
        """
        coordinator = self._coordinator
        asked: int = coordinator.generation
        if coordinator.member_id == UNKNOWN_MEMBER:
            return None
        try:
            is_answered = await asyncio.wait_for(coordinator._do_heartbeat(), 5)
        except (KafkaError, TimeoutError, OSError):
            return None
        return asked if is_answered and coordinator.generation == asked else None

    async def is_member(self) -> bool:
        """True when the group answers at the generation of the assignment that we hold."""
        return await self.answered_at() == self.generation

    async def hint(self, offsets: dict[int, int]) -> None:
        """Commit positions for lag monitors; they are never read back."""
        places = {TopicPartition(self.topic, lane): offset for lane, offset in offsets.items() if lane in self.assigned}
        with contextlib.suppress(KafkaError, ValueError, OSError, TimeoutError):
            if places:
                await self.consumer.commit(places)

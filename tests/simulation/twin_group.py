"""A consumer group: join, heartbeat, rebalance in generations, expiry; and the member that a worker holds."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from tests.simulation.world import World

CHECK_SECONDS = 0.25


class Group:
    """The coordinator's side."""

    def __init__(self, world: World, name: str, partitions: int, session_seconds: float) -> None:
        self.world, self.name, self.partitions, self.session_seconds = world, name, partitions, session_seconds
        self.generation = 0
        self.seen: dict[str, float] = {}
        """Member to its last heartbeat."""
        self.joining: dict[str, asyncio.Future[tuple[int, list[int]]]] = {}
        self.deadline: float | None = None
        self.numbers = itertools.count(1)
        self.owners: dict[int, str] = {}
        world.later(CHECK_SECONDS, self._check)

    def new_member(self) -> str:
        """An id."""
        return f"{self.name}-{next(self.numbers):03}"

    @property
    def is_rebalancing(self) -> bool:
        """True from the first wish to the new assignment."""
        return self.deadline is not None

    def begin(self) -> None:
        """Everybody has to join again."""
        if self.deadline is None:
            self.deadline = self.world.loop.time() + self.session_seconds

    def join(self, member: str) -> asyncio.Future[tuple[int, list[int]]]:
        """Take part in the next generation."""
        self.seen[member] = self.world.loop.time()
        self.begin()
        future = self.joining[member] = self.world.loop.create_future()
        if self.joining.keys() >= self.seen.keys():
            self.world.later(0.02, self._complete)
        return future

    def leave(self, member: str) -> None:
        """A member goes, or is thrown out."""
        if self.seen.pop(member, None) is not None:
            self.joining.pop(member, None)
            self.owners = {lane: owner for lane, owner in self.owners.items() if owner != member}
            if not self.seen:
                self._forget()
            else:
                self.begin()

    def heartbeat(self, member: str, generation: int) -> None:
        """Raises what a broker answers to somebody who is not a member of this generation."""
        if member not in self.seen:
            raise UnknownMemberIdError
        if self.is_rebalancing:
            self.seen[member] = self.world.loop.time()
            raise RebalanceInProgressError
        if generation != self.generation:
            raise IllegalGenerationError
        self.seen[member] = self.world.loop.time()

    def _forget(self) -> None:
        """An empty group may expire, and its generations begin anew."""
        self.deadline, self.owners = None, {}
        if self.world.chance.random() < 0.3:
            self.generation = 0

    def _check(self) -> None:
        now = self.world.loop.time()
        for member, seen in list(self.seen.items()):
            if now - seen > self.session_seconds and member not in self.joining:
                self.leave(member)
        if self.deadline is not None and now >= self.deadline:
            for member in [one for one in self.seen if one not in self.joining]:
                del self.seen[member]
            self._complete()
        elif self.deadline is not None and self.seen and self.joining.keys() >= self.seen.keys():
            self._complete()
        self.world.later(CHECK_SECONDS, self._check)

    def _complete(self) -> None:
        if self.deadline is None or not self.joining or not self.joining.keys() >= self.seen.keys():
            return
        self.deadline = None
        self.generation += 1
        members = sorted(self.joining)
        shares = _ranges(self.partitions, len(members))
        self.owners = {lane: member for member, share in zip(members, shares, strict=True) for lane in share}
        joining, self.joining = self.joining, {}
        for member, share in zip(members, shares, strict=True):
            self.seen[member] = self.world.loop.time()
            if not joining[member].done():
                joining[member].set_result((self.generation, share))


def _ranges(partitions: int, members: int) -> list[list[int]]:
    size, more = divmod(partitions, members)
    shares, first = [], 0
    for number in range(members):
        last = first + size + (number < more)
        shares.append(list(range(first, last)))
        first = last
    return shares


class Coordinator:
    """The member's knowledge of its group, under aiokafka's names."""

    def __init__(self, member: TwinMember) -> None:
        self.member = member
        self.generation = -1
        self.member_id = ""

    async def _do_heartbeat(self) -> bool:
        """Ask the group whether we are still of it."""
        member = self.member
        outcome = await member.world.before("heartbeat", "claim")
        if outcome.startswith("refuse") or member.group is None:
            return False
        try:
            member.group.heartbeat(self.member_id, self.generation)
        except (UnknownMemberIdError, RebalanceInProgressError, IllegalGenerationError):
            return False
        return True


class TwinMember:
    """What the project uses of an ``AIOKafkaConsumer`` in a group that never fetches."""

    kafka: Any

    def __init__(self, **options: Any) -> None:
        self.world: World = self.kafka.world
        self.group_id = options["group_id"]
        self.session_seconds = options["session_timeout_ms"] / 1000
        self.heartbeat_seconds = options["heartbeat_interval_ms"] / 1000
        self._coordinator = Coordinator(self)
        self.group: Group | None = None
        self.topic = ""
        self.listener: Any = None
        self.assigned: list[int] = []
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect."""
        await self.world.before("heartbeat", "connect")

    def subscribe(self, topics: list[str], listener: Any) -> None:
        """Join the group in the background."""
        self.topic, self.listener = topics[0], listener
        self.group = self.kafka.group(self.group_id, self.topic, self.session_seconds)
        self.task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Leave."""
        if self.task is not None:
            self.task.cancel()
        if self.group is not None:
            self.group.leave(self._coordinator.member_id)

    def pause(self, *_places: TopicPartition) -> None:
        """Nothing is fetched anyway."""

    async def commit(self, _offsets: Any) -> None:
        """Keep a hint."""
        await self.world.before("heartbeat", "commit")

    async def _run(self) -> None:
        group, coordinator = self.group, self._coordinator
        assert group is not None
        while True:
            await self.listener.on_partitions_revoked([TopicPartition(self.topic, lane) for lane in self.assigned])
            if coordinator.member_id not in group.seen:
                coordinator.member_id = group.new_member()
            coordinator.generation, self.assigned = await group.join(coordinator.member_id)
            await self.listener.on_partitions_assigned([TopicPartition(self.topic, lane) for lane in self.assigned])
            while True:
                await asyncio.sleep(self.heartbeat_seconds)
                outcome = await self.world.before("heartbeat", "")
                if outcome.startswith("expel"):
                    group.leave(coordinator.member_id)
                if outcome.startswith("refuse"):
                    continue
                try:
                    group.heartbeat(coordinator.member_id, coordinator.generation)
                except (UnknownMemberIdError, IllegalGenerationError):
                    coordinator.generation = -1
                    break
                except RebalanceInProgressError:
                    break

"""A lane: one partition number over all inputs of a service, with one owner at a time. Claiming and loading it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import orjson

from shared.runtime.clients import Connection, connect
from shared.runtime.definition import Service
from shared.runtime.errors import Fenced, PartitionCountDiffers
from shared.runtime.guards import Guards
from shared.runtime.outbox import OutboxRow
from shared.values.trading_days import GENESIS, day_after, next_trading_day

FREE_BLOCKER_AFTER_SECONDS = 1.0

LOCK_LANES = "SELECT lane, incarnation, generation FROM lanes WHERE lane = ANY($1::int[]) ORDER BY lane FOR UPDATE"
TAKE_LANES = """
UPDATE lanes SET incarnation = incarnation + 1, generation = $2, owner = $3 WHERE lane = ANY($1::int[])
RETURNING lane, incarnation, generation, next_entry, recorded_at"""
SELECT_INPUTS = """
SELECT lane, topic, next_offset, first_cut, last_cut, first_value_cut, last_value_cut, markers
FROM lane_inputs WHERE lane = ANY($1::int[])"""
SELECT_RECEIVED = "SELECT lane, stream, epoch, seq FROM lane_received WHERE lane = ANY($1::int[])"
SELECT_STREAMS = "SELECT lane, topic, partition, epoch, next_seq FROM lane_streams WHERE lane = ANY($1::int[])"
SELECT_OUTBOX = """
SELECT lane, topic, partition, epoch, seq, records, payload FROM outbox WHERE lane = ANY($1::int[])
ORDER BY lane, topic, partition, epoch, seq"""
SELECT_DAYS = """
SELECT lane, cycle, max(trade_date) AS last_read, max(trade_date) FILTER (WHERE closed_at IS NOT NULL) AS last_closed
FROM lane_days WHERE lane = ANY($1::int[]) GROUP BY lane, cycle"""
SELECT_PARKED = "SELECT DISTINCT lane, key FROM parked WHERE lane = ANY($1::int[]) AND freed_for IS NULL"
INSERT_LANES = "INSERT INTO lanes (lane) SELECT generate_series(0, $1::int - 1) ON CONFLICT DO NOTHING"
INSERT_INPUTS = """
INSERT INTO lane_inputs (lane, topic)
SELECT lane, topic FROM generate_series(0, $1::int - 1) AS lane, unnest($2::text[]) AS topic
ON CONFLICT DO NOTHING"""
COUNT_LANES = "SELECT count(*) FROM lanes"
FREE_BLOCKERS = "SELECT pg_terminate_backend(pid) FROM unnest(pg_blocking_pids($1)) AS pid"


@dataclass(slots=True)
class LaneInput:
    """Where a lane stands in one input topic."""

    next_offset: int
    first_cut: date | None
    last_cut: date | None
    first_value_cut: date | None
    last_value_cut: date | None
    markers: dict[str, str]

    @property
    def open_date(self) -> date:
        """The business date of the next record: the first after the last cut, or the time before any cut."""
        return GENESIS if self.last_cut is None else next_trading_day(self.last_cut)

    @property
    def open_value_date(self) -> date:
        """The same by value cuts."""
        return GENESIS if self.last_value_cut is None else next_trading_day(self.last_value_cut)

    def copy(self) -> LaneInput:
        """An independent copy, to be changed inside a poll."""
        return LaneInput(
            self.next_offset, self.first_cut, self.last_cut, self.first_value_cut, self.last_value_cut, self.markers
        )


@dataclass(slots=True)
class CycleState:
    """The last date a lane has read and closed in one cycle."""

    last_read: date | None = None
    last_closed: date | None = None


@dataclass(slots=True)
class Lane:
    """A claimed lane as its owner knows it; dropped on every claim and fence."""

    number: int
    incarnation: int
    generation: int
    next_entry: int
    recorded_at: datetime
    inputs: dict[str, LaneInput] = field(default_factory=dict)
    received: dict[str, tuple[int, int]] = field(default_factory=dict)
    streams: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    cycles: dict[str, CycleState] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)
    cache: Any = None

    @property
    def claim(self) -> tuple[int, int]:
        """What the stored row must still say for this worker to write."""
        return (self.incarnation, self.generation)


async def prepare_lanes(connection: Connection, service: Service, partitions: int) -> None:
    """Make the rows of all lanes in an empty database, and those of new inputs in any.

    Raises ``PartitionCountDiffers`` when the database was made for another number: money's lane is bucket mod P, so
    that with more or fewer lanes a participant's books would stand where nobody looks for them.
    """
    lanes = await connection.fetchval(COUNT_LANES)
    if lanes not in (0, partitions):
        raise PartitionCountDiffers(f"database {service.database}", lanes, partitions)
    await connection.execute(INSERT_LANES, partitions)
    topics = [source.topic.name for source in service.inputs]
    await connection.execute(INSERT_INPUTS, partitions, topics)


async def freeing_blockers(
    connection: Connection, service: Service, wait: Awaitable[Any], may_free: Callable[[], Awaitable[bool]]
) -> Any:
    """Await a statement that takes row locks; a backend that blocks it for a second is terminated, if that is right.

    A frozen owner (SIGSTOP) keeps its row locks, and PostgreSQL's own time limits don't reach one that stopped inside
    COPY. But a worker that the group gave up without its knowing, cut off from Kafka alone, comes here too, and the one
    that blocks it is the owner: so ``may_free`` asks the group first, and who is no member runs into its lock timeout.
    """
    statement = asyncio.ensure_future(wait)
    done, _ = await asyncio.wait({statement}, timeout=FREE_BLOCKER_AFTER_SECONDS)
    if not done and await may_free():
        helper = await connect(service.database)
        try:
            await helper.execute(FREE_BLOCKERS, connection.get_server_pid())
        finally:
            await helper.close()
    return await statement


async def claim_lanes(
    connection: Connection,
    service: Service,
    guards: Guards,
    numbers: list[int],
    generation: int,
    owner: str,
    answered_at: Callable[[], Awaitable[int | None]],
) -> tuple[dict[int, Lane], list[OutboxRow]]:
    """Take the lanes the group assigned, and load them with what is still unpublished.

    Under the row locks the group is asked once more at which generation it knows us, so that a worker that was frozen
    anywhere before, or was told of a new assignment meanwhile, can't steal a lane. Raises ``Fenced`` when the claim is
    stale.
    """

    async def is_answered() -> bool:
        return guards.claim.may_take(await answered_at(), generation)

    async with connection.transaction():
        await freeing_blockers(connection, service, connection.fetch(LOCK_LANES, numbers), is_answered)
        if not await is_answered():
            raise Fenced(f"the group answers no heartbeat at generation {generation}")
        taken = await connection.fetch(TAKE_LANES, numbers, generation, owner)
        return await _load(connection, service, taken)


async def _load(connection: Connection, service: Service, taken: list[Any]) -> tuple[dict[int, Lane], list[OutboxRow]]:
    numbers = [row["lane"] for row in taken]
    lanes = {
        row["lane"]: Lane(
            row["lane"],
            row["incarnation"],
            row["generation"],
            row["next_entry"],
            _finite(row["recorded_at"]),
            cycles={cycle.name: CycleState() for cycle in service.cycles},
        )
        for row in taken
    }
    for row in await connection.fetch(SELECT_INPUTS, numbers):
        lanes[row["lane"]].inputs[row["topic"]] = _lane_input(row)
    for row in await connection.fetch(SELECT_RECEIVED, numbers):
        lanes[row["lane"]].received[row["stream"]] = (row["epoch"], row["seq"])
    for row in await connection.fetch(SELECT_STREAMS, numbers):
        lanes[row["lane"]].streams[row["topic"], row["partition"]] = (row["epoch"], row["next_seq"])
    for row in await connection.fetch(SELECT_DAYS, numbers):
        lanes[row["lane"]].cycles[row["cycle"]] = CycleState(row["last_read"], row["last_closed"])
    for row in await connection.fetch(SELECT_PARKED, numbers):
        lanes[row["lane"]].parked.add(row["key"])
    if service.on_claim is not None:
        for number, cache in (await service.on_claim(connection, numbers)).items():
            lanes[number].cache = cache
    rows = [OutboxRow(*row) for row in await connection.fetch(SELECT_OUTBOX, numbers)]
    return lanes, rows


def _lane_input(row: Any) -> LaneInput:
    return LaneInput(
        row["next_offset"],
        row["first_cut"],
        row["last_cut"],
        row["first_value_cut"],
        row["last_value_cut"],
        orjson.loads(row["markers"]),
    )


def _finite(instant: datetime) -> datetime:
    """PostgreSQL's -infinity as the earliest aware instant Python has."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def following(first: date | None, last: date | None) -> date | None:
    """The date a lane has to handle next when ``last`` was handled and ``first`` is the first there was."""
    return first if last is None else day_after(last)

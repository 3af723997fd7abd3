"""The world of the delivery protocol as plain, hashable values: lanes' rows, workers' memory, the group, the logs."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

import orjson
from aiokafka import TopicPartition

from shared.events.topics import CONTRIBUTIONS_RELEASED, PAYROLL_CONTRIBUTIONS
from shared.runtime.definition import Input, Service
from shared.runtime.guards import Guards
from shared.runtime.outbox import Message, OutboxRow, StreamNames, pack, unpack
from shared.runtime.poll import Poll
from shared.values.trading_days import next_trading_day, previous_trading_day
from tests.support.chaos_guards import REPLACEMENTS
from tests.support.fetched import SECRET, Fetched, a_marker, an_event

DAY = date(2026, 11, 20)
NEXT_DAY = next_trading_day(DAY)
DAY_BEFORE = previous_trading_day(DAY)
IN, OUT = PAYROLL_CONTRIBUTIONS.name, CONTRIBUTIONS_RELEASED.name
CUT, TASK = "cut", "task"
POLL_RECORDS = 2
ANEW = 1
"""The generation with which a group begins anew after it expired; the first world's is later."""
SOURCE = Input(PAYROLL_CONTRIBUTIONS, (), waits_for_closed="day")
NAMES = StreamNames("contribution", "/nestwork/contribution")

STRUCTURAL = frozenset(
    {
        "heartbeat",
        "recovery",
        "prefix",
        "marker_after_all",
        "all_lanes_read",
        "waits_for_closed",
        "hand_over_after_commit",
    }
)
"""Guards that are not objects of ``shared/runtime/guards.py`` but the order in which the frame does things."""


class LaneRow(NamedTuple):
    """A lane as PostgreSQL has it."""

    incarnation: int = 0
    generation: int = -1
    position: int = 0
    next_seq: int = 1
    last_cut: date = DAY_BEFORE
    read: bool = False
    closed: bool = False
    journal: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    outbox: tuple[OutboxRow, ...] = ()


class Memory(NamedTuple):
    """A claimed lane as its owner believes it to be; ``fetched_from`` is where its reader stands."""

    lane: int
    incarnation: int
    generation: int
    position: int
    fetched_from: int
    next_seq: int
    last_cut: date
    closed: bool

    @property
    def claim(self) -> tuple[int, int]:
        """What the stored row must still say."""
        return (self.incarnation, self.generation)


class Transaction(NamedTuple):
    """An open transaction: what COMMIT will write, and what memory becomes then."""

    kind: str
    lanes: tuple[int, ...] = ()
    rows: tuple[LaneRow, ...] = ()
    memories: tuple[Memory, ...] = ()
    said: tuple[OutboxRow, ...] = ()
    decides: bool = False
    done: tuple[int, ...] = ()
    """Lanes whose task this transaction does."""
    is_broken: bool = False


class Worker(NamedTuple):
    """A process: its memory is gone after a crash, and stale after a pause."""

    status: str = "up"
    life: int = 0
    generation: int = -1
    assigned: tuple[int, ...] = ()
    claim_due: bool = False
    memories: tuple[Memory, ...] = ()
    transaction: Transaction | None = None
    waiting: tuple[OutboxRow, ...] = ()
    published: tuple[tuple[int, int], ...] = ()
    """(lane, last sequence number published since the last removal)."""


class World(NamedTuple):
    """Everything there is."""

    lanes: tuple[LaneRow, ...]
    is_decided: bool
    tasks: tuple[int, ...]
    """Lanes whose task is still to be done."""
    generation: int
    owners: tuple[int, ...]
    workers: tuple[Worker, ...]
    logs: tuple[tuple[OutboxRow, ...], ...]
    faults_left: int
    life: int = 0
    """How often the group expired: who was a member before is unknown to it, whatever his generation."""
    has_lost: bool = False
    wrong: str = ""


class Settings:
    """What is tried: the input of each lane, the guards that stand, how many faults may come."""

    def __init__(self, inputs: tuple[tuple[str, ...], ...], faults: int, without: frozenset[str] = frozenset()) -> None:
        unknown = without - STRUCTURAL - REPLACEMENTS.keys()
        if unknown:
            raise ValueError(f"no such guards: {sorted(unknown)}")
        self.inputs, self.faults, self.without = inputs, faults, without
        self.guards = Guards(**{name: REPLACEMENTS[name]() for name in without & REPLACEMENTS.keys()})
        self.poll = Poll(Service("contribution", (SOURCE,)), self.guards, SECRET, False, len(inputs))
        self.logs = tuple(self._log(lane) for lane in range(len(inputs)))
        self.expected = tuple(expected_output(records) for records in inputs)

    def stands(self, guard: str) -> bool:
        """True while this guard was not taken out."""
        return guard not in self.without

    def first(self) -> World:
        """Nothing was read yet and the first worker owns everything."""
        lanes = len(self.inputs)
        return World(
            (LaneRow(),) * lanes, False, (), ANEW + 1, (0,) * lanes, (Worker(),) * 2, ((),) * lanes, self.faults
        )

    def _log(self, lane: int) -> tuple[Fetched, ...]:
        return tuple(
            a_marker(offset, DAY.isoformat(), IN, lane)
            if what == CUT
            else an_event(offset, IN, lane, ce_id=what, ce_source="/model")
            for offset, what in enumerate(self.inputs[lane])
        )


def effect_of(what: str, offset: int, is_known: bool) -> str:
    """What a line does to the books: the first of an identity counts, a later one is answered as a repeat."""
    return f"{'again' if is_known else 'line'}:{what}@{offset}"


def expected_output(records: tuple[str, ...]) -> tuple[tuple[str, date], ...]:
    """The effects of a lane in order, each with its date, as one single undisturbed worker would say them."""
    known: set[str] = set()
    said: list[tuple[str, date]] = []
    day = DAY
    for offset, what in enumerate(records):
        if what == CUT:
            said += [(TASK, DAY), (CUT, DAY)]
            day = NEXT_DAY
            continue
        said.append((effect_of(what, offset, what in known), day))
        known.add(what)
    return tuple(said)


@lru_cache(maxsize=100_000)
def packed(lane: int, next_seq: int, said: tuple[tuple[str, date], ...]) -> tuple[tuple[OutboxRow, ...], int]:
    """Outbox rows for what was said, by the frame's own packing."""
    messages = [
        Message(b"P1", "model.v1", f"{what}/{day}", 0, orjson.dumps([what, day.isoformat()])) for what, day in said
    ]
    rows, following = pack(lane, OUT, lane, 1, next_seq, messages)
    return tuple(rows), following


@lru_cache(maxsize=100_000)
def unpacked(row: OutboxRow) -> tuple[tuple[str, int, int, str, date], ...]:
    """(stream, epoch, seq, what, date) of each record of a row, as a receiver reads its headers."""
    records = []
    for _, value, _, pairs in unpack(row, NAMES):
        headers = dict(pairs)
        what, day = orjson.loads(value)
        stream, epoch, seq = (headers[name] or b"" for name in ("stream", "epoch", "seq"))
        records.append((stream.decode(), int(epoch), int(seq), what, date.fromisoformat(day)))
    return tuple(records)


def place_of(lane: int) -> TopicPartition:
    """The lane's input partition."""
    return TopicPartition(IN, lane)

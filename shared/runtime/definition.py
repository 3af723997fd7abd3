"""What a service tells the frame about itself: inputs, facts, day cycles, tasks, outputs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any

from shared.events.topics import Topic

if TYPE_CHECKING:
    from shared.runtime.clients import Connection
    from shared.runtime.control import Control
    from shared.runtime.exposition import Value
    from shared.runtime.facts import FactRecord
    from shared.runtime.records import Malformed, Record
    from shared.runtime.work import Task, Work

type_ = type
Item = Any
"""What a handler sees: a ``PublicRecord``, or a line of a packed internal record; has ``lane``, ``key``, ``cents``."""

Handle = Callable[["Work", list[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """One event type of an input: how a record becomes items, and the handler that decides a batch of them."""

    ce_type: str
    explode: Callable[[Record], Sequence[Item]]
    handle: Handle
    item_type: type_
    """The msgspec.Struct of the items; a parked one is kept in its MessagePack form."""


@dataclass(frozen=True)
class Input:
    """One input topic of a service."""

    topic: Topic
    kinds: tuple[Kind, ...]
    internal: bool = False
    """Internal logs are dense and sequenced; public ones are checked by identity and may have holes."""
    all_to_all: bool = False
    """Every lane of the sending service writes to every partition (rerouted records)."""
    keyed_by_participant: bool = True
    malformed: Callable[[Work, Malformed], Awaitable[None]] | None = None
    """Answers a record that is not well formed but says who sent it."""
    waits_for_inputs: tuple[str, ...] = ()
    """Topics whose previous cut this lane must have met before money of a date is taken from this input."""
    waits_for_decided: str | None = None
    """Cycle whose decision of D must be there before records dated after D are taken."""
    waits_for_closed: str | None = None
    """Cycle this lane must have closed for D before records dated after D are taken."""
    facts_gate: bool = True
    """Money of D waits until every fact topic was read up to the previous cut; what another service says of D, which it
    does once D is cut, until they were read up to that cut."""


@dataclass(frozen=True)
class FactTopic:
    """One control topic: how a record's body is checked and stored."""

    topic: Topic
    models: Mapping[str, type_]
    """``ce_type`` to the pydantic model of its body."""
    key: Callable[[Any], str]
    check: Callable[[dict[str, Any] | None, Any], str | None] | None = None
    """A code when the fact contradicts the stored one of its key (``None`` when it is the first)."""
    validate: Callable[[Any], None] | None = None
    """Raises ``ValueError`` for a body that has the right shape and makes no sense; it is dead-lettered."""
    store: Callable[[Connection, list[FactRecord]], Awaitable[list[tuple[FactRecord, str]] | None]] | None = None
    """Writes to the service's own tables; without it the fact goes to ``facts`` and the lanes' cache.

    Returns those that contradict what is stored, with a code."""
    build: Callable[[dict[str, Any]], Any] = lambda body: body
    """The object that rules see, made from the stored body once."""
    gates_money: bool = True
    """False for prices, funding and holdings: those are ruled by the cuts."""
    by_value_cut: bool = False
    """Dates of this topic's facts run from value cut to value cut."""


class Progress(Enum):
    """What reading a date in a lane, or deciding it, came to in this transaction."""

    DONE = "the date is read, or decided"
    MORE = "a slice was done, the next one can be done at once"
    WAITING = "nothing can be done before something else has happened"
    """The worker is woken by what it waits for: asking again at once would be waiting at full speed."""


Read = Callable[["Work", int, date], Awaitable[Progress]]
Decide = Callable[["Work", date], Awaitable[Progress]]
Close = Callable[["Work", int, date], Awaitable[dict[str, Any]]]


async def nothing_to_read(_work: Work, _lane: int, _day: date) -> Progress:
    """For cycles whose lanes have nothing of their own to do when a date is read."""
    return Progress.DONE


async def nothing_to_decide(_work: Work, _day: date) -> Progress:
    """For cycles without a common decision."""
    return Progress.DONE


async def no_totals(_work: Work, _lane: int, _day: date) -> dict[str, Any]:
    """For cycles whose closing carries no totals."""
    return {}


@dataclass(frozen=True)
class Cycle:
    """One closing of a date in three beats: read (per lane), decided (builder), closed (per lane)."""

    name: str
    inputs: tuple[str, ...]
    facts: tuple[str, ...]
    by_value_cut: tuple[str, ...] = ()
    """Those of ``inputs`` and ``facts`` whose value cut counts instead of the day cut."""
    after: str | None = None
    """A cycle that must have closed the date in the lane before this one reads it."""
    decides_after: str | None = None
    """A cycle that must have been decided for the date before, when this one decides a date: its cut stands below this
    one's in every log, and what it decides must not depend on how fast the logs are read."""
    read: Read = nothing_to_read
    decide: Decide = nothing_to_decide
    close: Close = no_totals
    outputs: tuple[Topic, ...] = ()
    """Logs that get the lane's closing marker in the lane's own partition."""


@dataclass(frozen=True)
class Rerouting:
    """Where records that came by the wrong partition are sent on."""

    topic: Topic
    sources: tuple[str, ...]


TaskHandler = Callable[["Work", "Task"], Awaitable[Any]]
"""Does one slice; returns the position to go on from, or ``None`` when the task is done."""


async def no_standing_decisions(_work: Work) -> bool:
    """For services whose builder decides at closings only."""
    return False


async def no_gauges(_connection: Connection) -> list[Value]:
    """For services whose books have nothing to watch besides what the frame keeps in them."""
    return []


@dataclass(frozen=True)
class Service:
    """Everything the frame needs to run one service."""

    name: str
    inputs: tuple[Input, ...]
    facts: tuple[FactTopic, ...] = ()
    cycles: tuple[Cycle, ...] = ()
    tasks: Mapping[str, TaskHandler] = field(default_factory=dict)
    rerouting: Rerouting | None = None
    standing: Callable[[Work], Awaitable[bool]] = no_standing_decisions
    """The builder's decisions between closings (a confirmation to judge); true when it did something."""
    before_beats: Callable[[Work], Awaitable[bool]] = no_standing_decisions
    """Every lane owner's work between closings (held lines that a new fact frees)."""
    background: tuple[Callable[[Control], Awaitable[None]], ...] = ()
    """Coroutines of the control plane that run in every worker (timers that ask a question again and again)."""
    genesis_tables: tuple[str, ...] = ()
    """Own tables with ``lane`` and ``trade_date``, whose rows from before the first cut get that cut's date."""
    on_claim: Callable[[Connection, list[int]], Awaitable[Mapping[int, Any]]] | None = None
    """Loads each lane's cache; dropped on every claim and fence."""

    snapshot: Callable[[Connection], Awaitable[list[Value]]] = no_gauges
    """The service's own gauges, asked of its books every few seconds by one worker."""

    @property
    def database(self) -> str:
        """The database this service owns."""
        return f"nestwork_{self.name}"

    @property
    def group(self) -> str:
        """The consumer group of the money plane: never rename it casually."""
        return f"nestwork-{self.name}"

    def input_of(self, topic: str) -> Input:
        """The input with this topic name."""
        return next(source for source in self.inputs if source.topic.name == topic)

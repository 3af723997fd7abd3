"""One simulated payday: from a seed to its books, and what is wrong with them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

import orjson
import structlog
from aiokafka import TopicPartition

from deploy.operate.state_hash import Hasher
from deploy.operate.store_state import POSITIONS, TABLES
from shared.events import topics
from shared.runtime.guards import Guards
from tests.simulation.engine import SERVICES, Engine, installed
from tests.simulation.loop import ACTOR, SimulatedLoop, Stuck, run
from tests.simulation.payday import DAYS, Outsider, Payday
from tests.simulation.store_expressions import Environment
from tests.simulation.world import Fault, Faults, World

LAST_DAY = date(9999, 12, 31)


@dataclass(frozen=True)
class Plan:
    """What a run is: everything that decides its course."""

    seed: int
    payday: int = 0
    """Which payday: what is said does not depend on the seed of the faults."""
    partitions: int = 2
    workers: int = 2
    rate: float = 0.002
    faults: int = 4
    without: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    """Only faults of these kinds, when there are any."""
    faulty_seconds: float = 40.0
    patience_seconds: float = 120.0
    """After the faults end everything must be finished within this."""
    planned: tuple[Fault, ...] | None = None
    """The faults of an earlier run, or a part of them, in place of drawn ones."""


@dataclass
class Outcome:
    """What came of it."""

    plan: Plan
    problems: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    tables: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    trace: list[Any] | None = None

    def __str__(self) -> str:
        faults = " ".join(map(str, self.faults)) or "none"
        told = "\n".join(self.story[-40:])
        return f"seed {self.plan.seed} of {self.plan}, faults {faults}:\n" + "\n".join(self.problems) + f"\n{told}"


def simulate(plan: Plan, guards: Guards | None = None, *, keep_trace: bool = False) -> Outcome:
    """Run the payday of a seed to its end."""
    loop = SimulatedLoop(Random(f"{plan.seed}/order"))
    planned = None if plan.planned is None else {fault.step: fault for fault in plan.planned}
    faults = Faults(Random(f"{plan.seed}/faults"), plan.rate, plan.faults, planned, kinds=plan.kinds)
    world = World(loop, Random(f"{plan.seed}/world"), faults)
    ACTOR.set("world")
    engine = Engine(world, plan.partitions, SERVICES, guards or Guards())
    if keep_trace:
        engine.postgres.log = []
    outsider = Outsider(engine, Payday(Random(f"{plan.payday}/payday")))
    outcome = Outcome(plan, faults=faults.happened, story=world.story, trace=engine.postgres.log)
    with quiet(), installed(engine):
        try:
            run(loop, _whole(engine, outsider, plan))
        except (Stuck, TimeoutError) as failure:
            outcome.problems.append(f"it never ends: {failure}")
    outcome.steps, outcome.seconds = world.steps, loop.clock
    _judge(engine, outcome)
    return outcome


@contextmanager
def quiet() -> Iterator[None]:
    """No log lines: the story of a run is told when it fails."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


async def _whole(engine: Engine, outsider: Outsider, plan: Plan) -> None:
    for service in SERVICES:
        for number in range(plan.workers):
            engine.start(f"{service}-{number}")
    world = engine.world
    world.faulty = plan.planned is not None or plan.rate > 0

    def heal() -> None:
        world.faulty = False
        outsider.deadline = world.loop.time() + plan.patience_seconds

    world.later(plan.faulty_seconds, heal)
    await world.loop.start("outsider", outsider.run())
    world.faulty = False
    await asyncio.sleep(2.0)


# -- what must hold ---------------------------------------------------------------------------------------------------


def _judge(engine: Engine, outcome: Outcome) -> None:
    problems = outcome.problems
    problems += [f"crash: {crash}" for crash in engine.crashes]
    problems += [f"a lane stopped: {plane.stopped_lanes}" for plane in engine.planes.values() if plane.stopped_lanes]
    problems += _set_aside(engine)
    problems += _unproven(engine)
    problems += _unsaid(engine)
    outcome.receipts = _receipts(engine, problems)
    outcome.tables = tables_of(engine)


def _set_aside(engine: Engine) -> list[str]:
    """Nothing of this payday breaks the contract, so nobody is parked and no letter is dead."""
    return [
        f"{name}: {table} holds {row['code']} {row['detail']}"
        for name, database in engine.postgres.databases.items()
        for table in ("parked", "dead_letters")
        for row in database.tables[table].values()
    ]


def _unproven(engine: Engine) -> list[str]:
    """Every date is closed and proven, and said so in one way."""
    said: dict[str, set[bytes]] = {}
    for record in engine.kafka.logs.get(TopicPartition(topics.VALUATION_DAYS.name, 0), []):
        said.setdefault((record.key or b"").decode(), set()).add(record.value or b"")
    problems = []
    for day in DAYS:
        bodies = [orjson.loads(body) for body in said.get(day.isoformat(), ())]
        if len(bodies) != 1 or bodies[0]["status"] != "proven":
            wrong = [name for body in bodies for name, one in body["proof"].items() if not one["ok"]]
            problems.append(f"{day}: {len(bodies)} versions of day.closed, broken {wrong}")
    return problems


def _unsaid(engine: Engine) -> list[str]:
    """What every log says, repeats dropped, is a whole sequence; a repeat says the same."""
    problems = []
    for place, log in engine.kafka.logs.items():
        known: dict[tuple[str, int, int], bytes | None] = {}
        newest: Counter[tuple[str, int]] = Counter()
        for record in log:
            headers = dict(record.headers)
            if "seq" not in headers:
                continue
            stream, epoch, seq = (headers[name] or b"" for name in ("stream", "epoch", "seq"))
            name = (stream.decode(), int(epoch), int(seq))
            if known.setdefault(name, record.value) != record.value:
                problems.append(f"{place}: {name} was said in two ways")
            newest[name[:2]] = max(newest[name[:2]], name[2])
        for (stream_name, epoch_number), last in newest.items():
            missing = [seq for seq in range(1, last + 1) if (stream_name, epoch_number, seq) not in known]
            if missing:
                problems.append(f"{place}: {stream_name} lacks {missing}")
    return problems


def _receipts(engine: Engine, problems: list[str]) -> dict[str, Any]:
    """The answers of each request; one answer never says two things.

    Left out: ``held``, since a line may overtake the census it names and its final answer is compared; and the offset
    in the id of an answer to a resend, since a cut marker that was appended twice moves it.
    """
    answers: dict[str, Any] = {}
    for place, log in engine.kafka.logs.items():
        if place.topic not in {topics.PAYROLL_RECEIPTS.name, topics.PARTICIPANT_RECEIPTS.name}:
            continue
        for record in log:
            ce_id = (dict(record.headers)["ce_id"] or b"").decode()
            body = orjson.loads(record.value or b"{}")
            told = [body.get(name) for name in ("status", "accepted_cents", "rejected_cents", "codes", "request")]
            if answers.setdefault(ce_id, told) != told:
                problems.append(f"receipt {ce_id} says two things")
    final = Counter(f"{ce_id.partition(':')[0]} {told}" for ce_id, told in answers.items() if told[0] != "held")
    return dict(final)


def tables_of(engine: Engine) -> dict[str, str]:
    """The state hash of the books, by table: who wrote what when is left out."""
    hasher = Hasher()
    for service, name, sql in TABLES:
        database = engine.postgres.databases[f"nestwork_{service}"]
        parameters = (LAST_DAY,) if "$1" in sql else ()
        answer = database.open(0).run(sql, parameters)
        hasher.add(name, [tuple(map(_plain, row)) for row in answer.rows])
    return dict(hasher.result().tables)


def _plain(value: Any) -> Any:
    return str(value) if not isinstance(value, (int, str, list, date, type(None))) else value


def departures(calm: Outcome, faulty: Outcome) -> list[str]:
    """How a run differs from the same payday without faults."""
    tables: Mapping[str, str] = calm.tables
    found = [f"table {name} differs" for name in tables if tables[name] != faulty.tables.get(name)]
    for answer in calm.receipts.keys() | faulty.receipts.keys():
        expected, got = calm.receipts.get(answer, 0), faulty.receipts.get(answer, 0)
        if expected != got:
            found.append(f"given {got} times, expected {expected}: {answer}")
    return found


__all__ = ["POSITIONS", "Environment", "Outcome", "Plan", "departures", "simulate", "tables_of"]

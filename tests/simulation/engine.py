"""The four services on simulated servers: real frame, handlers, rules and SQL; twins only at the libraries' surface."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import asyncpg
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from shared.events.topics import ALL_TOPICS
from shared.runtime import clients, control, membership, plane, settings
from shared.runtime.control import Control
from shared.runtime.definition import Service
from shared.runtime.facts import INSERT_TOPICS
from shared.runtime.faustplane import ControlPlane
from shared.runtime.guards import Guards
from shared.runtime.plane import MoneyPlane
from shared.runtime.records import record_of
from shared.runtime.settings import Settings
from shared.runtime.topics import partition_count
from tests.simulation.twin_group import TwinMember
from tests.simulation.twin_kafka import Kafka, TwinProducer, TwinReader
from tests.simulation.twin_postgres import Postgres
from tests.simulation.world import World

SERVICES = ("contribution", "allocation", "trading", "valuation")
SECRET = "a key only the engine knows"
SESSION_SECONDS = 3
TICK_SECONDS = 0.4
"""The day clock asks ten times a second in production; every question costs a simulated statement."""
ENVIRONMENT_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError)


def service_of(name: str) -> Service:
    """A service as its ``app.py`` wires it."""
    os.environ.setdefault("NESTWORK_MARKER_KEY", SECRET)
    service: Service = importlib.import_module(f"services.{name}.app").SERVICE
    return service


class Engine:
    """The workers of a simulated cluster, and who watches over them."""

    def __init__(self, world: World, partitions: int, names: Sequence[str], guards: Guards) -> None:
        self.world, self.guards = world, guards
        self.config = Settings.model_validate(
            {
                "NESTWORK_PARTITIONS": partitions,
                "NESTWORK_MARKER_KEY": SECRET,
                "NESTWORK_SESSION_TIMEOUT_SECONDS": SESSION_SECONDS,
            }
        )
        self.kafka = Kafka(world, {topic.name: partition_count(topic, self.config) for topic in ALL_TOPICS})
        self.postgres = Postgres(world, names)
        self.services = {name: service_of(name) for name in names}
        self.lives: dict[str, int] = {}
        self.crashes: list[str] = []
        self.planes: dict[str, MoneyPlane] = {}
        world.on_kill = self.kill
        world.on_restart = self.postgres.restart

    # -- workers -----------------------------------------------------------------------------------------------------

    def start(self, worker: str) -> None:
        """Start a worker process, called SERVICE-NUMBER."""
        self.lives[worker] = life = self.lives.get(worker, 0) + 1
        actor = f"{worker}#{life}"
        self.world.loop.start(actor, self._live(actor))

    def kill(self, actor: str) -> None:
        """End a process at once; the supervisor starts the next after a while."""
        self.world.loop.kill(actor)
        self.postgres.forget(actor)
        self.planes.pop(actor, None)
        self.world.later(self.world.chance.uniform(0.3, 2.0), self.start, actor.partition("#")[0])

    async def _live(self, actor: str) -> None:
        service = self.services[actor.partition("-")[0]]
        money = MoneyPlane(service, self.config, self.guards)
        facts = ControlPlane(service, self.config)

        async def crash(failure: BaseException) -> None:
            self._crashed(actor, failure)

        try:
            await facts.open()
            pool = await clients.open_pool(service.database)
            asks = Control(pool, self.config, facts.reads)
            runs = [facts.run(name) for name in facts.stores] + [background(asks) for background in service.background]
            if facts.stores:
                runs.append(self._follow_facts(facts, service))
            for run in runs:
                asyncio.create_task(self._guarded(actor, run))  # noqa: RUF006 - the loop's actor keeps it.
            await money.start(crash)
            self.planes[actor] = money
        except Exception as failure:
            self._crashed(actor, failure)

    async def _guarded(self, actor: str, run: Any) -> None:
        try:
            await run
        except Exception as failure:
            self._crashed(actor, failure)

    def _crashed(self, actor: str, failure: BaseException) -> None:
        if self.world.loop.is_over or actor in self.world.loop.dead:
            return
        self.world.tell(f"crash {failure!r}")
        if not isinstance(failure, ENVIRONMENT_FAILURES):
            self.crashes.append(f"{actor}: {failure!r}")
        self.kill(actor)

    async def _follow_facts(self, facts: ControlPlane, service: Service) -> None:
        """What Faust does: one worker reads the fact topics, from the positions that it claims."""
        topics = [fact.topic.name for fact in service.facts]
        changed = asyncio.Event()
        held: list[int] = []

        async def on_revoked(_: list[TopicPartition]) -> None:
            held.clear()

        async def on_assigned(places: list[TopicPartition]) -> None:
            held.extend(place.partition for place in places)
            changed.set()

        member = clients.AIOKafkaConsumer(  # type: ignore[call-arg]
            group_id=f"{service.group}-control",
            session_timeout_ms=SESSION_SECONDS * 1000,
            heartbeat_interval_ms=500,
        )
        facts.rejoin = lambda _topic: member.group and member.group.begin()
        member.subscribe(
            topics[:1], listener=SimpleNamespace(on_partitions_revoked=on_revoked, on_partitions_assigned=on_assigned)
        )
        while True:
            await changed.wait()
            changed.clear()
            positions = await facts.claim(topics if held else [], member._coordinator.generation)
            reader = clients.kafka_reader()
            reader.assign([TopicPartition(topic, 0) for topic in positions])
            for topic, offset in positions.items():
                reader.seek(TopicPartition(topic, 0), offset)
            while not changed.is_set() and all(facts.reads(topic) for topic in positions):
                try:
                    fetched = await reader.getmany(timeout_ms=200)
                except KafkaError:
                    continue
                for place, records in fetched.items():
                    for record in records:
                        await facts.queues[place.topic].put(record_of(-1, record))


def _consumer(kafka: Kafka) -> Any:
    """AIOKafkaConsumer: a member when it names a group, a reader otherwise."""
    member = type("Member", (TwinMember,), {"kafka": kafka})
    reader = type("Reader", (TwinReader,), {"kafka": kafka})
    return lambda **options: member(**options) if options.get("group_id") else reader(**options)


@contextmanager
def installed(engine: Engine) -> Iterator[None]:
    """Put the twins in the place of the libraries, and the virtual clock in that of the host's."""
    loop, chance = engine.world.loop, Random(1)
    clock = SimpleNamespace(
        monotonic=loop.time, time=loop.wall_clock, perf_counter=time.perf_counter,
        time_ns=lambda: int(loop.wall_clock() * 1e9),
    )  # fmt: skip
    consumer = _consumer(engine.kafka)
    producer = type("Producer", (TwinProducer,), {"kafka": engine.kafka})
    names = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=f"{chance.getrandbits(128):032x}"))
    with ExitStack() as stack:
        for target, name, twin in (
            (asyncpg, "connect", engine.postgres.connect),
            (asyncpg, "create_pool", engine.postgres.create_pool),
            (clients, "AIOKafkaConsumer", consumer),
            (clients, "AIOKafkaProducer", producer),
            (clients, "settings", lambda: engine.config),
            (membership, "AIOKafkaConsumer", consumer),
            (settings, "settings", lambda: engine.config),
            (plane, "time", clock),
            (plane, "uuid", names),
            (control, "time", clock),
        ):
            stack.enter_context(patch.object(target, name, twin))
        yield


__all__ = ["INSERT_TOPICS", "SERVICES", "Engine", "installed", "service_of"]

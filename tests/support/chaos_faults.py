"""Every fault that one machine can have: how it begins, what it costs, how it ends. One function each."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import asyncpg
import psutil

from deploy.cluster.processes import ProcessIdentity
from deploy.cluster.spec import SERVICES
from deploy.cluster.standby import FIRST, SECOND
from shared.runtime.clients import kafka_admin
from tests.support.chaos_disk_faults import broker_disk_full, database_disk_full
from tests.support.chaos_field import Field
from tests.support.chaos_hijacker import hijacked
from tests.support.chaos_input_faults import topic_replayed, transactions_aborted
from tests.support.chaos_leaders import leaders_moved

FREEZE_SECONDS = 9.0
"""Longer than the session timeout, so that others take over."""
FROZEN_BROKER_SECONDS = 15.0
"""Half of it passes before others lead, when it was the controller: until it is missed, its successor is elected, and
that one has waited for its heartbeats, too."""
DOWN_SECONDS = 8.0
BROKERS = (1, 2, 3)


# -- workers ---------------------------------------------------------------------------------------------------------


async def kill_a_worker(field: Field) -> None:
    """kill -9."""
    field.cluster.kill_worker(*field.any_worker())


async def kill_a_burst(field: Field) -> None:
    """kill -9 of several, a tenth of a second to a second apart."""
    for _ in range(field.dice.randint(3, 6)):
        field.cluster.kill_worker(*field.any_worker())
        await asyncio.sleep(field.dice.uniform(0.1, 1.0))


async def freeze_a_worker(field: Field) -> None:
    """SIGSTOP past the session, then SIGCONT: a zombie."""
    await _freeze([field.cluster.worker(*field.any_worker()).identity])


async def freeze_a_service(field: Field) -> None:
    """All workers of one service are zombies at once: nobody takes over."""
    service = field.dice.choice(SERVICES)
    await _freeze([field.cluster.worker(service, index).identity for index in range(field.workers)])


async def _freeze(identities: list[Any], seconds: float = FREEZE_SECONDS) -> None:
    try:
        for identity in identities:
            identity.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
    finally:
        for identity in identities:
            identity.send(signal.SIGCONT)


async def rebalance_storm(field: Field) -> None:
    """Members leave and join every second or two."""
    for _ in range(6):
        field.cluster.kill_worker(*field.any_worker(), signal.SIGTERM)
        await asyncio.sleep(field.dice.uniform(0.8, 2.0))


async def scale_down_and_up(field: Field) -> None:
    """One worker of every service goes away for a while."""
    names = [f"{service}-1" for service in SERVICES]
    try:
        for name in names:
            field.cluster.hold(name)
            field.cluster.process(name).identity.send(signal.SIGTERM)
        await asyncio.sleep(DOWN_SECONDS)
    finally:
        for name in names:
            field.cluster.release(name)


async def identity_hijacked(field: Field) -> None:
    """A second process with the name, folder and group identity of one that lives joins, stays a while, and dies."""
    service, index = field.any_worker()
    async with hijacked(field.cluster, service, index) as pages:
        field.doubles[pages] = service
        await asyncio.sleep(FREEZE_SECONDS)
    field.doubles.clear()


# -- Kafka -----------------------------------------------------------------------------------------------------------


async def stop_a_broker(field: Field) -> None:
    """A clean stop and start: its leaders move away before."""
    await field.cluster.restart_broker(hard=False, number=field.dice.choice(BROKERS))


async def kill_a_broker(field: Field) -> None:
    """kill -9, and up again."""
    await field.cluster.restart_broker(hard=True, number=field.dice.choice(BROKERS))


async def broker_away(field: Field) -> None:
    """A broker stays dead for a while."""
    name = f"kafka-{field.dice.choice(BROKERS)}"
    before = field.cluster.process(name)
    field.cluster.hold(name)
    try:
        before.identity.send(signal.SIGKILL)
        await asyncio.sleep(DOWN_SECONDS)
    finally:
        field.cluster.release(name)
    await field.serves_again(name, before.restarts)


async def broker_isolated(field: Field) -> None:
    """A broker is frozen: the others take its leaders, and it wakes up believing to lead."""
    await _freeze([field.cluster.process(f"kafka-{field.dice.choice(BROKERS)}").identity], FROZEN_BROKER_SECONDS)


async def coordinator_dies(field: Field) -> None:
    """kill -9 of the broker that coordinates a service's group."""
    admin = kafka_admin(field.settings)
    await admin.start()
    try:
        number = await admin.find_coordinator(f"nestwork-{field.dice.choice(SERVICES)}")
    finally:
        await admin.close()
    await field.cluster.restart_broker(hard=True, number=number)


async def all_brokers_die(field: Field) -> None:
    """kill -9 of all three at once."""
    await asyncio.gather(*(field.cluster.restart_broker(hard=True, number=number) for number in BROKERS))


# -- PostgreSQL ------------------------------------------------------------------------------------------------------


async def database_crashes(field: Field) -> None:
    """The leading server ends as in a crash and recovers by itself."""
    await field.cluster.restart(field.leading(), signal.SIGQUIT)


async def database_restarts(field: Field) -> None:
    """A fast restart: sessions are ended."""
    await field.cluster.restart(field.leading(), signal.SIGINT)


async def database_fails_over(field: Field) -> None:
    """The leading server is lost; its standby leads; the dead one is made the standby."""
    await field.cluster.fail_over(field.postgres_settings)


async def standby_dies(field: Field) -> None:
    """Without its standby nothing is acknowledged, until it is back."""
    following = SECOND if field.leading() == FIRST else FIRST
    await field.cluster.restart(following, signal.SIGKILL)


async def slow_disk(field: Field) -> None:
    """COMMIT takes seconds: what it waits for (the standby's disk) does not answer."""
    following = field.cluster.process(SECOND if field.leading() == FIRST else FIRST)
    children = await asyncio.to_thread(_with_children, following.pid)
    await _freeze(children, 5.0)


def _with_children(pid: int) -> list[Any]:
    parent = psutil.Process(pid)
    found = [ProcessIdentity.of(one.pid) for one in (parent, *parent.children(recursive=True))]
    return [one for one in found if one is not None]


async def sessions_terminated(field: Field) -> None:
    """Every session of one service's database is ended, mid-transaction or not."""
    database = f"nestwork_{field.dice.choice(SERVICES)}"
    statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
    for _ in range(3):
        await field.sql("postgres", statement, database)
        await asyncio.sleep(field.dice.uniform(0.2, 1.5))


async def lanes_locked(field: Field) -> None:
    """Another session holds the lanes' rows of a service, until it gives up or a worker has it ended."""
    connection = await asyncpg.connect(field.cluster.url_of(f"nestwork_{field.dice.choice(SERVICES)}"))
    try:
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            async with connection.transaction():
                await connection.execute("SELECT 1 FROM lanes FOR UPDATE")
                await asyncio.sleep(DOWN_SECONDS)
    finally:
        connection.terminate()


async def no_connections_left(field: Field) -> None:
    """Somebody takes every free connection of the server, and those that sessions give back."""
    held: list[Any] = []
    try:
        for _ in range(300):
            try:
                held.append(await asyncpg.connect(field.cluster.url_of("postgres")))
            except (asyncpg.PostgresError, OSError):
                break
        statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
        if held:
            await held[0].fetch(statement, f"nestwork_{field.dice.choice(SERVICES)}")
        await asyncio.sleep(5)
    finally:
        for connection in held:
            connection.terminate()


# -- the network between workers and PostgreSQL ------------------------------------------------------------------------


async def commits_lost(field: Field) -> None:
    """Connections end during COMMIT, before or after the server has heard of it."""
    try:
        for proxy in field.proxies:
            proxy.is_losing = True
        await asyncio.sleep(DOWN_SECONDS)
    finally:
        for proxy in field.proxies:
            proxy.is_losing = False


async def network_cut(field: Field) -> None:
    """Nothing passes for a while, in one direction or both; then the connections are reset."""
    directions = field.dice.choice((("to",), ("from",), ("to", "from")))
    try:
        for proxy in field.proxies:
            proxy.clog(*directions)
        await asyncio.sleep(DOWN_SECONDS)
    finally:
        for proxy in field.proxies:
            proxy.unclog()
            if field.dice.random() < 0.5:
                proxy.reset()


async def network_slow(field: Field) -> None:
    """Every piece of every answer comes late."""
    try:
        for proxy in field.proxies:
            proxy.delay = 0.04
        await asyncio.sleep(DOWN_SECONDS)
    finally:
        for proxy in field.proxies:
            proxy.delay = 0.0


# -- the network between workers and brokers ---------------------------------------------------------------------------


async def brokers_cut(field: Field) -> None:
    """Workers and some of the brokers don't hear each other, in one direction or both; the brokers do."""
    cut = field.dice.sample(field.brokers, field.dice.randint(1, len(field.brokers)))
    directions = field.dice.choice((("to",), ("from",), ("to", "from")))
    field.say(f"{len(cut)} of {len(field.brokers)} brokers, {' and '.join(directions)} them")
    field.stops_all = len(cut) == len(field.brokers)
    try:
        for pipe in cut:
            pipe.clog(*directions)
        await asyncio.sleep(DOWN_SECONDS)
    finally:
        for pipe in cut:
            pipe.unclog()
            if field.dice.random() < 0.5:
                pipe.reset()


async def brokers_slow(field: Field) -> None:
    """Every piece of every answer of a broker comes late."""
    try:
        for pipe in field.brokers:
            pipe.delay = field.dice.uniform(0.05, 0.3)
        await asyncio.sleep(DOWN_SECONDS)
    finally:
        for pipe in field.brokers:
            pipe.delay = 0.0


async def connections_reset(field: Field) -> None:
    """Every connection between workers and brokers is reset, some times in a row."""
    for _ in range(4):
        for pipe in field.brokers:
            pipe.reset()
        await asyncio.sleep(field.dice.uniform(0.3, 2.0))


@dataclass(frozen=True)
class Fault:
    """A fault with its weight in the dice, and whether answers have to go on while it lasts."""

    run: Callable[[Field], Coroutine[Any, Any, None]]
    weight: int = 2
    stops_all: bool = False
    """True where nothing can be decided until it ends: a service's every worker, the database, or every broker is out
    of reach. A storm leaves one worker of each service, or has it back in seconds."""

    @property
    def name(self) -> str:
        """As it is recorded."""
        return self.run.__name__


FAULTS = (
    Fault(kill_a_worker, 6), Fault(kill_a_burst, 3), Fault(freeze_a_worker, 4), Fault(freeze_a_service, 1, True),
    Fault(rebalance_storm, 2), Fault(scale_down_and_up, 2),
    Fault(stop_a_broker, 2), Fault(kill_a_broker, 2), Fault(broker_away, 2), Fault(broker_isolated, 2),
    Fault(coordinator_dies, 2), Fault(all_brokers_die, 1, True),
    Fault(database_crashes, 2, True), Fault(database_restarts, 2, True), Fault(database_fails_over, 4, True),
    Fault(standby_dies, 1, True), Fault(slow_disk, 2, True), Fault(sessions_terminated, 2), Fault(lanes_locked, 2),
    Fault(no_connections_left, 1, True),
    Fault(identity_hijacked, 2), Fault(database_disk_full, 2, True), Fault(broker_disk_full, 2),
    Fault(brokers_cut, 3), Fault(brokers_slow, 2), Fault(connections_reset, 2),
    Fault(commits_lost, 4), Fault(network_cut, 2, True), Fault(network_slow, 2), Fault(topic_replayed, 2),
    Fault(transactions_aborted, 2), Fault(leaders_moved, 2),
)  # fmt: skip

"""The embedded cluster on the real thing: start, stop, crashes of every part."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.cluster import Cluster, ClusterRunning, Infrastructure, StartFailed
from deploy.cluster.launch import end_cluster, require_state
from deploy.cluster.state import State
from tests.support.cluster import fresh_database, unique_topics
from tests.support.waiting import eventually

SMALL = {"shared_buffers": "'64MB'"}
OWNER = """
import asyncio, sys
from pathlib import Path
from deploy.cluster import Infrastructure

async def main():
    await Infrastructure.start(Path(sys.argv[1]), postgres_settings={"shared_buffers": "'64MB'"})
    print("up", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.fixture
async def plain_cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster whose workers do nothing, two of them for trading."""
    cluster = await start_plain(tmp_path / "c", workers={"trading": 2})
    yield cluster
    await cluster.stop()


async def start_plain(folder: Path, **options: object) -> Cluster:
    module = "tests.support.plain_worker"
    return await Cluster.start(folder, worker_module=module, custodian=False, postgres_settings=SMALL, **options)


async def publish(infrastructure: Infrastructure, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=infrastructure.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(topic, value, partition=0)
    await producer.stop()


async def first_record(infrastructure: Infrastructure, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=infrastructure.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return (await asyncio.wait_for(consumer.getone(), 20)).value
    finally:
        await consumer.stop()


async def query(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def nothing_of(state: State) -> bool:
    return not state.living() and not state.supervisor.identity.alive()


async def test_kafka_and_postgres_serve(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "hello")
    await publish(infrastructure, topic, b"one")
    assert await first_record(infrastructure, topic) == b"one"
    url = await fresh_database(infrastructure, "hello")
    assert await query(url, "SELECT pg_encoding_to_char(encoding) || datcollate FROM pg_database") == "UTF8C"
    assert await query(url, "SHOW fsync") == "on"


async def test_postgres_asks_for_a_password(infrastructure: Infrastructure) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(infrastructure.server_url, password="guess")


async def test_what_was_acknowledged_survives_hard_restarts_of_broker_and_database(tmp_path: Path) -> None:
    async with await Infrastructure.start(tmp_path / "i", postgres_settings=SMALL) as own:
        (topic,) = await unique_topics(own, "kept")
        await publish(own, topic, b"kept")
        await query(own.server_url, "CREATE TABLE kept AS SELECT 42 AS answer")
        await own.restart_broker(hard=True)
        await own.restart_postgres(immediate=True)
        await own.restart("postgres", signal.SIGKILL)
        assert await first_record(own, topic) == b"kept"
        assert await query(own.server_url, "SELECT answer FROM kept") == 42


async def test_a_live_folder_is_refused_and_a_crashed_one_is_cleaned_and_reused(tmp_path: Path) -> None:
    first = await Infrastructure.start(tmp_path / "i", postgres_settings=SMALL)
    await query(first.server_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with pytest.raises(ClusterRunning, match="already"):
        await Infrastructure.start(tmp_path / "i")
    crashed = first.state
    crashed.supervisor.identity.send(signal.SIGKILL)
    await eventually(lambda: _true(not crashed.supervisor.identity.alive()))
    assert len(crashed.living()) == 2
    async with await Infrastructure.start(tmp_path / "i", postgres_settings=SMALL) as second:
        assert nothing_of(crashed)
        assert await query(second.server_url, "SELECT answer FROM kept") == 42
        second.state.supervisor.identity.send(signal.SIGKILL)
        assert set(await asyncio.to_thread(end_cluster, tmp_path / "i")) == {"kafka-1", "postgres"}
        assert nothing_of(second.state)
        assert (second.state.phase, second.state.processes) == ("stopped", {})


async def test_everything_ends_when_the_program_that_started_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "i")]
    owner = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"up\n"
    state = require_state(tmp_path / "i")
    assert len(state.living()) == 2
    owner.kill()
    await owner.wait()
    await eventually(lambda: _true(nothing_of(state)))


async def test_a_killed_worker_is_started_again_at_the_same_address(plain_cluster: Cluster) -> None:
    before = plain_cluster.worker("trading", 1)
    plain_cluster.kill_worker("trading", 1)
    await eventually(lambda: _true(plain_cluster.worker("trading", 1).restarts == 1))
    await plain_cluster.wait_ready("trading")
    after = plain_cluster.worker("trading", 1)
    assert (after.port, after.url) == (before.port, before.url)
    assert after.pid != before.pid
    assert len(plain_cluster.worker_pids()) == 5


async def test_a_held_worker_stays_dead_until_released(plain_cluster: Cluster) -> None:
    plain_cluster.hold("allocation-0")
    plain_cluster.kill_worker("allocation")
    await eventually(lambda: _true(plain_cluster.worker("allocation").restarts == 1))
    await asyncio.sleep(0.2)
    assert "allocation-0" not in plain_cluster.worker_pids()
    plain_cluster.release("allocation-0")
    await eventually(lambda: _true("allocation-0" in plain_cluster.worker_pids()))


async def test_a_worker_that_never_gets_ready_fails_the_start_with_its_log_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="plain worker started"):
        await start_plain(tmp_path / "c", extra_env={"NEVER_READY": "1"}, ready_timeout_seconds=2.0)
    assert nothing_of(require_state(tmp_path / "c"))


async def _true(value: bool) -> bool:
    return value


async def test_given_servers_are_used_instead_of_embedded_ones_and_left_running(
    tmp_path: Path, infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", infrastructure.bootstrap)
    monkeypatch.setenv("DATABASE_URL", infrastructure.server_url)
    cluster = await start_plain(tmp_path / "c", use_given_servers=True)
    assert {record.kind for record in cluster.state.processes.values()} == {"worker"}
    assert cluster.environment()["KAFKA_BOOTSTRAP_SERVERS"] == infrastructure.bootstrap
    assert await query(cluster.database_url("trading"), "SELECT current_database()") == "nestwork_trading"
    await cluster.stop()
    assert len(infrastructure.state.living()) == 2


async def test_a_worker_that_ends_at_once_fails_the_start_without_waiting_for_the_timeout(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"No module named tests\.support\.nobody"):
        await Cluster.start(
            tmp_path / "c", worker_module="tests.support.nobody", custodian=False, postgres_settings=SMALL
        )
    assert nothing_of(require_state(tmp_path / "c"))

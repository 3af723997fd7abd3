"""The floors on real servers: the empty tables are like the real ones, all rows and records arrive, nothing is left."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition

from deploy.bench.copyfloor import measure_copy
from deploy.bench.following import Logs
from deploy.bench.logfloor import measure_log, record_payday
from deploy.bench.store_floors import WRITTEN, Rows, make_empty_tables, remove_tables
from deploy.cluster import Infrastructure
from shared.events.topics import Topic
from shared.runtime.clients import kafka_admin, kafka_producer
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from tests.support.cluster import unique_topics

DAY = date(2026, 11, 20)
SHAPES = """
SELECT c.relname, c.relkind::text, array_to_string(c.reloptions, ','),
       (SELECT count(*) FROM pg_index AS i WHERE i.indrelid = c.oid) AS indexes,
       (SELECT string_agg(concat_ws(':', k.contype, k.convalidated), ',' ORDER BY k.contype)
        FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype <> 'f') AS constraints,
       (SELECT string_agg(concat_ws(':', a.attname, a.atttypid, a.attstorage, a.attnotnull), ',' ORDER BY a.attnum)
        FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_class AS c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname"""


@asynccontextmanager
async def migrated(infrastructure: Infrastructure, service: str) -> AsyncIterator[Any]:
    """A connection to a database of the floors' tests with the tables of a service."""
    database = f"floors_{service}"
    await migrate(service, Settings(DATABASE_URL=infrastructure.server_url), database=database)
    connection = await asyncpg.connect(infrastructure.url_of(database))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("service", WRITTEN)
async def test_the_empty_tables_are_the_real_ones_without_rows(infrastructure: Infrastructure, service: str) -> None:
    async with migrated(infrastructure, service) as connection:
        await make_empty_tables(connection, list(WRITTEN[service]))
        real = {row["relname"]: tuple(row) for row in await connection.fetch(SHAPES, "public")}
        made = {row["relname"]: tuple(row) for row in await connection.fetch(SHAPES, "floor")}
        await remove_tables(connection)
    assert set(WRITTEN[service]) <= made.keys()
    assert made == {name: real[name] for name in made}


async def test_the_rows_of_the_date_are_copied_and_nothing_is_left(infrastructure: Infrastructure) -> None:
    async with migrated(infrastructure, "valuation") as connection:
        await connection.execute(
            """INSERT INTO balances (trade_date, lane, participant_id, plan_id, bucket, cents, holdings)
               SELECT $1::date - number % 2, 3, 'P' || number, 'PLAN', 7, number, '{}'
               FROM generate_series(1, 9000) AS number""",
            DAY,
        )
        chosen = {"valuation": [Rows("balances", "trade_date = $1"), Rows("proofs", "trade_date = $1")]}
        floor = await measure_copy(infrastructure, {"valuation": connection}, chosen, DAY)
        left = await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'floor'")
        await connection.execute("TRUNCATE balances")
    assert floor.rows == {"valuation.balances": 4_500, "valuation.proofs": 0}
    assert (floor.transactions, left) == (2, 0)
    assert floor.bytes["valuation.balances"] > 4_500 * 40
    assert 0 < floor.seconds < 60
    assert floor.cpu_seconds.keys() == {"client", "postgres"}


async def test_the_records_since_the_begin_are_produced_and_consumed_again(infrastructure: Infrastructure) -> None:
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=infrastructure.bootstrap, NESTWORK_PARTITIONS=4)
    name, other = await unique_topics(infrastructure, "lines", "empty")
    parted, empty = (Topic(one, "output", True, "none", (), (), "", {}) for one in (name, other))
    logs = Logs(config, 4)
    producer = kafka_producer(config)
    await producer.start()
    try:
        await producer.send_and_wait(name, b"before", partition=1)
        begins = await logs.ends(parted, empty)
        for number in range(1_500):
            await producer.send(name, b"%0100d" % number, key=b"k", partition=number % 3, headers=[("ce_id", b"x")])
        await producer.flush()
    finally:
        await producer.stop()
    assert begins[TopicPartition(name, 1)] == 1
    with tempfile.TemporaryFile() as file:
        held = await record_payday(logs, begins, (parted, empty), file)
        floor = await measure_log(infrastructure, config, held, {parted: 4, empty: 4})
    assert (floor.records, floor.bytes) == ({name: 1_500}, {name: 1_500 * (1 + 100 + 6)})
    assert floor.produce_seconds > 0
    assert floor.consume_seconds > 0
    assert floor.cpu_seconds["client"] > 0
    admin = kafka_admin(config)
    await admin.start()
    try:
        assert not [topic for topic in await admin.list_topics() if topic.startswith("floor.")]
    finally:
        await admin.close()

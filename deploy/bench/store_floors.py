"""The rows a payday leaves in the four databases, and empty tables like theirs to copy these rows into."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from shared.runtime.clients import Connection, connect
from shared.runtime.settings import Settings

SCHEMA = "floor"

OF_DATE = "trade_date = $1"
OF_VALUE_DATE = "value_date = $1"
ALL = "$1::date IS NOT NULL"
"""One row for each account, written new by every payday that has a line of it."""

WRITTEN: Mapping[str, Mapping[str, str]] = {
    "contribution": {
        "journal": OF_DATE,
        "identities": OF_DATE,
        "year_to_date": "year = date_part('year', $1::date)",
        "run_parts": OF_DATE,
        "run_releases": OF_DATE,
        "fundings": OF_DATE,
    },
    "allocation": {"journal": OF_DATE},
    "trading": {
        "journal": OF_DATE,
        "orders": OF_DATE,
        "order_legs": "order_date = $1",
        "confirmations": OF_VALUE_DATE,
        "prices": OF_VALUE_DATE,
    },
    "valuation": {
        "journal": OF_DATE,
        "positions": ALL,
        "balances": OF_DATE,
        "lane_holdings": OF_DATE,
        "prices": OF_VALUE_DATE,
        "custodian_holdings": "date = $1",
        "proofs": OF_DATE,
    },
}
"""What a payday writes, by service and table, and which rows of it are those of one date."""

TRANSPORT = (
    "outbox", "tasks", "lanes", "lane_inputs", "lane_received", "lane_streams", "stream_ends", "fact_topics",
    "upstream_totals", "lane_days", "decided_days", "input_counts", "day_commands", "day_marks", "market_since",
    "custodian_parts", "schema_migrations", "run_waits",
)  # fmt: skip
"""Left out: how the engine knows where it is (some rows, written again and again), and what is gone afterwards."""
FACTS = ("facts", "participants", "elections", "run_controls", "fund_units")
"""Left out: known before the payday, or a row for a plan, a fund or a price."""
UNUSUAL = (
    "dead_letters", "parked", "operator_actions", "held_lines", "held_requests", "freed_lines", "reversals",
    "reversal_legs", "forfeitures", "in_flight", "identities",
)  # fmt: skip
"""Left out where they are not named above: a payday without faults, holds, reversals and requests writes none."""

SHAPE = """
SELECT c.relkind = 'p' AS is_parted, pg_get_partkeydef(c.oid) AS key, array_to_string(c.reloptions, ', ') AS options
FROM pg_class AS c WHERE c.oid = $1::regclass"""
PARTITIONS = """
SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass ORDER BY c.relname"""
ROWS = "SELECT * FROM public.{table} WHERE {condition}"
COUNT = "SELECT count(*) FROM {schema}.{table}"
MAKE_SCHEMA = "CREATE SCHEMA {schema}"
DROP_SCHEMA = "DROP SCHEMA IF EXISTS {schema} CASCADE"
MAKE_TABLE = "CREATE TABLE {schema}.{table} (LIKE public.{table} INCLUDING ALL) {kind}"
MAKE_PARTITION = "CREATE TABLE {schema}.{name} PARTITION OF {schema}.{table} {bound}"
STOP_VACUUM = "ALTER SYSTEM SET autovacuum = off"
RESUME_VACUUM = "ALTER SYSTEM RESET autovacuum"
RELOAD = "SELECT pg_reload_conf()"
END_VACUUM = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
CHECKPOINT = "CHECKPOINT"
STATEMENT_SECONDS_MAX = 3_600.0


class Rows(NamedTuple):
    """Rows to copy: those of one table that meet a condition on a date."""

    table: str
    condition: str

    async def send_to(self, connection: Connection, day: date, taker: Any) -> None:
        """Hand the rows of ``day`` to ``taker``, a coroutine function, as PostgreSQL's binary COPY has them."""
        query = ROWS.format(table=self.table, condition=self.condition)
        await connection.copy_from_query(query, day, output=taker, format="binary", timeout=STATEMENT_SECONDS_MAX)


async def make_empty_tables(connection: Connection, tables: list[str]) -> None:
    """Tables in a schema of their own with the columns, keys, checks, indexes and partitions of the real ones.

    Without their foreign keys, which CREATE TABLE … LIKE leaves out.
    """
    await remove_tables(connection)
    await connection.execute(MAKE_SCHEMA.format(schema=SCHEMA))
    for table in tables:
        shape = await connection.fetchrow(SHAPE, f"public.{table}")
        kind = f"PARTITION BY {shape['key']}" if shape["is_parted"] else ""
        if shape["options"]:
            kind = f"WITH ({shape['options']})"
        await connection.execute(MAKE_TABLE.format(schema=SCHEMA, table=table, kind=kind))
        for part in await connection.fetch(PARTITIONS, f"public.{table}"):
            made = MAKE_PARTITION.format(schema=SCHEMA, table=table, name=part["name"], bound=part["bound"])
            await connection.execute(made)


async def write_rows(connection: Connection, table: str, stream: bytearray) -> None:
    """Copy a binary stream of rows into the empty table's place."""
    await connection.copy_to_table(table, source=stream, schema_name=SCHEMA, format="binary")


async def count_rows(connection: Connection, table: str) -> int:
    """How many rows were copied into a table."""
    return int(await connection.fetchval(COUNT.format(schema=SCHEMA, table=table)))


async def remove_tables(connection: Connection) -> None:
    """Drop what ``make_empty_tables`` made, with its rows."""
    await connection.execute(DROP_SCHEMA.format(schema=SCHEMA))


async def open_database(service: str, config: Settings) -> Connection:
    """A connection to a service's database that may take long over one statement."""
    return await connect(f"nestwork_{service}", config, transaction_timeout="0")


async def pause_vacuum(config: Settings, *, paused: bool) -> None:
    """Keep the server from tidying up after the payday meanwhile (``paused``), or let it again; and write all pages."""
    connection = await connect("postgres", config, transaction_timeout="0")
    try:
        await connection.execute(STOP_VACUUM if paused else RESUME_VACUUM)
        await connection.execute(RELOAD)
        if paused:
            await connection.execute(END_VACUUM)
            await connection.execute(CHECKPOINT, timeout=STATEMENT_SECONDS_MAX)
    finally:
        await connection.close()

"""History by the million without its paydays: the rows of one real payday again, under earlier dates.

They are what the engine itself wrote, so widths, indexes and partitions are those of a real past. No total, run or
proof counts them: those are kept by date, and these dates are earlier than the engine's first.
"""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from deploy.bench.store import STAGES
from shared.runtime.clients import connect
from shared.runtime.settings import Settings

COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
REPEAT_JOURNAL = """
INSERT INTO journal ({columns}) SELECT {values} FROM journal WHERE trade_date = $1 AND participant_id IS NOT NULL"""
REPEAT_IDENTITIES = """
INSERT INTO identities ({columns}) SELECT {values} FROM identities WHERE trade_date = $1"""
REPEAT_BALANCES = """
INSERT INTO balances ({columns}) SELECT {values} FROM balances WHERE trade_date = $1"""
SETTLE = "VACUUM (ANALYZE) {table}"
CHECKPOINT = "CHECKPOINT"
LANES_BY_OWNER = "SELECT owner, count(*)::int AS lanes FROM lanes GROUP BY owner"

REPEATED = {
    "contribution": {"journal": REPEAT_JOURNAL, "identities": REPEAT_IDENTITIES},
    "allocation": {"journal": REPEAT_JOURNAL},
    "trading": {"journal": REPEAT_JOURNAL},
    "valuation": {"balances": REPEAT_BALANCES},
}
"""What grows with every payday, by service. A request is known by its identity, so repeats get a new one."""
NEW = {"trade_date": "$2", "identity": "gen_random_uuid()"}
FIRST_DATE = date(2022, 1, 3)
STATEMENT_SECONDS_MAX = 3_600.0


async def grow_history(config: Settings, payday: date, times: int) -> dict[str, int]:
    """Repeat the rows of ``payday`` under ``times`` earlier dates in all four databases; rows made, by table."""
    dates = [FIRST_DATE + timedelta(days=number) for number in range(times)]
    if dates and dates[-1] >= payday - timedelta(days=7):
        raise ValueError(f"there are not {times} dates before {payday}")
    made = await asyncio.gather(*(_grow(service, config, payday, dates) for service in STAGES))
    connection = await connect("postgres", config)
    try:
        await connection.execute(CHECKPOINT, timeout=STATEMENT_SECONDS_MAX)
    finally:
        await connection.close()
    return {name: rows for one in made for name, rows in one.items()}


async def _grow(service: str, config: Settings, payday: date, dates: list[date]) -> dict[str, int]:
    connection = await connect(f"nestwork_{service}", config, transaction_timeout="0", synchronous_commit="off")
    made: dict[str, int] = {}
    try:
        for table, statement in REPEATED[service].items():
            columns = [row["attname"] for row in await connection.fetch(COLUMNS, table)]
            new = NEW if table == "identities" else {"trade_date": NEW["trade_date"]}
            values = ", ".join(new.get(name, name) for name in columns)
            filled, rows = statement.format(columns=", ".join(columns), values=values), 0
            for day in dates:
                done = await connection.execute(filled, payday, day, timeout=STATEMENT_SECONDS_MAX)
                rows += int(done.rpartition(" ")[2])
            await connection.execute(SETTLE.format(table=table), timeout=STATEMENT_SECONDS_MAX)
            made[f"{service}.{table}"] = rows
    finally:
        await connection.close()
    return made


async def lanes_by_owner(config: Settings, service: str) -> dict[str, int]:
    """How many lanes each worker of a service owns."""
    connection = await connect(f"nestwork_{service}", config)
    try:
        return {row["owner"]: row["lanes"] for row in await connection.fetch(LANES_BY_OWNER)}
    finally:
        await connection.close()

"""Plain Faust, as its guide shows it: an agent, an event at a time, a transaction for each, the output by ``send``.

The books are right after a crash (primary key). The output is not: the transaction commits before the message leaves,
and the replayed event is then known and skipped. Eight events at a time, so two of one person may overtake each other.
"""

from __future__ import annotations

import datetime
import os
import sys
import time
from typing import Any

import asyncpg
import faust

from tests.load.peers import job

CONCURRENCY = 8
app = faust.App(
    "peer-faust-each" + os.environ.get("PEER_RUN", ""),
    broker="kafka://" + os.environ.get("BOOTSTRAP", "127.0.0.1:9092"), topic_partitions=8,
    key_serializer="raw", value_serializer="raw", web_enabled=False, topic_disable_leader=True,
    consumer_auto_offset_reset="earliest", datadir=os.environ.get("STATE_DIR", "."),
    broker_session_timeout=10.0, broker_heartbeat_interval=3.0,
)  # fmt: skip
contributions, instructed, rejects = (
    app.topic(name, key_type=bytes, value_type=bytes) for name in (job.INPUT, job.OUTPUT, job.REJECTS)
)
_open: list[Any] = []


async def pool() -> Any:
    """One pool for all eight."""
    if not _open:
        _open.append(
            await asyncpg.create_pool(
                os.environ["PG_DSN"], min_size=CONCURRENCY, max_size=CONCURRENCY,
                server_settings={"search_path": os.environ["PG_SCHEMA"]},
            )
        )  # fmt: skip
        sys.__stdout__.write(f"FIRST {int(time.time() * 1000)}\n")
        sys.__stdout__.flush()
    return _open[0]


@app.agent(contributions, concurrency=CONCURRENCY)
async def record(stream: Any) -> None:
    """Decide each event, commit it, send what follows from it."""
    async for event in stream.events():
        database = _open[0] if _open else await pool()
        try:
            line = job.parse(event.value)
        except job.Invalid as problem:
            at = event.message
            await rejects.send(
                key=event.key, value=job.dumps(job.reject(problem.args[0], at.partition, at.offset)),
                headers=dict(job.headers(f"{at.partition}-{at.offset}:rejected", job.REJECTED)),
            )  # fmt: skip
            continue
        async with database.acquire() as connection, connection.transaction():
            decision = await save(connection, line)
        if decision is not None:
            await instructed.send(
                key=event.key, value=job.dumps(job.instruction(line, decision)),
                headers=dict(job.headers(line.contribution_id + ":allocation", job.ALLOCATED)),
            )  # fmt: skip


async def save(connection: Any, line: job.Contribution) -> job.Decision | None:
    """Record a line that was not seen before; None for one that was."""
    total = await connection.fetchval(  # Also locks the person's year: two of the eight must not use the same room.
        "INSERT INTO ytd AS y VALUES ($1, $2, 0) ON CONFLICT (participant_id, year)"
        " DO UPDATE SET elective_cents = y.elective_cents RETURNING elective_cents",
        line.participant_id, line.year,
    )  # fmt: skip
    decision = job.decide(line, total)
    new = await connection.fetchval(
        "INSERT INTO contribution VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING true",
        line.contribution_id, line.plan_id, line.participant_id, line.payroll_id,
        datetime.date.fromisoformat(line.pay_date), line.compensation_cents, decision.accepted_cents,
        decision.excess_cents,
    )  # fmt: skip
    if not new:
        return None
    await connection.executemany(
        "INSERT INTO posting (contribution_id, participant_id, source, account, side, cents)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        [(name, who, source, account, side.encode(), cents)
         for name, who, source, account, side, cents in job.postings(line, decision)],
    )  # fmt: skip
    if decision.elective_cents:
        await connection.execute(
            "UPDATE ytd SET elective_cents = elective_cents + $3 WHERE participant_id = $1 AND year = $2",
            line.participant_id, line.year, decision.elective_cents,
        )  # fmt: skip
    return decision


if __name__ == "__main__":
    app.main()

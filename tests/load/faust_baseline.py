"""What the engine is compared with: an ordinary Faust agent that does the first stage's job, one event at a time.

It reads a payroll line, finds out whether it was seen, writes the identity and the journal row in one PostgreSQL
transaction, and sends the receipt by ``topic.send``. It knows no plan, no participant and no law, so it does less than
the engine. Started by ``nestwork bench first-stage``; addresses come from the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import date
from typing import Any

import asyncpg
import faust
import orjson

from shared.events.envelope import event_headers
from shared.values.hashing import bucket_of
from shared.values.identity import body_hash, identity_of

LINES = int(os.environ.get("BASELINE_LINES", "5000"))
LINES_TOPIC, RECEIPTS_TOPIC = os.environ.get("BASELINE_TOPICS", "baseline.contributions,baseline.receipts").split(",")
TABLES = """
CREATE TABLE identities (bucket smallint, identity bytea, body_hash bytea, status text, accepted bigint,
                         PRIMARY KEY (bucket, identity));
CREATE TABLE journal (entry bigserial PRIMARY KEY, trade_date date NOT NULL, bucket smallint NOT NULL,
                      plan_id text NOT NULL, participant_id text NOT NULL, cause bytea NOT NULL,
                      payroll_id text NOT NULL, accounts text[] NOT NULL, amounts bigint[] NOT NULL,
                      compensation bigint NOT NULL, requested bigint NOT NULL)"""
FIND_IDENTITY = "SELECT body_hash, status, accepted FROM identities WHERE bucket = $1 AND identity = $2"
INSERT_IDENTITY = "INSERT INTO identities VALUES ($1, $2, $3, $4, $5)"
INSERT_ENTRY = """
INSERT INTO journal (trade_date, bucket, plan_id, participant_id, cause, payroll_id, accounts, amounts, compensation,
                     requested)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""

app = faust.App(
    f"nestwork-{LINES_TOPIC}",
    broker="kafka://" + os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
    datadir=os.environ.get("BASELINE_FOLDER", "."),
    key_serializer="raw",
    value_serializer="raw",
    web_enabled=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    topic_allow_declare=False,
)
lines = app.topic(LINES_TOPIC, key_type=bytes, value_type=bytes)
receipts = app.topic(RECEIPTS_TOPIC, key_type=bytes, value_type=bytes)


async def record(connection: Any, key: str, headers: dict[str, bytes], value: bytes) -> bytes:
    """One event: a transaction of its own, then the receipt's body."""
    body = orjson.loads(value)
    ce_id, ce_source = headers["ce_id"].decode(), headers["ce_source"].decode()
    bucket, identity, hashed = bucket_of(key), identity_of(key, ce_source, ce_id), body_hash(body)
    accepted = sum(amount["cents"] for amount in body["amounts"])
    async with connection.transaction():
        known = await connection.fetchrow(FIND_IDENTITY, bucket, identity)
        if known is None:
            await connection.execute(INSERT_IDENTITY, bucket, identity, hashed, "accepted", accepted)
            await connection.execute(
                INSERT_ENTRY, date.fromisoformat(body["pay_date"]), bucket, body["plan_id"], key, identity,
                body["payroll_id"], [*(amount["source"] for amount in body["amounts"]), "receivable"],
                [*(amount["cents"] for amount in body["amounts"]), -accepted], body["compensation_cents"], accepted,
            )  # fmt: skip
    status = "accepted" if known is None else "duplicate"
    return orjson.dumps(
        {"request": {"source": ce_source, "id": ce_id}, "payroll_id": body["payroll_id"], "status": status,
         "accepted_cents": accepted, "rejected_cents": 0, "credited": body["amounts"], "codes": []}
    )  # fmt: skip


@app.agent(lines, concurrency=1)
async def contribution(stream: Any) -> None:
    """Read for ever; after the last line say how fast it went and end."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute(TABLES)
    done, began = 0, time.perf_counter()
    async for event in stream.events():
        headers = dict(event.message.headers)
        answer = await record(connection, event.key.decode(), headers, event.value)
        told = event_headers(ce_id=f"{headers['ce_id'].decode()}:receipt", ce_source="/baseline", ce_type="receipt")
        await receipts.send(key=event.key, value=answer, headers=dict(told))
        done += 1
        if done == 1:
            began = time.perf_counter()
        if done == LINES:
            await report(connection, time.perf_counter() - began)


async def report(connection: Any, seconds: float) -> None:
    """Print the result for whoever started this, and stop the worker."""
    written = await connection.fetchval("SELECT count(*) FROM journal")
    rate = (LINES - 1) / seconds
    found = {
        "contributions": LINES,
        "seconds": round(seconds, 3),
        "contributions_per_s": round(rate, 1),
        "rows": written,
    }
    sys.__stdout__.write(orjson.dumps({"baseline": found}).decode() + "\n")
    sys.__stdout__.flush()
    await connection.close()
    await asyncio.sleep(0.5)  # The last receipts are on their way.
    os._exit(0)


if __name__ == "__main__":
    app.main()

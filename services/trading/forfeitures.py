"""What somebody forfeited: `python -m services.trading.forfeitures` reads a question, prints the dollars by source,
and the cents of payroll lines that they were.

The question is a JSON object on standard input with `plan_id` and `participant_id`. Nothing is written.
"""

from __future__ import annotations

import asyncio
import sys

import orjson

from services.trading import store_forfeitures
from shared.runtime.clients import connect


async def _main() -> int:
    asked = orjson.loads(sys.stdin.buffer.read())
    who = asked["plan_id"], asked["participant_id"]
    connection = await connect("nestwork_trading")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = await connection.fetch(store_forfeitures.OF_PARTICIPANT, *who)
            taken = await connection.fetchval(store_forfeitures.LEGS_OF_PARTICIPANT, *who)
    finally:
        await connection.close()
    waiting = taken - sum(row["cost"] for row in rows)
    said: dict[str, object] = {"cents": {row["source"]: row["cents"] for row in rows}, "cost_cents": taken}
    if waiting:
        said = {"error": f"{waiting} cents of what {who[1]} forfeited are not sold and confirmed yet"}
    sys.stdout.write(orjson.dumps(said).decode())
    return 1 if waiting else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))

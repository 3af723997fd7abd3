"""What the allocation books say about requests that wait."""

from __future__ import annotations

from shared.runtime.clients import Connection
from shared.runtime.exposition import Value
from shared.runtime.snapshot import suspense

HELD = "SELECT count(*) AS requests, min(recorded_at) AS oldest FROM held_requests"
REASON = "UNKNOWN_FUND"


async def snapshot(connection: Connection) -> list[Value]:
    """Requests that name a fund nobody has published; they carry no cents of their own."""
    row = await connection.fetchrow(HELD)
    return suspense(REASON, row["requests"], 0, row["oldest"])

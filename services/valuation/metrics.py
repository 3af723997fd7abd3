"""What the valuation books say about the proof: nothing else matters more."""

from __future__ import annotations

from typing import Any

import orjson

from shared.runtime import metrics
from shared.runtime.clients import Connection
from shared.runtime.exposition import Value
from shared.runtime.snapshot import seconds_of

LAST_PROOF = "SELECT status, equations FROM proofs ORDER BY trade_date DESC LIMIT 1"
PROOFS = """
SELECT count(*) FILTER (WHERE status = 'broken') AS broken, max(recorded_at) FILTER (WHERE status = 'proven') AS proven
FROM proofs"""


async def snapshot(connection: Connection) -> list[Value]:
    """By how much the last proof misses, and when a date was last proven."""
    last, proofs = await connection.fetchrow(LAST_PROOF), await connection.fetchrow(PROOFS)
    broken = {name: one for name, one in orjson.loads(last["equations"] if last else "{}").items() if not one["ok"]}
    return [
        (metrics.CONSERVATION_BREAKS, (), len(broken)),
        (metrics.CONSERVATION_ERROR, (), _missed(broken, "cents")),
        (metrics.CONSERVATION_UNITS, (), _missed(broken, "units")),
        (metrics.UNPROVEN_DATES, (), proofs["broken"]),
        (metrics.LAST_PROOF, (), seconds_of(proofs["proven"])),
    ]


def _missed(broken: dict[str, Any], unit: str) -> int:
    """By how much the equations in one unit miss, without signs, so that misses can't hide each other."""
    pairs = ((one["left"], one["right"]) for name, one in broken.items() if unit in name.split())
    return sum(abs(left - right) for left, right in pairs if isinstance(left, int) and isinstance(right, int))

"""The watcher's only statement: how far each lane and fact topic has come, as the services' databases say."""

from __future__ import annotations

from typing import Any

POSITIONS = """
SELECT topic, lane AS partition, next_offset FROM lane_inputs
UNION ALL SELECT topic, 0, next_offset FROM fact_topics"""


async def stored_positions(connection: Any) -> dict[tuple[str, int], int]:
    """(topic, partition) to the offset of the first record that is not decided."""
    return {(row["topic"], row["partition"]): row["next_offset"] for row in await connection.fetch(POSITIONS)}

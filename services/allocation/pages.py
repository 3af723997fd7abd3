"""Read-only pages: a participant's elections with their history."""

from __future__ import annotations

from typing import Any

import orjson

from shared.runtime.clients import Pool

SELECT_ELECTIONS = """
SELECT plan_id, version, received_for, effective_from, recorded_at, parts FROM elections WHERE participant_id = $1
ORDER BY plan_id, version"""


async def participant_elections(pool: Pool, request: Any) -> tuple[int, Any]:
    """Every election of a participant, oldest first."""
    rows = await pool.fetch(SELECT_ELECTIONS, request.match_info["participant_id"])
    found = [dict(row) | {"parts": orjson.loads(row["parts"])} for row in rows]
    return 200, {"participant_id": request.match_info["participant_id"], "elections": found}


PAGES = {"/v1/participants/{participant_id}/elections": participant_elections}

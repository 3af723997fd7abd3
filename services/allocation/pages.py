"""Read-only pages: a participant's elections with their history."""

from __future__ import annotations

from typing import Any

import orjson

from services.allocation import store
from shared.runtime.clients import Pool


async def participant_elections(pool: Pool, request: Any) -> tuple[int, Any]:
    """Every election of a participant, oldest first."""
    rows = await pool.fetch(store.ELECTIONS_OF, request.match_info["participant_id"])
    found = [dict(row) | {"parts": orjson.loads(row["parts"])} for row in rows]
    return 200, {"participant_id": request.match_info["participant_id"], "elections": found}


PAGES = {"/v1/participants/{participant_id}/elections": participant_elections}

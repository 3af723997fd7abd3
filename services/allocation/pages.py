"""Read-only pages: a participant's elections with their history."""

from __future__ import annotations

from typing import Any

import orjson

from services.allocation import store
from shared.runtime.clients import Pool
from shared.runtime.tokens import caller_in, leaves_out_other_plans


@leaves_out_other_plans
async def participant_elections(pool: Pool, request: Any) -> tuple[int, Any]:
    """Every election of a participant, oldest first."""
    rows = await pool.fetch(store.ELECTIONS_OF, request.match_info["participant_id"])
    sees = caller_in(request).sees
    found = [dict(row) | {"parts": orjson.loads(row["parts"])} for row in rows if sees(row["plan_id"])]
    return 200, {"participant_id": request.match_info["participant_id"], "elections": found}


PAGES = {"/v1/participants/{participant_id}/elections": participant_elections}

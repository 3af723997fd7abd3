"""Read-only page: how much of the employer's money is each participant's own."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import orjson

from services.contribution import store_vesting
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import plan_rules_of
from services.contribution.rules.vesting import vested_percent, vesting_service
from shared.runtime.clients import Pool

_person = msgspec.json.Decoder(Participant).decode


async def plan_vesting(pool: Pool, request: Any) -> tuple[int, Any]:
    """Years of vesting service and vested percents by source, of everybody in a plan, by the facts of a date.

    Of what is left after a forfeiture more is vested than the percent: P x (AB + F) of a balance AB, at most all of it,
    where F is ``forfeited_cents`` (those of payroll lines, since the last restoration).
    """
    plan_id = request.match_info["plan_id"]
    try:
        day = date.fromisoformat(request.query.get("as_of", ""))
    except ValueError:
        return 400, {"code": "invalid_date", "detail": "as_of must be an ISO date."}
    body = await pool.fetchval(store_vesting.PLAN_ON, plan_id, day)
    if body is None:
        return 404, {"code": "unknown_plan", "detail": f"No facts of this plan govern {day}."}
    plan = plan_rules_of(plan_id, orjson.loads(body))
    sources = sorted(plan.sources | plan.vesting.schedules.keys())  # Money of a source no longer taken is still there.
    forfeited = await _forfeited(pool, plan_id, day)
    participants = []
    for row in await pool.fetch(store_vesting.PEOPLE_ON, plan_id, day):
        person = _person(row["person"])
        years = vesting_service(person, day)
        percents = {source: vested_percent(plan.vesting, source, person, day) for source in sources}
        one = {"participant_id": row["participant_id"], "years": years, "percents": percents}
        if row["participant_id"] in forfeited:
            one["forfeited_cents"] = forfeited[row["participant_id"]]
        participants.append(one)
    return 200, {"plan_id": plan_id, "as_of": day.isoformat(), "participants": participants}


async def _forfeited(pool: Pool, plan_id: str, day: date) -> dict[str, dict[str, int]]:
    """Cents by participant and source that were forfeited and not restored since."""
    rows = await pool.fetch(store_vesting.FORFEITED_ON, plan_id, day)
    if not rows:
        return {}
    people = sorted({row["participant_id"] for row in rows})
    restored = {row["participant_id"]: row["entry"]
                for row in await pool.fetch(store_vesting.RESTORED_ON, plan_id, day, people)}  # fmt: skip
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["entry"] > restored.get(row["participant_id"], 0):
            of_person = found.setdefault(row["participant_id"], {})
            of_person[row["source"]] = of_person.get(row["source"], 0) + row["cents"]
    return found

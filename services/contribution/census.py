"""What plan administration says about participants, kept with its history; it may free lines that waited for it."""

from __future__ import annotations

import msgspec
import orjson

from services.contribution import store
from services.contribution.holding import free_held
from services.contribution.rules.participant import participant_of_census
from shared.events.census import Census
from shared.runtime.copying import copy_rows
from shared.runtime.records import PublicRecord
from shared.runtime.work import Work
from shared.values.hashing import bucket_of
from shared.values.trading_days import day_after


async def note_census(work: Work, items: list[PublicRecord]) -> None:
    """Keep each participant's facts with their history, then free the lines that waited for them."""
    asked = [(item.body["participant_id"], item.body["plan_id"]) for item in items]
    known = await store.find_census(work.connection, asked)
    rows = []
    for item, pair in zip(items, asked, strict=True):
        work.count(item.lane, item.topic, item.trade_date, "decided")
        body = Census.model_validate(item.body).model_dump(mode="json")
        before = known.get(pair)
        if before is not None and before[1] == body:
            continue
        person = participant_of_census(body, before[2] if before else None)
        version = before[0] + 1 if before else 1
        effective = item.trade_date if before is None else day_after(item.trade_date)
        known[pair] = (version, body, person)
        rows.append(
            (*pair, version, bucket_of(pair[0]), item.lane, item.trade_date, effective,
             work.at(item.lane, item.recorded_at), orjson.dumps(body).decode(), msgspec.json.encode(person).decode())
        )  # fmt: skip
    await copy_rows(work.connection, "participants", store.PARTICIPANT_COLUMNS, rows)
    for lane in sorted({item.lane for item in items}):
        await free_held(work, lane, people={item.key for item in items if item.lane == lane})

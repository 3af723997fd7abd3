"""Load, decide, save: fills become positions."""

from __future__ import annotations

from datetime import date
from itertools import repeat
from typing import Any

import orjson
from asyncpg.pgproto.pgproto import UUID

from services.valuation import store
from services.valuation.items import FilledItem
from services.valuation.rules.positions import Holdings, apply_legs, check, holding_key
from shared.runtime.copying import copy_rows
from shared.runtime.work import Work
from shared.values.hashing import bucket_of
from shared.values.identity import identity_of

RULE_SET = "2026.1"
Place = tuple[int, str, str]


async def post_fills(work: Work, items: list[FilledItem]) -> None:
    """Post each fill's legs to the participants' holdings, once per participant and batch."""
    buckets: dict[Place, int] = {}
    entries, sales = [], []
    for item in items:
        fill = item.fill
        places = zip(repeat(item.lane), repeat(fill.plan_id), fill.participants, strict=False)
        buckets.update(zip(places, fill.buckets, strict=True))
        if fill.proceeds is None:
            entries.append(_entry(work, item))
        else:
            sales.append(_sale(work, item))
    held = await _load(work, list(buckets))
    for place in buckets:
        held.setdefault(place, {})
    for item in items:
        fill = item.fill
        keys = {source: holding_key(source, fill.fund_id) for source in set(fill.sources)}
        theirs = [held[item.lane, fill.plan_id, who] for who in fill.participants]
        apply_legs(theirs, map(keys.__getitem__, fill.sources), fill.units, fill.cents)
    for holdings in held.values():
        check(holdings)
    await _save(work, held, buckets)
    await copy_rows(work.connection, "journal", store.JOURNAL_COLUMNS, entries)
    await copy_rows(work.connection, "journal", store.SALE_COLUMNS, sales)


async def _load(work: Work, places: list[Place]) -> dict[Place, Holdings]:
    rows = await work.connection.fetch(
        store.FIND_POSITIONS, [p[0] for p in places], [p[1] for p in places], [p[2] for p in places]
    )
    return {(row[0], row[1], row[2]): orjson.loads(row[3]) for row in rows}


async def _save(work: Work, held: dict[Place, Holdings], buckets: dict[Place, int]) -> None:
    places = sorted(held)
    await work.connection.execute(
        store.SAVE_POSITIONS,
        [p[0] for p in places],
        [p[1] for p in places],
        [p[2] for p in places],
        [buckets[p] for p in places],
        [orjson.dumps(held[p], option=orjson.OPT_SORT_KEYS).decode() for p in places],
    )


def _entry(work: Work, item: FilledItem) -> tuple[Any, ...]:
    fill = item.fill
    kind = "fill_reversed" if fill.reversal else "fill"
    return (
        item.trade_date, item.lane, work.next_entry(item.lane), work.at(item.lane, item.recorded_at), kind,
        bucket_of(fill.plan_id), fill.plan_id, UUID(identity_of(fill.order_id, kind, str(fill.version))), RULE_SET,
        [*fill.cents, -sum(fill.cents)], fill.sources, fill.participants, fill.fund_id,
        [*fill.units, -sum(fill.units)], fill.order_id, fill.version, date.fromisoformat(fill.trade_date), fill.price,
    )  # fmt: skip


def _sale(work: Work, item: FilledItem) -> tuple[Any, ...]:
    """Sold shares: the cost leaves the positions, the dollars are the plan's; what the market made of it is between."""
    fill = item.fill
    kind = "write_off" if not fill.version else "fill_reversed" if fill.reversal else "fill"
    accounts = [f"{who}/{source}" for who, source in zip(fill.participants, fill.sources, strict=True)]
    cost, proceeds = sum(fill.cents), sum(fill.proceeds or ())
    return (
        item.trade_date, item.lane, work.next_entry(item.lane), work.at(item.lane, item.recorded_at), kind,
        bucket_of(fill.plan_id), fill.plan_id, UUID(identity_of(fill.order_id, kind, str(fill.version))), RULE_SET,
        [*fill.cents, -cost - proceeds, proceeds], fill.sources, fill.participants, fill.fund_id,
        [*fill.units, 0, -sum(fill.units)], fill.order_id, fill.version, date.fromisoformat(fill.trade_date),
        fill.price, [*accounts, "market", "custodian"], fill.proceeds,
    )  # fmt: skip

"""The cut: each lane packs its legs, the builder makes one order per plan, fund and side, their lanes say them."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson

from services.trading import sales, store, store_reversals
from services.trading.rules.orders import BUY, CENTS, SHARES, order_id_of
from shared.events.topics import CUSTODIAN_ORDERS, FUNDS, TRADES_INSTRUCTED
from shared.runtime.copying import copy_rows
from shared.runtime.definition import Progress
from shared.runtime.work import Task, Work
from shared.values.hashing import bucket_of
from shared.values.shares import shares_text

LINES_PER_SLICE = 8_000
ORDERS_PER_SLICE = 1_000
ORDER = "nestwork.custodian.order.v1"


async def pack_legs(work: Work, lane: int, day: date) -> bool:
    """Pack the legs of a few plans: all cents of one (participant, source) in an order are one leg.

    Returns true when no plan is left.
    """
    connection = work.connection
    packed = {row["plan_id"] for row in await connection.fetch(store.PLANS_PACKED, day, lane)}
    plans: list[str] = []
    lines = 0
    waiting = [row for row in await connection.fetch(store.PLANS_TO_PACK, day, lane) if row["plan_id"] not in packed]
    for row in waiting:
        if plans and lines + row["lines"] > LINES_PER_SLICE:
            break
        plans.append(row["plan_id"])
        lines += row["lines"]
    if plans:
        rows = await connection.fetch(store.LINES_TO_PACK, day, lane, plans)
        await copy_rows(connection, "order_legs", store.LEG_COLUMNS, _packs(day, lane, rows))
    return len(plans) == len(waiting)


def _packs(day: date, lane: int, rows: list[Any]) -> list[tuple[Any, ...]]:
    legs: dict[str, dict[str, dict[tuple[str, str], int]]] = {}
    buckets: dict[str, int] = {}
    for plan, participant, bucket, accounts, sources, cents in rows:
        buckets[participant] = bucket
        funds = legs.setdefault(plan, {})
        for fund in accounts[:-1]:
            if fund not in funds:
                funds[fund] = {}
        packs = [funds[fund] for fund in accounts[:-1]]
        amounts = iter(cents)
        for source in sources:
            key = (participant, source)
            for pack, amount in zip(packs, amounts, strict=False):
                if amount:
                    pack[key] = pack.get(key, 0) + amount
    return [
        _pack(day, lane, plan, fund, pack, buckets)
        for plan, funds in sorted(legs.items())
        for fund, pack in sorted(funds.items())
        if pack
    ]


def _pack(
    day: date, lane: int, plan: str, fund: str, pack: dict[tuple[str, str], int], buckets: dict[str, int]
) -> tuple[Any, ...]:
    keys = sorted(pack)
    people = [key[0] for key in keys]
    return (
        day, lane, plan, fund, BUY, order_id_of(plan, fund, BUY, CENTS, day, 0), day, sum(pack.values()), people,
        [buckets[who] for who in people], [key[1] for key in keys], [pack[key] for key in keys],
    )  # fmt: skip


async def build_orders(work: Work, day: date) -> Progress:
    """Wave 0 of ``day``: new legs and those of orders the custodian rejected before this cut.

    Legs that cancel each other out, and shares too few to sell, make no order.
    """
    connection = work.connection
    rejected = await connection.fetch(store.REJECTED_ORDERS)
    if rejected:
        before = [row["order_id"] for row in rejected]
        following = [order_id_of(row["plan_id"], row["fund_id"], row["side"], row["unit"], day, 0) for row in rejected]
        await connection.execute(store.CARRY_LEGS, day, before, following)
        await connection.execute(store.MARK_CARRIED, day, before)
    rows = await connection.fetch(store.ORDER_TOTALS, day)
    if rows:
        ids, lanes = [row["order_id"] for row in rows], [bucket_of(row["order_id"]) % work.partitions for row in rows]
        columns = [[row[name] for row in rows] for name in ("plan_id", "fund_id", "side", "total")]
        await connection.execute(store.INSERT_ORDERS, ids, day, *columns, lanes, work.now(0))
        for lane in sorted(set(lanes)):
            work.add_task(lane, "day", day, "say_orders", {}, work.now(0))
    await sales.settle_without_order(work, day)
    return Progress.DONE


async def say_orders(work: Work, task: Task) -> str | None:
    """Publish one slice of this lane's orders; the position is the last order id."""
    rows = await work.connection.fetch(
        store.ORDERS_TO_SAY, task.trade_date, task.lane, task.position or "", ORDERS_PER_SLICE
    )
    for row in rows:
        body = {
            "order_id": row["order_id"],
            "plan_id": row["plan_id"],
            "fund_id": row["fund_id"],
            "trade_date": task.trade_date.isoformat(),
            "side": row["side"],
            "wave": row["wave"],
        } | _amount(work, task.trade_date, row)
        work.emit(
            task.lane, CUSTODIAN_ORDERS.name, key=row["order_id"].encode(), ce_type=ORDER, ce_id=row["order_id"],
            value=orjson.dumps(body), recorded_at=task.recorded_at,
        )  # fmt: skip
    return rows[-1]["order_id"] if len(rows) == ORDERS_PER_SLICE else None


def _amount(work: Work, day: date, row: Any) -> dict[str, Any]:
    if row["unit"] != SHARES:
        return {"cents": row["amount"]}
    fund = work.facts.need(FUNDS.name, row["fund_id"], day)
    return {"shares": shares_text(row["amount"], fund["share_decimals"])}


async def close_cut(work: Work, lane: int, day: date) -> dict[str, Any]:
    """What the lane was instructed and what it packed into legs; the builder's lane adds the orders."""
    totals = dict(await work.connection.fetchrow(store.LANE_INSTRUCTED, day, lane))
    totals["parked_cents"] = await work.connection.fetchval(store.LANE_PARKED, lane, day, TRADES_INSTRUCTED.name)
    totals["leg_cents"] = await work.connection.fetchval(store.LANE_LEGS, day, lane)
    totals |= dict(await work.connection.fetchrow(store_reversals.LANE_REVERSALS, day, lane))
    totals["parked_reversed_cents"] = await work.connection.fetchval(
        store_reversals.LANE_PARKED_REVERSALS, lane, day, TRADES_INSTRUCTED.name
    )
    if lane == 0:
        totals |= dict(await work.connection.fetchrow(store.DAY_ORDERS, day))
        totals |= dict(await work.connection.fetchrow(store_reversals.SELL_UNITS, day))
        totals["carried_leg_cents"] = await work.connection.fetchval(store.CENTS_CARRIED, day)
        totals["ordered_leg_cents"] = await work.connection.fetchval(store.LEGS_ORDERED, day)
    return totals

"""Reversals after the trade, second half: confirmed sells leave the positions, their dollars are the plan's cash."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import msgspec
from asyncpg.pgproto.pgproto import UUID

from services.trading import store_forfeitures, store_reversals
from services.trading.fill_records import mirror, say_fills
from services.trading.forfeiting import Account, forfeited_by_order
from services.trading.handlers import RULE_SET
from services.trading.items import ConfirmedOrder
from services.trading.rules.orders import SELL
from services.trading.rules.unwinding import SaleOutcome, sale_outcome
from shared.events.packed import Fill
from shared.events.topics import FUNDS
from shared.runtime.copying import copy_rows
from shared.runtime.work import Task, Work
from shared.values.hashing import bucket_of
from shared.values.identity import identity_of
from shared.values.invariants import invariant
from shared.values.split import RankCut, rank_cut, shares_by_cut, split_largest_remainder

SALES_PER_SLICE = 250
NO_VERSION = 0
"""Of what is written off: no order was made, so nothing was confirmed."""


class SellLeg(NamedTuple):
    """What one (participant, source) sells: units, and the cents they had cost."""

    units: int = 0
    cost: int = 0
    bucket: int = 0


SellLegs = dict[tuple[str, str], SellLeg]
"""By (participant, source)."""


def _merged(rows: list[Any]) -> dict[str, dict[int, SellLegs]]:
    """Legs by order and lane; a carried pack may name a (participant, source) that is there already."""
    by_order: dict[str, dict[int, SellLegs]] = {}
    for row in rows:
        legs = by_order.setdefault(row["order_id"], {}).setdefault(row["lane"], {})
        for participant, bucket, source, cost, units in zip(
            row["participants"], row["buckets"], row["sources"], row["cents"], row["units"], strict=True
        ):
            before = legs.get((participant, source), SellLeg())
            legs[participant, source] = SellLeg(before.units + units, before.cost + cost, bucket)
    return by_order


async def share_out_sales(work: Work, accepted: list[tuple[Any, int | None]], book_date: date) -> None:
    """Rank each confirmed sell's legs by their shares once; ask lanes to post their part, and plans' lanes the cash."""
    if not accepted:
        return
    by_order = _merged(
        await work.connection.fetch(store_reversals.SELL_LEGS_OF, [row["order_id"] for row, _ in accepted])
    )
    before = await _cents_before(work, accepted)
    forfeited = await forfeited_by_order(work, list(by_order))
    account = Account(book_date)
    posts: dict[int, list[Any]] = {}
    cash: dict[int, list[Any]] = {}
    for row, reverses in accepted:
        lanes = by_order[row["order_id"]]
        legs = {key: leg for of_lane in lanes.values() for key, leg in of_lane.items()}
        keys = sorted(legs)
        units, costs = [legs[key].units for key in keys], [legs[key].cost for key in keys]
        invariant(sum(units) == row["amount"], f"the legs of {row['order_id']} are its amount")
        order = ConfirmedOrder(
            row["order_id"], row["version"], reverses, row["plan_id"], row["fund_id"], row["side"], row["trade_date"],
            row["price"], row["units"], row["cents"], rank_cut(row["cents"], units, keys).as_json(),
        )  # fmt: skip
        for lane in lanes:
            posts.setdefault(lane, []).append(msgspec.to_builtins(order))
        of_plan = cash.setdefault(bucket_of(row["plan_id"]) % work.partitions, [])
        undone = before.get((row["order_id"], reverses), 0)
        for version, cents, sign in ((reverses, undone, -1), (row["version"], row["cents"], 1)):
            if version is not None:
                proceeds = split_largest_remainder(cents, units)
                outcome = sale_outcome(zip(costs, proceeds, strict=True))
                of_plan.append(_posting(row["plan_id"], row["order_id"], version, outcome if sign > 0 else -outcome))
                sold = zip(keys, costs, proceeds, strict=True)
                account.add(row["plan_id"], row["order_id"], version, sold, forfeited.get(row["order_id"], {}), sign)
    _ask(work, book_date, "fill_sales", posts)
    _ask(work, book_date, "post_plan_cash", cash)
    await account.write(work)


def _ask(work: Work, day: date, kind: str, by_lane: dict[int, list[Any]], cycle: str = "value") -> None:
    for lane, bodies in sorted(by_lane.items()):
        for start in range(0, len(bodies), SALES_PER_SLICE):
            work.add_task(lane, cycle, day, kind, bodies[start : start + SALES_PER_SLICE], work.now(0))


async def _cents_before(work: Work, accepted: list[tuple[Any, int | None]]) -> dict[tuple[str, int | None], int]:
    """The confirmed dollars of the versions that are corrected, by order and version: one round may correct twice."""
    corrected = [(row["order_id"], reverses) for row, reverses in accepted if reverses is not None]
    if not corrected:
        return {}
    columns = map(list, zip(*corrected, strict=True))
    rows = await work.connection.fetch(store_reversals.CENTS_OF_VERSIONS, *columns)
    return {(row["order_id"], row["version"]): row["cents"] for row in rows}


async def post_sales(work: Work, task: Task) -> None:
    """Post this lane's part of some confirmed sells, and send them on to valuation."""
    orders = msgspec.convert(task.body, list[ConfirmedOrder])
    rows = await work.connection.fetch(
        store_reversals.SELL_LEGS_IN_LANE, [order.order_id for order in orders], task.lane
    )
    by_order = _merged(rows)
    fills: list[Fill] = []
    for order in orders:
        legs = by_order[order.order_id][task.lane]
        decimals = work.facts.need(FUNDS.name, order.fund_id, order.trade_date)["share_decimals"]
        if order.reverses is not None:
            fills.append(await _reversed(work, task, order, decimals, legs, fills))
        keys = sorted(legs)
        units = [legs[key].units for key in keys]
        proceeds = shares_by_cut(order.amount, order.units, units, keys, RankCut.from_json(order.cut))
        fills.append(_sale(order, legs, decimals, proceeds))
    await _post(work, task, fills)


async def _reversed(
    work: Work, task: Task, order: ConfirmedOrder, decimals: int, legs: SellLegs, new: list[Fill]
) -> Fill:
    """The mirror of the version that this one corrects: made in this very slice, or posted before."""
    for fill in new:
        if (fill.order_id, fill.version, fill.reversal) == (order.order_id, order.reverses, False):
            return mirror(fill)
    posted = await work.connection.fetchrow(store_reversals.SALE_ENTRY, order.order_id, order.reverses, task.lane)
    invariant(posted is not None, f"version {order.reverses} of {order.order_id} was posted before it is corrected")
    known = msgspec.structs.replace(order, version=posted["version"], price=posted["price"])
    return mirror(_sale(known, legs, decimals, posted["proceeds"]))


def _sale(order: ConfirmedOrder, legs: SellLegs, decimals: int, proceeds: list[int]) -> Fill:
    keys = sorted(legs)
    return Fill(
        order.order_id, order.version, order.plan_id, order.fund_id, SELL, order.trade_date.isoformat(), order.price,
        decimals, [key[0] for key in keys], [legs[key].bucket for key in keys], [key[1] for key in keys],
        [-legs[key].cost for key in keys], [-legs[key].units for key in keys], proceeds=proceeds,
    )  # fmt: skip


async def _post(work: Work, task: Task, fills: list[Fill]) -> None:
    await copy_rows(
        work.connection, "journal", store_reversals.SALE_COLUMNS, [_entry(work, task, one) for one in fills]
    )
    say_fills(work, task, fills)


def _entry(work: Work, task: Task, fill: Fill) -> tuple[Any, ...]:
    """The cost leaves the positions, the dollars come from the custodian; what the market made of it is between."""
    kind = "write_off" if fill.version == NO_VERSION else "fill_reversed" if fill.reversal else "fill"
    accounts = [f"{who}/{source}" for who, source in zip(fill.participants, fill.sources, strict=True)]
    cost, proceeds, units = sum(fill.cents), sum(fill.proceeds or ()), sum(fill.units)
    return (
        task.trade_date, task.lane, work.next_entry(task.lane), task.recorded_at, kind, bucket_of(fill.plan_id),
        fill.plan_id, None, UUID(identity_of(fill.order_id, kind, str(fill.version))), RULE_SET, None,
        [*accounts, "market", "custodian"], [*fill.cents, -cost - proceeds, proceeds], fill.participants, fill.sources,
        [*fill.units, 0, -units], fill.order_id, fill.version, date.fromisoformat(fill.trade_date), fill.proceeds,
    )  # fmt: skip


# -- plan cash -------------------------------------------------------------------------------------------------------


def _posting(plan_id: str, order_id: str, version: int, outcome: SaleOutcome) -> list[Any]:
    return [plan_id, order_id, version, *outcome]


async def settle_without_order(work: Work, day: date) -> None:
    """Ask for what needs no custodian: dollars of rejected orders that are cancelled, legs without a share to sell."""
    cash: dict[int, list[Any]] = {}
    for row in await work.connection.fetch(store_reversals.CANCELLED_ON, day):
        name = f"{day.isoformat()}/{row['plan_id']}/{row['fund_id']}/cancelled"
        of_plan = cash.setdefault(bucket_of(row["plan_id"]) % work.partitions, [])
        outcome = SaleOutcome(cost=row["cents"], returnable=row["cents"])
        of_plan.append(_posting(row["plan_id"], name, NO_VERSION, outcome))
    _ask(work, day, "post_plan_cash", cash, "day")
    await _forfeit_cancelled(work, day)
    losses: dict[tuple[str, str], int] = {}
    lanes: dict[int, list[Any]] = {}
    for row in await work.connection.fetch(store_reversals.SELLS_OF_NOTHING, day):
        place = (row["plan_id"], row["order_id"])
        losses[place] = losses.get(place, 0) + row["cost"]
        lanes.setdefault(row["lane"], []).append([row["order_id"], row["plan_id"], row["fund_id"]])
    _ask(work, day, "write_off", lanes)
    lost: dict[int, list[Any]] = {}
    for (plan_id, order_id), cents in losses.items():
        of_plan = lost.setdefault(bucket_of(plan_id) % work.partitions, [])
        of_plan.append(_posting(plan_id, order_id, NO_VERSION, SaleOutcome(cost=cents, loss=cents)))
    _ask(work, day, "post_plan_cash", lost)
    account = Account(day)
    plan_of = {order_id: plan_id for plan_id, order_id in losses}
    for order_id, forfeited in (await forfeited_by_order(work, list(plan_of))).items():
        account.add(plan_of[order_id], order_id, NO_VERSION, [(key, c, 0) for key, c in forfeited.items()], forfeited)
    await account.write(work)


async def _forfeit_cancelled(work: Work, day: date) -> None:
    """Dollars of rejected orders that were forfeited before they bought anything."""
    account = Account(day, "day")
    for row in await work.connection.fetch(store_forfeitures.CANCELLED_ON, day):
        name = f"{day.isoformat()}/{row['plan_id']}/{row['fund_id']}/{row['participant_id']}/{row['source']}/forfeited"
        key = (row["participant_id"], row["source"])
        account.add(row["plan_id"], name, NO_VERSION, [(key, row["cents"], row["cents"])], {key: row["cents"]})
    await account.write(work)


async def write_off(work: Work, task: Task) -> None:
    """Take the cost of reversed legs that never had a share to sell out of the positions."""
    rows = await work.connection.fetch(
        store_reversals.SELL_LEGS_IN_LANE, [order_id for order_id, _, _ in task.body], task.lane
    )
    by_order = _merged(rows)
    fills = []
    for order_id, plan_id, fund_id in task.body:
        legs = by_order[order_id][task.lane]
        decimals = work.facts.need(FUNDS.name, fund_id, task.trade_date)["share_decimals"]
        order = ConfirmedOrder(order_id, NO_VERSION, None, plan_id, fund_id, SELL, task.trade_date, "0", 0, 0, [])
        fills.append(_sale(order, legs, decimals, [0] * len(legs)))
    await _post(work, task, fills)

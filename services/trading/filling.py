"""Confirmations become fills: the builder judges each and fixes the cut of the ranking, the lanes share out and say."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple
from datetime import date
from typing import Any

import msgspec
from asyncpg.pgproto.pgproto import UUID

from services.trading import store, store_reversals
from services.trading.fill_records import mirror, say_fills
from services.trading.handlers import RULE_SET
from services.trading.items import ConfirmedOrder
from services.trading.rules.confirmations import Confirmed, judge
from services.trading.rules.judging import Checked, OrderState, follow, within
from services.trading.rules.legs import LegKeys, Legs, merged
from services.trading.rules.orders import BUY, CONFIRMED, SELL
from services.trading.sales import share_out_sales
from shared.events.packed import Fill
from shared.events.topics import FUNDS
from shared.runtime.beats import stated_before
from shared.runtime.copying import copy_rows
from shared.runtime.definition import Progress
from shared.runtime.work import Task, Work
from shared.values.hashing import bucket_of
from shared.values.identity import identity_of
from shared.values.invariants import invariant
from shared.values.shares import Price
from shared.values.split import RankCut, rank_cut, shares_by_cut
from shared.values.trading_days import GENESIS, day_after

JUDGED_PER_ROUND = 1_000
LEGS_PER_ROUND = 250_000
"""One order of a large plan may have as many legs as a thousand others."""
FILLS_PER_SLICE = 250


async def judge_confirmations(work: Work) -> bool:
    """Judge what can be judged for the value date that is open now; true when anything was."""
    book_date = await work.connection.fetchval(store.UNDECIDED_CUT)
    if book_date is None:
        return False
    last = await work.connection.fetchval(store.LAST_VALUED)
    return await _judge(work, day_after(last) if last else GENESIS, book_date)


async def _judge(work: Work, limit: date, book_date: date) -> bool:
    """One round: judge each confirmation on the order as the one before left it, and save what came of it."""
    rows = await _to_judge(work, limit)
    if not rows:
        return False
    verdicts: list[tuple[str, int, str]] = []
    changed: dict[str, OrderState] = {}
    heard: dict[str, int] = {}
    accepted: list[tuple[Any, int | None]] = []
    sold_since = await _sold_since(work, rows)
    for row in rows:
        order_id = row["order_id"]
        order = changed.get(order_id) or OrderState(order_id, row["order_status"], version=row["order_version"])
        newest = heard.get(order_id, row["heard_version"])
        step = follow(order, _check(work, row, sold_since), book_date, newest)
        verdicts.append((order_id, row["version"], step.verdict))
        if not step.is_refused:
            changed[order_id] = step.after
            heard[order_id] = newest if step.verdict == "pending" else row["version"]
        if step.is_accepted:
            accepted.append((row, step.reverses))
    await work.connection.execute(store.SAVE_VERDICTS, *map(list, zip(*verdicts, strict=True)))
    if changed:
        states = map(astuple, changed.values())
        await work.connection.execute(store.SAVE_STATUSES, *map(list, zip(*states, strict=True)))
    if accepted:
        names = [(row["order_id"], row["version"], reverses) for row, reverses in accepted]
        await work.connection.execute(store.ADD_FUND_UNITS, *map(list, zip(*names, strict=True)))
    await _share_out(work, [one for one in accepted if one[0]["side"] == BUY], book_date)
    await share_out_sales(work, [one for one in accepted if one[0]["side"] == SELL], book_date)
    return True


async def _to_judge(work: Work, limit: date) -> list[Any]:
    """The confirmations of one round, bounded by themselves and by the legs they are shared out over."""
    rows: list[Any] = await work.connection.fetch(store.TO_JUDGE, limit, JUDGED_PER_ROUND)
    with_figures = [row["order_id"] for row in rows if row["status"] not in ("pending", "rejected")]
    if not with_figures:
        return rows
    counted = await work.connection.fetch(store.LEGS_COUNTED, with_figures)
    legs = {row["order_id"]: row["legs"] for row in counted}
    return rows[: within([legs.get(row["order_id"], 0) for row in rows], LEGS_PER_ROUND)]


async def _sold_since(work: Work, rows: list[Any]) -> frozenset[str]:
    """Those filled orders that are corrected now and whose shares a reversal has sold in between."""
    corrected = [row["order_id"] for row in rows if row["status"] == "corrected" and row["order_status"] == CONFIRMED]
    if not corrected:
        return frozenset()
    found = await work.connection.fetch(store_reversals.SOLD_SINCE, corrected)
    return frozenset(row["bought_by"] for row in found)


def _check(work: Work, row: Any, sold_since: frozenset[str]) -> Checked:
    """Compare a confirmation's figures with its order and the date's final price."""
    if row["status"] in ("pending", "rejected"):
        code = "ORDER_REJECTED" if row["status"] == "rejected" else None
        return Checked(row["order_id"], row["version"], row["status"], row["status"], code)
    fund = work.facts.need(FUNDS.name, row["fund_id"], row["trade_date"])
    figures = Confirmed(row["units"], row["cents"], Price.parse(row["price"]))
    code = judge(row["unit"], row["amount"], figures, Price.parse(row["final_price"]), fund["share_decimals"])
    if code is None and row["order_id"] in sold_since:
        code = "SOLD_SINCE"
    return Checked(
        row["order_id"], row["version"], row["status"], "confirmed" if code is None else "broken", code, row["price"],
        row["cents"], row["units"],
    )  # fmt: skip


async def _share_out(work: Work, accepted: list[tuple[Any, int | None]], book_date: date) -> None:
    """Fix the cut of each order's ranking over all its legs, and ask each lane with legs to post its share."""
    if not accepted:
        return
    packs: dict[str, dict[int, list[Any]]] = {}
    for row in await work.connection.fetch(store.LEGS_OF, [row["order_id"] for row, _ in accepted]):
        packs.setdefault(row["order_id"], {}).setdefault(row["lane"], []).append(row)
    posts: dict[int, list[Any]] = {}
    for row, reverses in accepted:
        lanes = {lane: merged(parts) for lane, parts in packs[row["order_id"]].items()}
        order = msgspec.to_builtins(_confirmed_order(row, reverses, list(lanes.values())))
        for lane in (lane for lane, legs in lanes.items() if legs.cents):
            posts.setdefault(lane, []).append(order)
    for lane, orders in sorted(posts.items()):
        for start in range(0, len(orders), FILLS_PER_SLICE):
            work.add_task(lane, "value", book_date, "fill", orders[start : start + FILLS_PER_SLICE], work.now(0))


def _confirmed_order(row: Any, reverses: int | None, lanes: list[Legs]) -> ConfirmedOrder:
    keys = LegKeys((legs.participants, legs.sources) for legs in lanes)
    cents = [one for legs in lanes for one in legs.cents]
    invariant(sum(cents) == row["amount"], f"the legs of {row['order_id']} are its amount")
    return ConfirmedOrder(
        row["order_id"], row["version"], reverses, row["plan_id"], row["fund_id"], row["side"], row["trade_date"],
        row["price"], row["units"], row["amount"], rank_cut(row["units"], cents, keys).as_json(),
    )  # fmt: skip


async def post_fills(work: Work, task: Task) -> None:
    """Post this lane's share of some confirmed orders, and send them on to valuation."""
    orders = msgspec.convert(task.body, list[ConfirmedOrder])
    packs: dict[str, list[Any]] = {}
    for row in await work.connection.fetch(store.LEGS_IN_LANE, [order.order_id for order in orders], task.lane):
        packs.setdefault(row["order_id"], []).append(row)
    fills: list[Fill] = []
    entries: list[tuple[Any, ...]] = []
    for order in orders:
        legs = merged(packs[order.order_id])
        decimals = work.facts.need(FUNDS.name, order.fund_id, order.trade_date)["share_decimals"]
        if order.reverses is not None:
            fills.append(await _reversed(work, task, order, decimals, legs, fills))
            entries.append(_entry(work, task, fills[-1], "fill_reversed"))
        fills.append(_fill(order, legs, decimals))
        entries.append(_entry(work, task, fills[-1], "fill"))
    await copy_rows(work.connection, "journal", store.JOURNAL_COLUMNS, entries)
    say_fills(work, task, fills)


def _fill(order: ConfirmedOrder, legs: Legs, decimals: int) -> Fill:
    shares = shares_by_cut(order.units, order.amount, legs.cents, legs.keys, RankCut.from_json(order.cut))
    return Fill(
        order.order_id, order.version, order.plan_id, order.fund_id, order.side, order.trade_date.isoformat(),
        order.price, decimals, legs.participants, legs.buckets, legs.sources, legs.cents, shares,
    )  # fmt: skip


async def _reversed(work: Work, task: Task, order: ConfirmedOrder, decimals: int, legs: Legs, new: list[Fill]) -> Fill:
    """The mirror of the fill of the version that this one corrects: made in this very slice, or posted before."""
    for fill in new:
        if (fill.order_id, fill.version, fill.reversal) == (order.order_id, order.reverses, False):
            return mirror(fill)
    posted = await work.connection.fetchrow(store.FILL_ENTRY, order.order_id, order.reverses, task.lane)
    invariant(posted is not None, f"version {order.reverses} of {order.order_id} was posted before it is corrected")
    fill = Fill(
        order.order_id, posted["version"], order.plan_id, order.fund_id, order.side, order.trade_date.isoformat(),
        posted["price"], decimals, legs.participants, legs.buckets, legs.sources, posted["amounts"][:-1],
        posted["units"][:-1],
    )  # fmt: skip
    return mirror(fill)


def _entry(work: Work, task: Task, fill: Fill, kind: str) -> tuple[Any, ...]:
    cents, units = sum(fill.cents), sum(fill.units)
    return (
        task.trade_date, task.lane, work.next_entry(task.lane), task.recorded_at, kind, bucket_of(fill.plan_id),
        fill.plan_id, None, UUID(identity_of(fill.order_id, kind, str(fill.version))), RULE_SET, None,
        None, [*fill.cents, -cents], fill.participants, fill.sources, None, [*fill.units, -units], fill.order_id,
        fill.version, date.fromisoformat(fill.trade_date),
    )  # fmt: skip


async def decide_value(work: Work, day: date) -> Progress:
    """The value cut of ``day``, once all that stands below it is judged, round by round; the rest stays in flight.

    What is in flight is noted here: the next date may be judged before the builder's lane closes this one.
    """
    limit = day if await work.connection.fetchval(store.LAST_VALUED) else GENESIS
    if await _judge(work, limit, day):
        return Progress.MORE
    await work.connection.execute(store.NOTE_IN_FLIGHT, day)
    return Progress.DONE


async def close_value(work: Work, lane: int, day: date) -> dict[str, Any]:
    """This lane's fills of the date; the builder's lane adds what was confirmed and what is in flight."""
    totals = dict(await work.connection.fetchrow(store.LANE_FILLED, day, lane))
    posted = await work.connection.fetch(store_reversals.LANE_PLAN_CASH_POSTED, lane, day)
    _, before = await stated_before(work, lane, "value", day)
    cash = Counter(before.get("plan_cash", {}))
    cash.update({row["plan_id"]: row["cents"] for row in posted})
    totals["plan_cash"] = {plan_id: cents for plan_id, cents in sorted(cash.items()) if cents}
    totals["plan_cash_posted"] = sum(row["cents"] for row in posted)
    if lane == 0:
        confirmed = await work.connection.fetchrow(store.CONFIRMED_ON, day)
        undone = await work.connection.fetchrow(store.REVERSED_ON, day)
        totals["confirmed_units"] = confirmed["units"] - undone["units"]
        totals["confirmed_cents"] = confirmed["cents"] - undone["cents"]
        sold: int = await work.connection.fetchval(store_reversals.SOLD_ON, day)
        totals["sold_cents"] = sold - undone["sold_cents"]
        totals["in_flight"] = [list(row) for row in await work.connection.fetch(store.IN_FLIGHT, day)]
    return totals

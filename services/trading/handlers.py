"""Load, decide, save, say: instructed lines are kept for the cut, confirmations for the builder."""

from __future__ import annotations

from typing import Any

from asyncpg.pgproto.pgproto import UUID

from services.trading import store
from services.trading.items import ConfirmationItem, InstructedLine
from shared.events.topics import FUNDS
from shared.runtime.copying import copy_rows
from shared.runtime.work import Work
from shared.values.invariants import invariant
from shared.values.shares import units_of

RULE_SET = "2026.1"
UNITS_MAX = 10**15
"""Shares of one order beyond this are a mistake of units; sums over thousands of orders must still fit 64 bits."""


async def keep_instructed(work: Work, items: list[InstructedLine]) -> None:
    """One journal row per line: what each fund gets against what was instructed."""
    rows = []
    for item in items:
        width = len(item.funds)
        by_fund = [sum(item.legs[column::width]) for column in range(width)]
        invariant(len(item.legs) == width * len(item.sources), "legs are sources by funds")
        rows.append(
            (
                item.trade_date, item.lane, work.next_entry(item.lane), work.at(item.lane, item.recorded_at),
                "instruct", item.bucket, item.plan_id, item.key, UUID(item.cause), RULE_SET, item.trace,
                [*item.funds, "instructed"], [*by_fund, -sum(by_fund)], None, item.sources, item.legs, None, None, None,
                None,
            )
        )  # fmt: skip
    await copy_rows(work.connection, "journal", store.JOURNAL_COLUMNS, rows)


async def keep_confirmations(work: Work, items: list[ConfirmationItem]) -> None:
    """Store each (order, version) once; a repeat vanishes, a different one of the same version is a conflict."""
    ids = list({item.order_id for item in items})
    orders = {row["order_id"]: row for row in await work.connection.fetch(store.KNOWN_ORDERS, ids)}
    known: dict[tuple[str, int], tuple[Any, ...]] = {
        (row["order_id"], row["version"]): tuple(row)[2:]
        for row in await work.connection.fetch(store.KNOWN_CONFIRMATIONS, ids)
    }
    rows = []
    for item in items:
        order = orders.get(item.order_id)
        if order is None:
            work.dead_letter(item.as_record(), "UNKNOWN_ORDER", item.order_id)
            continue
        said = (item.status, item.shares, item.price, item.cents)
        before = known.get((item.order_id, item.version))
        if before is not None:
            _repeat(work, item, before, said)
            continue
        units = _units(work, item, order)
        if units is None and item.shares is not None:
            work.dead_letter(item.as_record(), "WRONG_SHAPE", "shares are finer than the fund's scale or too many")
            continue
        known[item.order_id, item.version] = said
        value_date = work.lanes[item.lane].inputs[item.topic].open_value_date
        work.count(item.lane, item.topic, item.trade_date, "decided")
        rows.append(
            (item.order_id, item.version, item.status, units, item.shares, item.price, item.cents, item.reason,
             item.lane, value_date, work.at(item.lane, item.recorded_at))
        )  # fmt: skip
    await copy_rows(work.connection, "confirmations", store.CONFIRMATION_COLUMNS, rows)
    work.wakes_others |= bool(rows)


def _repeat(work: Work, item: ConfirmationItem, before: tuple[Any, ...], said: tuple[Any, ...]) -> None:
    if before == said:
        work.count(item.lane, item.topic, item.trade_date, "duplicates")
    else:
        work.dead_letter(item.as_record(), "CONFIRMATION_CONFLICT", f"version {item.version} was {before}", item.cents)


def _units(work: Work, item: ConfirmationItem, order: Any) -> int | None:
    if item.shares is None:
        return None  # A rejected order may name a fund that nobody knows; its money is carried on all the same.
    fund = work.facts.need(FUNDS.name, order["fund_id"], order["trade_date"])
    try:
        units = units_of(item.shares, fund["share_decimals"])
    except ValueError:
        return None
    return units if units <= UNITS_MAX else None

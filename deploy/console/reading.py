"""What the console's pages show, as plain data read from the four databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import msgspec
import orjson

from deploy.console import store_console as store
from deploy.operate.books import SERVICES, Book
from shared.events.codes import CODES
from shared.runtime.clients import connect
from shared.runtime.settings import Settings

PAGE_ROWS = 50
DAYS_SHOWN = 30
BREAKS_SHOWN = 200
ACTIONS_SHOWN = 200
STATEMENT_MILLISECONDS = "10000"
"""A page is not worth a long query beside the money."""
REPEATED = "DUPLICATE_PAYROLL_LINE"
RULES_OF_WAITING = {
    "AWAITING_CUT": "Nothing: the next cut of a business day decides.",
    "open": "Ask the custodian: the order is not answered yet.",
    "pending": "Nothing: the custodian has the order and said that it is pending.",
    "rejected": "Nothing: the legs join the next trade date's order. Ask the custodian why.",
    "reversal": "Nothing: the shares are sold as soon as their buy is filled.",
}

Row = dict[str, Any]


@asynccontextmanager
async def reading(config: Settings, service: str) -> AsyncIterator[Book]:
    """A service's database in a snapshot that cannot be written."""
    connection = await connect(f"nestwork_{service}", config, statement_timeout=STATEMENT_MILLISECONDS)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield Book(service, connection)
    finally:
        await connection.close()


async def rows_of(config: Settings, service: str, statement: str, *arguments: Any) -> list[Row]:
    """The rows of one question."""
    async with reading(config, service) as book:
        return [dict(row) for row in await book.rows(statement, *arguments)]


def what_to_do(code: str) -> str:
    """The next step for a code: the registry's, or ours for states that are no code."""
    known = CODES.get(code)
    return known.what_to_do if known else RULES_OF_WAITING.get(code, "")


def sentence(code: str) -> str:
    """What a code means."""
    known = CODES.get(code)
    return known.sentence if known else ""


# -- business days -------------------------------------------------------------------------------------------------


async def days(config: Settings) -> list[Row]:
    """The last business days with their state and proof, newest first."""
    async with reading(config, "trading") as book:
        found = [dict(row) for row in await book.rows(store.DAYS, DAYS_SHOWN)]
        dates = [row["trade_date"] for row in found]
        decided = {(row["cycle"], row["trade_date"]) for row in await book.rows(store.DECIDED, dates)}
    proofs = {row["trade_date"]: row["status"] for row in await rows_of(config, "valuation", store.PROOFS, dates)}
    for row in found:
        row["proof"] = proofs.get(row["trade_date"])
        row["state"] = day_state(row["cut"], row["valued"], {c for c, day in decided if day == row["trade_date"]})
    return found


def day_state(cut: bool, valued: bool, decided: set[str]) -> str:
    """The word for how far a date is, as trading's page says it."""
    if not cut:
        return "open"
    if valued:
        return "valued" if "value" in decided else "valuing"
    return "closed" if "day" in decided else "closing"


async def day(config: Settings, trade_date: date) -> Row:
    """One date: every lane of every service, orders by state, commands, and the proof's equations."""
    services = []
    for service in SERVICES:
        async with reading(config, service) as book:
            lanes = [dict(row) for row in await book.rows(store.LANES_OF_DAY, trade_date)]
            progress = [dict(row) for row in await book.rows(store.PROGRESS, trade_date)]
            services.append(
                {"service": service, "lanes": lanes, "progress": progress, "count": await book.whole(store.LANE_COUNT)}
            )
    async with reading(config, "trading") as book:
        orders = [dict(row) for row in await book.rows(store.ORDERS_OF_DAY, trade_date)]
        commands = [dict(row) for row in await book.rows(store.COMMANDS_OF_DAY, trade_date)]
    proof = await rows_of(config, "valuation", store.PROOF, trade_date)
    return {
        "trade_date": trade_date,
        "services": services,
        "orders": orders,
        "commands": commands,
        "proof": proof[0]["status"] if proof else None,
        "equations": equations_of(proof[0]["equations"]) if proof else [],
    }


def equations_of(text: str) -> list[Row]:
    """A stored proof's equations, the broken ones first; each keeps its figures as they were compared."""
    found = [{"name": name, **one} for name, one in orjson.loads(text).items()]
    for one in found:
        one["figures"] = ", ".join(f"{key} {value}" for key, value in one.items() if key not in ("name", "ok"))
    return sorted(found, key=lambda one: (bool(one["ok"]), one["name"]))


# -- payroll runs --------------------------------------------------------------------------------------------------


async def runs(config: Settings, *, payroll: str | None, dated: date | None, skip: int) -> tuple[list[Row], bool]:
    """Payroll runs by plan, and whether there are more: of a payroll, of a date, or those that wait."""
    async with reading(config, "contribution") as book:
        if payroll:
            found = await book.rows(store.RUNS_NAMED, PAGE_ROWS + 1, skip, payroll)
        elif dated:
            found = await book.rows(store.RUNS_OF_DATE, PAGE_ROWS + 1, skip, dated)
        else:
            found = await book.rows(store.RUNS_WAITING, PAGE_ROWS + 1, skip)
        ids = sorted({row["payroll_id"] for row in found})
        waits = {(row["plan_id"], row["payroll_id"]): dict(row) for row in await book.rows(store.RUN_WAITS, ids)}
        cash = [dict(row) for row in await book.rows(store.RUN_CASH, ids)]
        controls = {row["payroll_id"]: dict(row) for row in await book.rows(store.RUN_CONTROLS, ids)}
        whole = {row["payroll_id"]: dict(row) for row in await book.rows(store.RUN_SHARERS, ids)}
    shown = [dict(row) for row in found[:PAGE_ROWS]]
    for row in shown:
        place = (row["plan_id"], row["payroll_id"])
        row["wait"] = waits.get(place)
        row["what_to_do"] = what_to_do(row["wait"]["code"] if row["wait"] else "AWAITING_CUT") if row["waits"] else ""
        row["cash"] = sum(
            one["cents"] for one in cash if one["payroll_id"] == place[1] and one["plan_id"] in (None, place[0])
        )
        row["control"] = control_says(controls.get(place[1]), whole[place[1]])
    return shown, len(found) > PAGE_ROWS


def control_says(closed: Row | None, whole: Row) -> str:
    """The sender's closing totals beside what arrived; a total the sender left out is not compared."""
    if closed is None:
        return "no closing totals"
    pairs = (
        ("lines", "line_count", "lines"),
        ("cents", "cents_total", "submitted"),
        ("hash", "hash_total", "hash_total"),
    )
    off = [
        f"{name}: said {closed[theirs]}, came {whole[ours]}"
        for name, theirs, ours in pairs
        if closed[theirs] is not None and int(closed[theirs]) != int(whole[ours])
    ]
    return "differ: " + "; ".join(off) if off else "agree"


# -- money that waits ----------------------------------------------------------------------------------------------


async def suspense(config: Settings) -> list[Row]:
    """Money that is recorded and does not move yet: where, why, how much, since when, and the way out."""
    found: list[Row] = []
    async with reading(config, "contribution") as book:
        for row in await book.rows(store.HELD_BY_CODE):
            found.append({"what": "held lines", **dict(row), "link": f"/held?code={row['code']}"})
        for row in await book.rows(store.RUNS_BY_WAIT):
            found.append({"what": "payroll runs", **dict(row), "link": "/runs"})
    async with reading(config, "trading") as book:
        for row in await book.rows(store.UNRELEASED_ORDERS):
            found.append({"what": "orders", "code": row["status"], **dict(row), "link": "/breaks"})
        for row in await book.rows(store.REVERSALS_WAITING):
            if row["items"]:
                found.append({"what": "reversed legs", "code": "reversal", **dict(row), "link": ""})
    for service in SERVICES:
        for row in await rows_of(config, service, store.PARKED_CLASSES):
            link = f"/letters?service={service}&code=PARKED"
            found.append({"what": f"parked in {service}", **row, "items": row["letters"], "link": link})
    for row in found:
        row["sentence"], row["what_to_do"] = sentence(row["code"]), what_to_do(row["code"])
    return found


async def held_lines(config: Settings, code: str | None, skip: int) -> tuple[list[Row], bool]:
    """Held lines, oldest first, and whether there are more."""
    found = await rows_of(config, "contribution", store.HELD_LINES, PAGE_ROWS + 1, skip, code)
    return [_held(row) for row in found[:PAGE_ROWS]], len(found) > PAGE_ROWS


async def held_line(config: Settings, lane: int, entry: int) -> Row | None:
    """One held line, or ``None``."""
    found = await rows_of(config, "contribution", store.HELD_LINE, lane, entry)
    return _held(found[0]) if found else None


def _held(row: Row) -> Row:
    item = msgspec.msgpack.decode(row.pop("item"))
    named = {"ce_id": item.get("ce_id", ""), "ce_source": item.get("ce_source", "")}
    may_act = row["code"] == REPEATED and row["resolution"] is None
    return row | named | {"may_act": may_act, "what_to_do": what_to_do(row["code"]), "sentence": sentence(row["code"])}


# -- breaks --------------------------------------------------------------------------------------------------------


async def breaks(config: Settings) -> Row:
    """Confirmations that are not believed, and dates that were not proven."""
    orders = await rows_of(config, "trading", store.BREAKS, BREAKS_SHOWN)
    for row in orders:
        row["what_to_do"], row["sentence"] = what_to_do(row["code"]), sentence(row["code"])
    broken = await rows_of(config, "valuation", store.BROKEN_DAYS, DAYS_SHOWN)
    for row in broken:
        row["equations"] = [one for one in equations_of(row["equations"]) if not one["ok"]]
    return {"orders": orders, "days": broken}


# -- dead letters --------------------------------------------------------------------------------------------------


async def letter_classes(config: Settings) -> list[Row]:
    """Dead letters and parked participants that wait, by service and code, with the cents at stake."""
    found: list[Row] = []
    for service in SERVICES:
        async with reading(config, service) as book:
            for statement in (store.LETTER_CLASSES, store.PARKED_CLASSES):
                found += [{"service": service, **dict(row)} for row in await book.rows(statement)]
    for row in found:
        row["sentence"], row["what_to_do"] = sentence(row["code"]), what_to_do(row["code"])
    return found


async def letters(
    config: Settings, service: str, code: str | None, *, replayed: bool, skip: int
) -> tuple[list[Row], bool]:
    """The letters of one service, or its parked participants when ``code`` is PARKED; and whether there are more."""
    if code == "PARKED":
        found = await rows_of(config, service, store.PARKED, PAGE_ROWS + 1, skip)
        for row in found:
            row |= {"id": f"{service}:parked:{row['key']}", "code": code, "partition": row["lane"], "replayed_at": None}
    else:
        found = await rows_of(config, service, store.LETTERS, PAGE_ROWS + 1, skip, code, replayed)
        for row in found:
            row |= {"id": f"{service}:{row['dead_letter']}", "items": 1}
    return found[:PAGE_ROWS], len(found) > PAGE_ROWS


# -- what operators did --------------------------------------------------------------------------------------------


async def actions(config: Settings, *, asked_only: bool = False) -> list[Row]:
    """What was asked for at consoles, newest first; ``asked_only`` leaves what waits for a second person."""
    found: list[Row] = []
    for service in SERVICES:
        statement = store.ACTIONS_ASKED if asked_only else store.ACTIONS
        found += [{"service": service, **row} for row in await rows_of(config, service, statement, ACTIONS_SHOWN)]
    return sorted(found, key=lambda row: row["asked_at"], reverse=True)[:ACTIONS_SHOWN]


async def last_proof(config: Settings) -> Row | None:
    """The last date that was proven or not."""
    last = await rows_of(config, "valuation", store.LAST_PROOF)
    return last[0] if last else None


async def overview(config: Settings) -> Row:
    """The figures of the first page."""
    return {
        "days": (await days(config))[:5],
        "last_proof": await last_proof(config),
        "suspense": await suspense(config),
        "breaks": await breaks(config),
        "letters": await letter_classes(config),
        "asked": await actions(config, asked_only=True),
    }


def total(rows: Sequence[Row], field: str) -> int:
    """The sum of a column."""
    return sum(int(row[field] or 0) for row in rows)

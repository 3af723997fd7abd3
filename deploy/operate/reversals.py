"""Fourth part of the proof: reversals, from the line that is taken back to the shares sold and the plans' cash."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import orjson

from deploy.operate import store_flow, store_reversals
from deploy.operate.books import Book, Books
from deploy.operate.equations import Equation, agree, none_of
from deploy.operate.flow import DIGEST_MODULUS
from deploy.operate.parkedfills import cost_of_sales, parked_fills
from shared.events.topics import CONTRIBUTIONS_RELEASED, TRADES_INSTRUCTED


async def prove_reversals(books: Books, day: date) -> list[Equation]:
    """What was taken back on ``day``, and the unallocated cash at its close."""
    equations = await _decided(books.contribution, day)
    equations += await _taken_back(books, day)
    equations += await _packed(books.trading, day)
    return equations + await _cash(books, day)


async def _decided(book: Book, day: date) -> list[Equation]:
    return [
        Equation(
            "reversed cents of the journal = of the lines",
            await book.whole(store_reversals.JOURNALED, day), await book.whole(store_reversals.BOOKED, day),
        ),
        Equation(
            "reversed before release = runs owe less, cents",
            await book.whole(store_reversals.RELEASED_LESS, day),
            await book.whole(store_reversals.RELEASED_LESS_PARTS, day),
        ),
        none_of(
            "sources reversed beyond what their line has", await book.whole(store_reversals.BEYOND_THEIR_LINE, day)
        ),
    ]  # fmt: skip


async def _taken_back(books: Books, day: date) -> list[Equation]:
    """Reversal by reversal and leg by leg through the logs, unless somebody was parked on the way."""
    sent = await books.contribution.row(store_reversals.TAKEN_BACK, day, DIGEST_MODULUS)
    split = await books.allocation.row(store_flow.LEGS_BY_SOURCE, day, "split_reversed", DIGEST_MODULUS)
    said = await books.allocation.row(store_flow.LEGS_BY_FUND, day, "split_reversed", DIGEST_MODULUS)
    heard = await books.trading.row(store_flow.LEGS_BY_FUND, day, "reverse", DIGEST_MODULUS)
    first = await books.allocation.row(store_flow.PARKED_REVERSALS, day, CONTRIBUTIONS_RELEASED.name)
    second = await books.trading.row(store_flow.PARKED_REVERSALS, day, TRADES_INSTRUCTED.name)
    return [
        *_handed_over("taken back", "divided", sent["cents"], -split["cents"], (sent, split), first),
        *_handed_over("divided", "instructed back", -said["cents"], -heard["cents"], (said, heard), second),
    ]


def _handed_over(left: str, right: str, sent: int, got: int, digests: tuple[Any, Any], parked: Any) -> list[Equation]:
    equations = [
        Equation(
            f"{left} + freed = {right} + parked cents of reversals", sent + parked["freed"], got + parked["parked"]
        )
    ]
    if not (parked["parked"] or parked["freed"]):
        name = f"digest of {left} legs = of {right} legs of reversals"
        equations.append(Equation(name, int(digests[0]["digest"]), int(digests[1]["digest"])))
    return equations


async def _packed(book: Book, day: date) -> list[Equation]:
    heard = await book.row(store_flow.LEGS_BY_FUND, day, "reverse", DIGEST_MODULUS)
    done = await book.row(store_reversals.LEGS_DONE, day)
    packed = await book.row(store_reversals.LEGS_PACKED, day)
    taken = await book.whole(store_reversals.LEGS_TAKEN, day)
    return [
        Equation("cents instructed back = legs to take back", -heard["cents"], taken),
        Equation("cost of legs sold = of sell packs, cents", done["sold"], packed["sold"]),
        Equation("units of legs sold = of sell packs", done["units"], packed["units"]),
        Equation("cents of legs cancelled = of cancelling packs", done["cancelled"], packed["cancelled"]),
    ]


async def _cash(books: Books, day: date) -> list[Equation]:
    packed = await books.trading.row(store_reversals.LEGS_PACKED, day)
    posted = await books.trading.row(store_reversals.PLAN_CASH_POSTED, day)
    sold = sold_cents(await books.trading.rows(store_reversals.SOLD, day), day)
    said = orjson.loads(await books.valuation.value(store_reversals.PLAN_CASH_SAID, day) or "{}")
    ours: Counter[str] = Counter()
    for book, statement in (
        (books.contribution, store_reversals.UNUSED_FUNDING),
        (books.trading, store_reversals.PLAN_CASH),
    ):
        for row in await book.rows(statement, day):
            ours[row["plan_id"]] += row["cents"]
    aside = await parked_fills(books.valuation, day)
    cost = await books.valuation.whole(store_reversals.COST_OF_SALES, day)
    cost += cost_of_sales(aside.parked) - cost_of_sales(aside.freed)
    moved = await books.trading.row(store_reversals.FORFEITED_BY_JOURNAL, day)
    kept = await books.trading.row(store_reversals.FORFEITED_BY_PERSON, day)
    return [
        Equation("forfeiture account by the journal = by participant, cents", moved["cents"], kept["cents"]),
        Equation("cost of forfeited shares by the journal = by participant, cents", moved["cost"], kept["cost"]),
        Equation("sold + cancelled = posted to plan cash, cents", sold + packed["cancelled"], posted["cents"]),
        Equation(
            "cost out of positions + cancelled = reversed by plan cash", cost + packed["cancelled"], posted["cost"]
        ),
        *agree("plan cash by the journals = as published, cents", ours, said),
        none_of("positions below zero", await books.valuation.whole(store_reversals.SHORT_POSITIONS, day)),
    ]


def sold_cents(accepted: list[Any], day: date) -> int:
    """Cents of sells that confirmations accepted for ``day`` brought, each less what it corrects."""
    total = 0
    before: dict[str, int] = {}
    for row in accepted:
        if row["verdict"] == f"accepted:{day.isoformat()}":
            total += row["cents"] - before.get(row["order_id"], 0)
        before[row["order_id"]] = row["cents"]
    return total

"""Third part of the proof: positions rebuilt from the first entry, the custodian's books, balances at the prices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

import orjson

from deploy.operate import store_holdings
from deploy.operate.books import Book, Books
from deploy.operate.equations import Equation, agree, none_of
from deploy.operate.parkedfills import parked_fills
from shared.events.packed import Fill
from shared.values.rounding import half_up_div
from shared.values.shares import Price, exact_value, units_of

FINEST_DECIMALS = 6
"""For shares of a fund the books have never heard of: fine enough for any, so that the difference is seen."""

Place = tuple[str, str]
"""(plan, fund)."""


async def prove_holdings(books: Books, day: date) -> list[Equation]:
    """What participants hold at the close of ``day``, and what it is worth."""
    book = books.valuation
    decimals = {row["fund_id"]: row["decimals"] for row in await book.rows(store_holdings.DECIMALS)}
    found = await book.row(store_holdings.POSITIONS, day)
    equations = [
        Equation("positions by the journal = in the snapshot", found["booked"], found["held"]),
        Equation("units by the journal = in the snapshot", int(found["booked_units"]), int(found["held_units"])),
        Equation(
            "cents of cost by the journal = in the snapshot", int(found["booked_cents"]), int(found["held_cents"])
        ),
        none_of("positions that differ between journal and snapshot", found["differing"]),
        none_of("participants valued twice", await book.whole(store_holdings.BALANCES_TWICE, day)),
    ]
    waiting = (await parked_fills(book, day)).waiting
    equations += await _against_custodian(books, day, decimals, waiting)
    return equations + await _worth(book, day, decimals, waiting)


async def _against_custodian(
    books: Books, day: date, decimals: Mapping[str, int], waiting: list[Fill]
) -> list[Equation]:
    """What the custodian books = what the journal says + what was confirmed and is not posted yet + what is parked."""
    theirs: Counter[Place] = Counter()
    for row in await books.valuation.rows(store_holdings.AT_CUSTODIAN, day):
        scale = decimals.get(row["fund_id"], FINEST_DECIMALS)
        theirs[row["plan_id"], row["fund_id"]] += units_of(row["shares"], scale)
    ours: Counter[Place] = Counter()
    for book, statement in (
        (books.valuation, store_holdings.BOOKED_BY_FUND),
        (books.trading, store_holdings.IN_FLIGHT),
    ):
        for row in await book.rows(statement, day):
            ours[row["plan_id"], row["fund_id"]] += row["units"]
    for fill in waiting:
        ours[fill.plan_id, fill.fund_id] += sum(fill.units)
    parts = await books.valuation.row(store_holdings.CUSTODIAN_PARTS, day)
    return [
        Equation("parts of the custodian's holdings = announced", parts["seen"], parts["parts"]),
        *agree("units by the journal + in flight + parked = the custodian's", ours, theirs),
    ]


async def _worth(book: Book, day: date, decimals: Mapping[str, int], waiting: list[Fill]) -> list[Equation]:
    """Each balance again from exact values, rounded half-up once; who lacks a price or a fill must not be shown one."""
    not_final = {(fill.plan_id, who) for fill in waiting for who in fill.participants}
    prices = {row["fund_id"]: Price.parse(row["price"]) for row in await book.rows(store_holdings.PRICES, day)}
    shown = recomputed = differing = 0
    async for portion in book.stream(store_holdings.BALANCES, day):
        for row in portion:
            cents = balance_cents(orjson.loads(row["holdings"]), prices, decimals)
            if (row["plan_id"], row["participant_id"]) in not_final:
                cents = None
            shown += row["cents"] or 0
            recomputed += cents or 0
            differing += row["cents"] != cents
    return [
        Equation("balance cents = recomputed from positions and prices", shown, recomputed),
        none_of("balances that differ from their recomputation", differing),
    ]


def balance_cents(holdings: Mapping[str, Any], prices: Mapping[str, Price], decimals: Mapping[str, int]) -> int | None:
    """What ``source/fund: [units, cost]`` is worth, or ``None`` when shares of an unpriced fund are among them."""
    units: Counter[str] = Counter()
    for key, (held, _) in holdings.items():
        units[key.partition("/")[2]] += held
        if held and key.partition("/")[2] not in prices:
            return None
    exact = sum((exact_value(n, decimals[fund], prices[fund]) for fund, n in units.items() if n), Fraction())
    return half_up_div(exact.numerator * 100, exact.denominator)

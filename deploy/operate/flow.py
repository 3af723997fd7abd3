"""Second part of the proof: the cents a service let go are the cents the next one took, leg by leg, up to the fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from deploy.operate import store_flow, store_holdings
from deploy.operate.books import Book, Books
from deploy.operate.equations import Equation, agree, none_of
from deploy.operate.orderlog import orders_said
from deploy.operate.parkedfills import cents_of, kind_of, parked_fills
from shared.events.packed import Fill
from shared.events.sources import SOURCES
from shared.events.topics import CONTRIBUTIONS_RELEASED, TRADES_INSTRUCTED
from shared.runtime.settings import Settings

DIGEST_MODULUS = 10**18
BUY, SELL = "buy", "sell"

Money = tuple[int, int]
"""(cents, units)."""
FillName = tuple[str, str, int]
"""Order, kind of entry, version."""


async def prove_flow(books: Books, config: Settings, day: date) -> list[Equation]:
    """Run, split, instruction, legs, orders, confirmations and fills of one date."""
    equations = await _books_in_order(books, day)
    equations += await _released(books.contribution, day)
    equations += await _split(books, day)
    equations += await _ordered(books, config, day)
    return equations + await _filled(books, day)


async def _books_in_order(books: Books, day: date) -> list[Equation]:
    equations = []
    for book in books.all():
        name = book.service
        equations.append(none_of(f"lanes of {name} that have not closed", await book.whole(store_flow.LANES_OPEN, day)))
        unbalanced = await book.whole(store_flow.UNBALANCED, day)
        if book in (books.trading, books.valuation):
            unbalanced += await book.whole(store_flow.UNBALANCED_UNITS, day)
            twice = await book.whole(store_flow.FILLED_TWICE, day)
            equations.append(none_of(f"fills posted twice in {name}", twice))
        equations.append(none_of(f"journal entries of {name} that do not sum to zero", unbalanced))
    for book in (books.allocation, books.trading):
        name = f"journal entries of {book.service} whose funds are not the sums of their legs"
        equations.append(none_of(name, await book.whole(store_flow.NOT_ITS_LEGS, day)))
    for book, kind in (
        (books.contribution, "line"),
        (books.contribution, "reversal"),
        (books.allocation, "split"),
        (books.allocation, "split_reversed"),
        (books.trading, "instruct"),
        (books.trading, "reverse"),
    ):
        twice = await book.whole(store_flow.TWICE, day, kind)
        equations.append(none_of(f"{kind} entries with the cause of another", twice))
    return equations


async def _released(book: Book, day: date) -> list[Equation]:
    decided = {(row["plan_id"], row["payroll_id"]): row["cents"]
               for row in await book.rows(store_flow.RELEASED_BY_RUN, day)}  # fmt: skip
    posted = {(row["plan_id"], row["payroll_id"]): row["cents"]
              for row in await book.rows(store_flow.RELEASED_POSTED, day)}  # fmt: skip
    cash_in, cash_used = await book.whole(store_flow.CASH_IN, day), await book.whole(store_flow.CASH_USED, day)
    return [
        *agree("cents of released runs = posted as released", decided, posted),
        Equation("cash received = posted", cash_in, await book.whole(store_flow.CASH_POSTED, day, "funding")),
        Equation("cash used = posted", cash_used, await book.whole(store_flow.CASH_POSTED, day, "funding_used")),
    ]


async def _split(books: Books, day: date) -> list[Equation]:
    released = await books.contribution.row(store_flow.RELEASED_LEGS, day, list(SOURCES), DIGEST_MODULUS)
    split = await books.allocation.row(store_flow.LEGS_BY_SOURCE, day, "split", DIGEST_MODULUS)
    said = await books.allocation.row(store_flow.LEGS_BY_FUND, day, "split", DIGEST_MODULUS)
    heard = await books.trading.row(store_flow.LEGS_BY_FUND, day, "instruct", DIGEST_MODULUS)
    return [
        *await _handed_over("released", "split", released, split, books.allocation, CONTRIBUTIONS_RELEASED.name, day),
        *await _handed_over("split", "instructed", said, heard, books.trading, TRADES_INSTRUCTED.name, day),
    ]


async def _handed_over(
    left_name: str, right_name: str, left: Any, right: Any, book: Book, topic: str, day: date
) -> list[Equation]:
    """Cents out = cents in, less what the receiver parked, plus what it freed; leg by leg when it did neither."""
    parked = await book.row(store_flow.PARKED_NET, day, topic)
    equations = [
        Equation(
            f"{left_name} + freed = {right_name} + parked cents",
            left["cents"] + parked["freed"], right["cents"] + parked["parked"],
        )
    ]  # fmt: skip
    if not (parked["parked"] or parked["freed"]):
        name = f"digest of {left_name} legs = of {right_name} legs"
        equations.append(Equation(name, int(left["digest"]), int(right["digest"])))
    return equations


async def _ordered(books: Books, config: Settings, day: date) -> list[Equation]:
    book = books.trading
    instructed = await book.row(store_flow.INSTRUCTED_LEGS, day, DIGEST_MODULUS)
    packed = await book.row(store_flow.PACKED_LEGS, day, DIGEST_MODULUS)
    against_legs: list[Equation] = []
    for unit in ("cents", "shares"):
        orders = {row["order_id"]: row["amount"] for row in await book.rows(store_flow.ORDERED, day, unit)}
        legs = {row["order_id"]: row["amount"] for row in await book.rows(store_flow.ORDERED_LEGS, day, unit)}
        against_legs += agree(f"{unit} of {unit} orders = of their legs", orders, legs)
    decimals = {row["fund_id"]: row["decimals"] for row in await books.valuation.rows(store_holdings.DECIMALS)}
    kept = {row["order_id"]: row["amount"] for row in await book.rows(store_flow.ORDERS_SAID, day)}
    return [
        Equation("instructed = leg cents", instructed["cents"], packed["cents"]),
        Equation("digest of instructed legs = of order legs", int(instructed["digest"]), int(packed["digest"])),
        none_of("leg packs whose total is not their legs", await book.whole(store_flow.PACKS_UNEQUAL, day)),
        *against_legs,
        *await taken_over(book, day),
        *agree("orders in the books = in the public log", kept, await orders_said(config, day, decimals)),
    ]


async def taken_over(book: Book, day: date) -> list[Equation]:
    """Each order is what was packed new for its date and what was rejected before, cents of buys and units of sells."""
    sides: list[dict[tuple[str, str, str], int]] = []
    for statement in (store_flow.NEW_AND_CARRIED, store_flow.ORDERED_BY_SIDE):
        rows = await book.rows(statement, day)
        sides.append({(row["plan_id"], row["fund_id"], row["side"]): row["amount"] for row in rows})
    equations = []
    for side, unit in ((BUY, "cents"), (SELL, "units")):
        packed, ordered = ({key: amount for key, amount in one.items() if key[2] == side} for one in sides)
        equations += agree(f"new legs + rejected orders = {side} orders, {unit}", packed, ordered)
    return equations


async def _filled(books: Books, day: date) -> list[Equation]:
    confirmed = expected_fills(await books.trading.rows(store_flow.ACCEPTED, day), day)
    filled = _fills(await books.trading.rows(store_flow.FILLS, day))
    posted = _fills(await books.valuation.rows(store_flow.FILLS, day))
    aside = await parked_fills(books.valuation, day)
    came, went = with_parked(filled, aside.freed), with_parked(posted, aside.parked)
    equations: list[Equation] = []
    for at, unit in enumerate(("cents", "units")):
        sides = [{key: money[at] for key, money in side.items()} for side in (confirmed, filled, came, went)]
        equations += agree(f"confirmed = filled {unit}", sides[0], sides[1])
        equations += agree(f"filled + freed = posted + parked {unit}", sides[2], sides[3])
    if not aside.moved:
        both = (books.trading, books.valuation)
        digests = [await book.whole(store_flow.FILL_LEGS, day, DIGEST_MODULUS) for book in both]
        equations.append(Equation("digest of filled legs = of posted legs", *digests))
    return equations


def with_parked(fills: Mapping[FillName, Money], parked: Iterable[Fill]) -> dict[FillName, Money]:
    """The fills of a journal and those that were set aside; what is written off was not confirmed and is in neither."""
    total = dict(fills)
    for fill in parked:
        if fill.version:
            name = (fill.order_id, kind_of(fill), fill.version)
            cents, units = total.get(name, (0, 0))
            total[name] = (cents + cents_of(fill), units + sum(fill.units))
    return total


def expected_fills(accepted: list[Any], day: date) -> dict[FillName, Money]:
    """The fills that confirmations accepted for ``day`` ask for: a corrected one first takes back the one before it."""
    expected: Counter[FillName] = Counter()
    units: Counter[FillName] = Counter()
    before: dict[str, Any] = {}
    for row in accepted:
        order, version = row["order_id"], row["version"]
        if row["verdict"] == f"accepted:{day.isoformat()}":
            expected[order, "fill", version] += row["cents"]
            units[order, "fill", version] += row["units"]
            known = before.get(order)
            if known is not None:
                expected[order, "fill_reversed", known["version"]] -= known["cents"]
                units[order, "fill_reversed", known["version"]] -= known["units"]
        before[order] = row
    return {key: (cents, units[key]) for key, cents in expected.items()}


def _fills(rows: list[Any]) -> dict[FillName, Money]:
    return {(row["order_id"], row["kind"], row["version"]): (row["cents"], row["units"]) for row in rows}

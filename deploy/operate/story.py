"""What made a participant's figures of a date: line, limits, run, election, legs, order, confirmation, price, fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import orjson

from deploy.operate import store_holdings, store_story
from deploy.operate.books import Books, open_books
from deploy.operate.target import OperatorError
from shared.runtime.settings import Settings
from shared.values.hashing import bucket_of
from shared.values.shares import shares_text

STATUS = {"a": "accepted", "p": "partially_accepted", "r": "rejected", "h": "held"}

Document = dict[str, Any]


class NothingKnown(OperatorError):
    """The books hold nothing of this participant up to this date."""


async def explain(config: Settings, participant: str, day: date) -> Document:
    """The story of ``participant`` on ``day`` as one document. Raises ``NothingKnown``."""
    async with open_books(config) as books:
        lanes = await books.contribution.value(store_story.LANES)
        teller = Teller(books, participant, day, bucket_of(participant), bucket_of(participant) % max(1, lanes))
        return await teller.tell()


class Teller:
    """Collects one story."""

    def __init__(self, books: Books, participant: str, day: date, bucket: int, lane: int) -> None:
        self._books, self._participant, self._day, self._bucket, self._lane = books, participant, day, bucket, lane
        self._decimals: dict[str, int] = {}
        self._plan_by_cause: dict[Any, str] = {}

    async def tell(self) -> Document:
        """The whole document. Raises ``NothingKnown``."""
        decimals = await self._books.valuation.rows(store_holdings.DECIMALS)
        self._decimals = {row["fund_id"]: row["decimals"] for row in decimals}
        lines, splits = await self._lines(), await self._splits_by_cause()
        for line in lines:
            line["split"] = splits.get(line["receipt"]["id"], [])
        orders = await self._orders({part["trade_date"] for parts in splits.values() for part in parts} | {self._day})
        found: Document = {
            "lines": lines,
            "held": await self._held(),
            "parked": await self._parked(),
            "dead_letters": await self._letters(),
            "elections_received": await self._elections(),
            "orders": orders,
            "taken_back": await self._taken_back(),
            "fills": await self._fills([order["order_id"] for order in orders]),
            "balances": await self._balances(),
        }
        census = await self._books.contribution.rows(store_story.CENSUS, self._participant, self._day)
        if not census and not any(found.values()):
            raise NothingKnown(f"nothing is known of {self._participant} on {self._day}")
        engine = await self._books.valuation.row(store_holdings.ENGINE_PROOF, self._day)
        head = {"participant_id": self._participant, "trade_date": self._day.isoformat(), "bucket": self._bucket}
        facts = [{"plan_id": row["plan_id"], "version": row["version"]} for row in census]
        return head | {"day": engine["status"] if engine else "open", "census": facts} | found

    async def _lines(self) -> list[Document]:
        book = self._books.contribution
        rows = await book.rows(store_story.LINES, self._lane, self._participant, self._day)
        self._plan_by_cause = {row["cause"]: row["plan_id"] for row in rows}
        decided = await book.rows(store_story.DECISIONS, self._bucket, list(self._plan_by_cause))
        status = {row["identity"]: STATUS.get(row["status"], row["status"]) for row in decided}
        return [await self._line(row, status.get(row["cause"])) for row in rows]

    async def _line(self, row: Any, status: str | None) -> Document:
        detail = orjson.loads(row["detail"] or "{}")
        return {
            "trade_date": row["trade_date"].isoformat(),
            "kind": row["kind"],
            "plan_id": row["plan_id"],
            "payroll_id": row["payroll_id"],
            "pay_date": row["pay_date"].isoformat() if row["pay_date"] else None,
            "compensation_cents": row["compensation"],
            "receipt": {
                "id": row["cause"].hex,
                "status": status,
                "requested_cents": row["requested"],
                "rejected_cents": row["rejected"],
                "credited": dict(zip(row["accounts"][:-1], row["amounts"][:-1], strict=True)),
                "detail": detail,
            },
            "limits": orjson.loads(row["limit_uses"] or "[]"),
            "rule_set": row["rule_set"],
            "run": await self._run(row),
        }

    async def _run(self, row: Any) -> Document:
        book = self._books.contribution
        money = await book.row(store_story.RUN, row["plan_id"], row["payroll_id"], self._day)
        wait = await book.row(store_story.WAIT, row["plan_id"], row["payroll_id"])
        released = row["released_for"].isoformat() if row["released_for"] else None
        return {
            "payroll_id": row["payroll_id"],
            "released_for": released,
            "credited_cents": money["credited"],
            "funded_cents": money["funded"],
            "released_cents": money["released"],
            "waits": dict(wait) if wait and released is None else None,
        }

    async def _splits_by_cause(self) -> dict[str, list[Document]]:
        rows = await self._books.allocation.rows(
            store_story.SPLITS, self._lane, self._participant, list(self._plan_by_cause)
        )
        found: dict[str, list[Document]] = {}
        for row in rows:
            election = None
            if row["election"] is not None:
                election = await self._books.allocation.row(
                    store_story.ELECTION, self._participant, self._plan_by_cause[row["cause"]], row["election"]
                )
            found.setdefault(row["cause"].hex, []).append(
                {
                    "trade_date": row["trade_date"],
                    "election": _election(election) if election else "the plan's default fund",
                    "rule_set": row["rule_set"],
                    "legs": legs_of(row["sources"], row["accounts"][:-1], row["leg_cents"]),
                }
            )
        return found

    async def _held(self) -> list[Document]:
        rows = await self._books.contribution.rows(store_story.HELD, self._lane, self._participant, self._day)
        return [_flat(row) for row in rows]

    async def _parked(self) -> list[Document]:
        return [
            {"service": book.service, **_flat(row)}
            for book in self._books.all()
            for row in await book.rows(store_story.PARKED, self._lane, self._participant, self._day)
        ]

    async def _letters(self) -> list[Document]:
        return [
            {"id": f"{book.service}:{row['dead_letter']}", **{name: row[name] for name in ("topic", "code", "detail")}}
            for book in self._books.all()
            for row in await book.rows(store_story.LETTERS, self._participant.encode(), self._day)
        ]  # fmt: skip

    async def _elections(self) -> list[Document]:
        rows = await self._books.allocation.rows(store_story.ELECTIONS_RECEIVED, self._participant, self._day)
        return [{"plan_id": row["plan_id"], **_election(row)} for row in rows]

    async def _orders(self, days: set[date]) -> list[Document]:
        book = self._books.trading
        legs = await book.rows(store_story.LEGS, self._lane, self._participant, sorted(days), self._day)
        ids = sorted({leg["order_id"] for leg in legs if leg["order_id"] is not None})
        confirmations = await book.rows(store_story.CONFIRMATIONS, ids)
        orders = []
        for row in await book.rows(store_story.ORDERS, ids):
            order = _flat(row)
            order["shares"] = self._shares(order.pop("units"), row["fund_id"])
            order["own_legs"] = {leg["source"]: leg["cents"] for leg in legs if leg["order_id"] == row["order_id"]}
            mine = [_flat(one) for one in confirmations if one["order_id"] == row["order_id"]]
            order["confirmations"] = [{name: one[name] for name in one if name != "order_id"} for one in mine]
            orders.append(order)
        return orders

    async def _fills(self, orders: list[str]) -> list[Document]:
        rows = await self._books.valuation.rows(store_story.FILLS, self._lane, self._participant, orders, self._day)
        fills = []
        for row in rows:
            fill = _flat(row)
            fill["shares"] = self._shares(fill.pop("units"), row["fund_id"])
            fills.append(fill)
        return fills

    async def _taken_back(self) -> list[Document]:
        """Legs of reversed lines after the trade: sold, cancelled, or waiting for their buy."""
        rows = await self._books.trading.rows(store_story.TAKEN_BACK, self._lane, self._participant, self._day)
        found = []
        for row in rows:
            leg = _flat(row) | {"cause": row["cause"].hex, "reverses": row["reverses"].hex}
            leg["shares"] = self._shares(leg.pop("units"), row["fund_id"])
            found.append(leg)
        return found

    async def _balances(self) -> list[Document]:
        book = self._books.valuation
        prices = {row["fund_id"]: row["price"] for row in await book.rows(store_holdings.PRICES, self._day)}
        found = []
        for row in await book.rows(store_story.BALANCES, self._day, self._lane, self._participant):
            positions = []
            for key, (units, cost) in sorted(orjson.loads(row["holdings"]).items()):
                source, _, fund = key.partition("/")
                shares, price = self._shares(units, fund), prices.get(fund)
                positions.append(
                    {"source": source, "fund_id": fund, "shares": shares, "cost_cents": cost, "price": price}
                )
            found.append({"plan_id": row["plan_id"], "balance_cents": row["cents"], "positions": positions})
        return found

    def _shares(self, units: int | None, fund: str) -> str | None:
        return None if units is None else shares_text(units, self._decimals[fund])


def _flat(row: Any) -> Document:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in dict(row).items()}


def _election(row: Any) -> Document:
    return {
        "version": row["version"],
        "effective_from": row["effective_from"].isoformat(),
        "percent": percents(orjson.loads(row["parts"])),
    }


def percents(parts: Mapping[str, Sequence[Sequence[Any]]]) -> dict[str, dict[str, str]]:
    """An election as people write it: source group to fund to percent."""
    return {group: {fund: shares_text(share, 4) for fund, share in funds} for group, funds in parts.items()}


def legs_of(sources: Sequence[str], funds: Sequence[str], cents: Sequence[int]) -> list[Document]:
    """The matrix of a split, sources by funds, as legs; those of no cents are left out."""
    pairs = [(source, fund) for source in sources for fund in funds]
    return [
        {"source": source, "fund_id": fund, "cents": amount}
        for (source, fund), amount in zip(pairs, cents, strict=True)
        if amount
    ]

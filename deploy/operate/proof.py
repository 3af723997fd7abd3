"""The proof of a date, computed again from the logs and the four databases without the engine's own proof."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from deploy.operate import store_flow, store_holdings
from deploy.operate.books import Books, open_books
from deploy.operate.equations import Equation, all_ok
from deploy.operate.flow import prove_flow
from deploy.operate.holdings import prove_holdings
from deploy.operate.intake import prove_intake
from deploy.operate.reversals import prove_reversals
from deploy.operate.state_hash import StateHash, hash_books
from deploy.operate.target import OperatorError
from shared.runtime.settings import Settings

SETTLE_SECONDS = 30.0
RETRY_SECONDS = 0.2


class NotClosed(OperatorError):
    """The date is not closed, so there is nothing to prove yet."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Every equation of a date, and what the engine's own proof said."""

    trade_date: date
    equations: list[Equation]
    engine_status: str
    engine_broken: list[str]
    """Names of the engine's equations that do not hold."""

    @property
    def ok(self) -> bool:
        """True only when both proofs hold."""
        return self.engine_status == "proven" and all_ok(self.equations)

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "ok": self.ok,
            "trade_date": self.trade_date.isoformat(),
            "equations": [equation.as_json() for equation in self.equations],
            "engine": {"status": self.engine_status, "broken": self.engine_broken},
        }


async def prove(
    config: Settings, day: date, *, with_hash: bool = False, seconds: float = SETTLE_SECONDS
) -> tuple[Proof, StateHash | None]:
    """Prove ``day`` and, if wanted, hash the books up to it. Raises ``NotClosed`` when valuation has not closed it.

    Valuation says a date is closed a moment before its last lane is; that moment is waited for, at most ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        async with open_books(config) as books:
            if await _is_settled(books, day) or time.monotonic() > deadline:
                proof = await prove_books(books, config, day)
                return proof, await hash_books(books, day) if with_hash else None
        await asyncio.sleep(RETRY_SECONDS)


async def _is_settled(books: Books, day: date) -> bool:
    if await books.valuation.row(store_holdings.ENGINE_PROOF, day) is None:
        raise NotClosed(f"{day} is not closed: valuation has not said day.closed for it")
    return not sum([await book.whole(store_flow.LANES_OPEN, day) for book in books.all()])


async def prove_books(books: Books, config: Settings, day: date) -> Proof:
    """Prove a closed ``day`` from databases that are open already."""
    engine = await books.valuation.row(store_holdings.ENGINE_PROOF, day)
    equations = await prove_intake(books, config, day)
    equations += await prove_flow(books, config, day)
    equations += await prove_holdings(books, day)
    equations += await prove_reversals(books, day)
    broken = [name for name, one in orjson.loads(engine["equations"]).items() if not one["ok"]]
    return Proof(day, equations, engine["status"], sorted(broken))

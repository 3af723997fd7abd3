"""The proof of a date, computed again from the logs and the four databases without the engine's own proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from deploy.operate import store_holdings
from deploy.operate.books import Books, open_books
from deploy.operate.equations import Equation, all_ok
from deploy.operate.flow import prove_flow
from deploy.operate.holdings import prove_holdings
from deploy.operate.intake import prove_intake
from deploy.operate.target import OperatorError
from shared.runtime.settings import Settings


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


async def prove(config: Settings, day: date) -> Proof:
    """Prove ``day``. Raises ``NotClosed`` when valuation has not closed it."""
    async with open_books(config) as books:
        return await prove_books(books, config, day)


async def prove_books(books: Books, config: Settings, day: date) -> Proof:
    """Prove ``day`` from databases that are open already."""
    engine = await books.valuation.row(store_holdings.ENGINE_PROOF, day)
    if engine is None:
        raise NotClosed(f"{day} is not closed: valuation has not said day.closed for it")
    equations = await prove_intake(books, config, day)
    equations += await prove_flow(books, config, day)
    equations += await prove_holdings(books, day)
    broken = [name for name, one in orjson.loads(engine["equations"]).items() if not one["ok"]]
    return Proof(day, equations, engine["status"], sorted(broken))

"""What a balance says: of when it is asked for, and over several plans."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from services.valuation import store, store_returns
from services.valuation.pages import _known, participant_balance
from shared.runtime.tokens import CALLER_KEY, Caller, Role

DAY = date(2026, 11, 20)
TENTH_OF_A_SHARE = orjson.dumps({"pre_tax/F1": [100, 101]}).decode()
"""At 10.05 a share worth a dollar and a half cent."""


class Books:
    """A pool over one proven date, which notes what it is asked."""

    def __init__(self, cents_by_plan: dict[str, int | None]) -> None:
        self.balances = [
            {"trade_date": DAY, "plan_id": plan, "cents": cents, "holdings": TENTH_OF_A_SHARE}
            for plan, cents in cents_by_plan.items()
        ]
        self.asked: list[str] = []

    async def fetchrow(self, statement: str, *_: Any) -> dict[str, Any]:
        assert statement == store.PROOF_ON
        return {"status": "proven", "recorded_at": datetime(2026, 11, 20, 23, tzinfo=UTC)}

    async def fetch(self, statement: str, *_: Any) -> list[dict[str, Any]]:
        self.asked.append(statement)
        return {
            store.BALANCE_ON: self.balances,
            store.SHARE_DECIMALS: [{"key": "F1", "decimals": 3}],
            store_returns.PRICES_BETWEEN: [{"price_date": DAY, "fund_id": "F1", "price": "10.05"}],
        }[statement]


class Request(dict[str, Any]):
    """One for P1's balance on the date, by somebody who sees these plans."""

    match_info, query = {"participant_id": "P1"}, {"as_of": DAY.isoformat()}

    def __init__(self, *plans: str) -> None:
        super().__init__({CALLER_KEY: Caller("test", [Role.READER], plans)})


async def balance(books: Books, *plans: str) -> tuple[int | None, dict[str, int | None]]:
    status, answer = await participant_balance(books, Request(*plans))  # type: ignore[arg-type]
    assert (status, answer["is_final"]) == (200, answer["balance_cents"] is not None)
    return answer["balance_cents"], {plan["plan_id"]: plan["balance_cents"] for plan in answer["plans"]}


async def test_a_balance_over_two_plans_is_the_exact_sum_rounded_once() -> None:
    assert await balance(Books({"A": 101, "B": 101}), "*") == (201, {"A": 101, "B": 101})


@pytest.mark.parametrize(("held", "seen"), [({"A": 101, "B": 101}, "B"), ({"B": 101}, "*")])
async def test_of_one_plan_that_is_seen_the_balance_is_the_plans_and_no_price_is_looked_up(
    held: dict[str, int | None], seen: str
) -> None:
    books = Books(held)
    assert await balance(books, seen) == (101, {"B": 101})
    assert store_returns.PRICES_BETWEEN not in books.asked


async def test_a_balance_is_not_shown_while_one_plan_is_not_final() -> None:
    assert await balance(Books({"A": 101, "B": None}), "*") == (None, {"A": 101, "B": None})


def test_known_at_is_a_date_an_instant_or_nothing() -> None:
    assert _known(None) == (None, None)
    assert _known("2026-11-20") == (date(2026, 11, 20), None)
    assert _known("2026-11-20T16:00:00-05:00") == (None, datetime(2026, 11, 20, 21, tzinfo=UTC))


@pytest.mark.parametrize("text", ["soon", "2026-11-20T16:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_what_is_no_instant_of_this_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|offset|range"):
        _known(text)

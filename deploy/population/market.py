"""Twenty funds as a 401(k) menu has them, their prices, and a day on which shares fall and bonds rise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deploy.population.seeds import stream
from deploy.wire.outgoing import Outgoing, event
from shared.events.fund import FundFact

VINTAGES = tuple(range(2025, 2075, 5))
YEARS_OF_WORK = 65
"""A target-date fund is named for the year in which its owner turns about 65."""


@dataclass(frozen=True, slots=True)
class Fund:
    """One fund of the menu; ``equity`` is the part of it in shares, which decides how its price moves."""

    fund_id: str
    share_decimals: int
    price_decimals: int
    equity: float


FUNDS: tuple[Fund, ...] = (
    *(Fund(f"TARGET-{year}", 3, 2, min(0.9, 0.4 + 0.0125 * (year - 2025))) for year in VINTAGES),
    Fund("US-LARGE-INDEX", 3, 2, 1.0),
    Fund("US-TOTAL-INDEX", 3, 2, 1.0),
    Fund("US-SMALL", 3, 2, 1.15),
    Fund("INTERNATIONAL", 3, 2, 0.9),
    Fund("EMERGING", 3, 2, 1.2),
    Fund("REAL-ESTATE", 3, 2, 0.8),
    Fund("BALANCED", 3, 2, 0.6),
    Fund("US-BOND", 3, 2, 0.0),
    Fund("INFLATION-BOND", 4, 4, 0.0),  # A collective trust: finer shares, finer prices.
    Fund("STABLE-VALUE", 2, 4, -0.02),
)
CORE_FUNDS = tuple(fund.fund_id for fund in FUNDS[len(VINTAGES) :])
DEFAULT_FUND = "BALANCED"


def vintage_of(birth_year: int) -> str:
    """The target-date fund for somebody born in that year."""
    nearest = 5 * round((birth_year + YEARS_OF_WORK) / 5)
    return f"TARGET-{min(max(nearest, VINTAGES[0]), VINTAGES[-1])}"


def fund_facts(ce_source: str) -> Iterator[Outgoing]:
    """All funds, as plan administration publishes them."""
    for fund in FUNDS:
        yield event(
            fund.fund_id, FundFact.ce_type, f"fund:{fund.fund_id}", ce_source, fund_id=fund.fund_id,
            share_decimals=fund.share_decimals,
        )  # fmt: skip


def prices(seed: int, days: int, fall: float = 0.019) -> list[dict[str, str]]:
    """Prices of all funds on so many days; the second day brings the move, ``fall`` for a fund all in shares."""
    dice = stream(seed, "prices")
    levels = np.exp(dice.normal(3.6, 0.8, len(FUNDS)))
    found = []
    for day in range(days):
        if day:
            equity = np.array([fund.equity for fund in FUNDS])
            market = -fall if day == 1 else dice.normal(0.0003, 0.008)
            levels *= 1 + equity * market + (equity <= 0) * 0.003 + dice.normal(0, 0.001, len(FUNDS))
        found.append(
            {fund.fund_id: f"{level:.{fund.price_decimals}f}" for fund, level in zip(FUNDS, levels, strict=True)}
        )
    return found

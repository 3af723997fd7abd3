"""What of each participant's positions is vested, in the shape of `expect.vested`. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from deploy.scenarios.filerun import FileRun
from shared.values.money import dollars_text
from shared.values.rounding import half_up_div


def vested_state(
    run: FileRun, day: date, balances: Mapping[str, Mapping[str, Any]], vesting: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """By participant: `balance` in dollars (the exact sum, half-up once), and `percents` and `years` behind it."""
    prices = _prices(run, day)
    known = {row["participant_id"]: row for page in vesting for row in page["participants"]}
    state: dict[str, dict[str, Any]] = {}
    worth: defaultdict[str, Fraction] = defaultdict(Fraction)
    for page in balances.values():
        for entry in page.get("participants") or ():
            own = known[entry["participant_id"]]
            balance: defaultdict[str, Fraction] = defaultdict(Fraction)
            for position in entry["positions"]:
                price = Fraction(prices[run.names.plain(position["fund_id"])])
                balance[position["source"]] += Fraction(position["shares"]) * price
            for source, dollars in balance.items():
                forfeited = Fraction(own.get("forfeited_cents", {}).get(source, 0), 100)
                vested = (dollars + forfeited) * own["percents"].get(source, 100) / 100
                worth[entry["participant_id"]] += min(dollars, vested)
    for name, row in known.items():
        cents = worth[name] * 100
        state[run.names.plain(name)] = {
            "balance": dollars_text(half_up_div(cents.numerator, cents.denominator)),
            "percents": {source: str(percent) for source, percent in row["percents"].items()},
            "years": row["years"],
        }
    return state


def _prices(run: FileRun, day: date) -> dict[str, str]:
    """The last price of each fund by the end of a date."""
    found: dict[str, str] = {}
    for listed in run.scenario.days if run.scenario is not None else ():
        if listed.date <= day:
            found |= listed.prices
    return found


def expected_vested(value: Any) -> Any:
    """A participant's dollars alone mean the vested balance."""
    if not isinstance(value, Mapping):
        return value
    return {name: {"balance": one} if isinstance(one, str) else one for name, one in value.items()}

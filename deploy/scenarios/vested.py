"""What of each participant's positions is vested, in the shape of `expect.vested`. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from deploy.scenarios.filerun import FileRun
from shared.events.sources import SOURCES
from shared.values.money import dollars_text
from shared.values.rounding import half_up_div
from shared.values.shares import shares_text


def vested_state(
    run: FileRun, day: date, balances: Mapping[str, Mapping[str, Any]], vesting: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """By participant: what is vested, and the `percents` and `years` behind it.

    `balance` in dollars (the exact sum, half-up once), `sources` the same by source, `shares` by source and fund.
    """
    prices = _prices(run, day)
    known = {row["participant_id"]: row for page in vesting for row in page["participants"]}
    worth: defaultdict[str, dict[str, Fraction]] = defaultdict(dict)
    shares: defaultdict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for entry in (entry for page in balances.values() for entry in page.get("participants") or ()):
        own, who = known[entry["participant_id"]], entry["participant_id"]
        by_source = _by_source(run, entry["positions"])
        for source, held in by_source.items():
            dollars = sum((Fraction(text) * Fraction(prices.get(fund, "0")) for fund, text in held.items()), Fraction())
            part = _vested_part(own, source, dollars)
            worth[who][source] = worth[who].get(source, Fraction()) + dollars * part
            shares[who][source] = {fund: _part_of(text, part) for fund, text in held.items()}
    return {
        run.names.plain(name): {
            "balance": _dollars(sum(worth[name].values(), Fraction())),
            "sources": {source: _dollars(dollars) for source, dollars in sorted(worth[name].items())},
            "shares": shares[name],
            "percents": {source: str(percent) for source, percent in row["percents"].items()},
            "years": row["years"],
        }
        for name, row in known.items()
    }


def _by_source(run: FileRun, positions: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for position in positions:
        found.setdefault(position["source"], {})[run.names.plain(position["fund_id"])] = position["shares"]
    return found


def _vested_part(own: Mapping[str, Any], source: str, dollars: Fraction) -> Fraction:
    """P, or what P x (AB + F) makes of a balance AB of which F was forfeited."""
    percent = Fraction(own["percents"].get(source, 100), 100)
    forfeited = Fraction(own.get("forfeited_cents", {}).get(source, 0), 100)
    return min(Fraction(1), percent * (dollars + forfeited) / dollars) if dollars else percent


def _part_of(shares: str, part: Fraction) -> str:
    """A part of shares, half-up in their own smallest unit (A12)."""
    places = len(shares.partition(".")[2])
    units = Fraction(shares) * 10**places * part
    return shares_text(half_up_div(units.numerator, units.denominator), places)


def _dollars(exact: Fraction) -> str:
    cents = exact * 100
    return dollars_text(half_up_div(cents.numerator, cents.denominator))


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
    return {
        name: {"balance": one} if isinstance(one, str) else _expected_of(one) if isinstance(one, Mapping) else one
        for name, one in value.items()
    }


def _expected_of(one: Mapping[str, Any]) -> dict[str, Any]:
    """Under a source's own name stand dollars, a whole percent, or shares by fund."""
    found: dict[str, Any] = {key: part for key, part in one.items() if key not in SOURCES}
    for source, part in ((key, part) for key, part in one.items() if key in SOURCES):
        is_percent = isinstance(part, int) or (isinstance(part, str) and "." not in part)
        kind = "shares" if isinstance(part, Mapping) else "percents" if is_percent else "sources"
        found[kind] = {**found.get(kind, {}), source: str(part) if is_percent else part}
    return found

"""What a payday must come to, from the house rules alone: fractions, sorted lists, nothing of the services' rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any, TypeVar

from tests.support.payday_in_memory import Leg, Order, Person, Population

HALF = Fraction(1, 2)
Key = TypeVar("Key", str, Leg)
BROUGHT_BY_EMPLOYEE = ("pre_tax", "roth", "after_tax", "rollover_pre_tax", "rollover_roth", "loan_repayment")


@dataclass(frozen=True)
class Expected:
    """Exactly what the books must say."""

    released: set[tuple[str, str]]
    orders: dict[Order, int]
    units: dict[tuple[str, str, str, str], int]
    """(plan, participant, source, fund) to units."""
    balances: dict[Person, int]


def expect_payday(said: Population) -> Expected:
    """Work the day out by hand."""
    credited = [(body, _credited(said, body)) for body in said.lines]
    released = _released(said, credited)
    legs: dict[Order, dict[Leg, int]] = {}
    for body, money in credited:
        plan, participant = body["plan_id"], body["participant_id"]
        if (plan, body["payroll_id"]) not in released:
            continue
        for source, cents in money.items():
            percents = _percents(said, plan, participant, source)
            for fund, part in _largest_remainder(cents, percents).items():
                if part:
                    of_order = legs.setdefault((plan, fund), {})
                    of_order[participant, source] = of_order.get((participant, source), 0) + part
    units: dict[tuple[str, str, str, str], int] = {}
    worth: dict[Person, Fraction] = {}
    for (plan, fund), of_order in legs.items():
        decimals, price = said.funds[fund][0], Fraction(said.funds[fund][1])
        confirmed = floor(Fraction(sum(of_order.values()), 100) / price * 10**decimals + HALF)
        weights = {leg: Fraction(cents) for leg, cents in of_order.items()}
        for (participant, source), share in _largest_remainder(confirmed, weights).items():
            units[plan, participant, source, fund] = share
            person = (plan, participant)
            worth[person] = worth.get(person, Fraction(0)) + Fraction(share, 10**decimals) * price
    return Expected(
        released,
        {order: sum(of_order.values()) for order, of_order in legs.items()},
        units,
        {person: floor(value * 100 + HALF) for person, value in worth.items()},
    )


def _credited(said: Population, body: Mapping[str, Any]) -> dict[str, int]:
    """What the plan takes, and its match: percent of pay by percent matched, tier by tier, rounded once."""
    plan = said.plans[body["plan_id"]]
    formula = plan.get("match")
    sent = [one for one in body["amounts"] if one["source"] in plan["sources"]]
    money: dict[str, int] = {}
    for one in sent:
        if one["source"] != "match" or formula is None:
            money[one["source"]] = money.get(one["source"], 0) + one["cents"]
    if formula is not None:
        left = Fraction(money.get("pre_tax", 0) + money.get("roth", 0))
        exact = Fraction(0)
        for of_pay, matched in formula["tiers"]:
            room = body["compensation_cents"] * Fraction(of_pay) / 100
            exact += min(left, room) * Fraction(matched) / 100
            left -= min(left, room)
        money["match"] = floor(exact + HALF)
    return {source: cents for source, cents in money.items() if cents}


def _released(said: Population, credited: list[tuple[Mapping[str, Any], dict[str, int]]]) -> set[tuple[str, str]]:
    """Runs of plans that trade on file, and those whose own cash covers them whole."""
    totals: dict[tuple[str, str], int] = {}
    for body, money in credited:
        run = (body["plan_id"], body["payroll_id"])
        totals[run] = totals.get(run, 0) + sum(money.values())
    return {
        run
        for run, cents in totals.items()
        if said.plans[run[0]].get("trade_on") == "file" or cents <= said.cash.get(run[1], 0)
    }


def _percents(said: Population, plan: str, participant: str, source: str) -> dict[str, Fraction]:
    elected = said.elections.get((plan, participant), ())
    for group in ("employee" if source in BROUGHT_BY_EMPLOYEE else "employer", "all"):
        chosen = {fund: Fraction(percent) for name, fund, percent in elected if name == group}
        if chosen:
            return chosen
    return {said.plans[plan]["default_fund"]: Fraction(100)}


def _largest_remainder(total: int, weights: Mapping[Key, Fraction]) -> dict[Key, int]:
    """Floor every part, then one unit each to the largest remainders, ties to the lowest key."""
    whole = sum(weights.values())
    exact = {key: total * weight / whole for key, weight in weights.items()}
    parts = {key: floor(share) for key, share in exact.items()}
    ranked = sorted(exact, key=lambda key: (parts[key] - exact[key], key))
    for key in ranked[: total - sum(parts.values())]:
        parts[key] += 1
    return parts

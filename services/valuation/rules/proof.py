"""The conservation proof of a date: equations over what every stage said about its lanes, exact to cent and unit."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from shared.values.shares import SHARE_DECIMALS_MAX, units_of

Equations = dict[str, dict[str, Any]]
Stages = Mapping[str, Mapping[str, Any]]

PUBLIC_OUTCOMES = (
    "decided", "duplicates", "mismatches", "held", "parked", "dead_lettered", "forwarded", "markers", "holes",
)  # fmt: skip

SHOWN_MAX = 1_000
"""Broken equations per plan and fund that are named one by one."""


def equation(left: Any, right: Any) -> dict[str, Any]:
    """One equation with its verdict."""
    return {"left": left, "right": right, "ok": left == right}


def add_up(lanes: Iterable[Stages]) -> dict[str, Counter[str]]:
    """Sum the whole-number totals of each stage over all lanes."""
    summed: dict[str, Counter[str]] = {}
    for stages in lanes:
        for stage, totals in stages.items():
            counter = summed.setdefault(stage, Counter())
            counter.update({name: value for name, value in totals.items() if isinstance(value, int)})
    return summed


def offsets_equations(lanes: Iterable[Stages], internal: frozenset[str]) -> Equations:
    """Per public topic: offsets between two cuts = what became of each record."""
    by_topic: dict[str, Counter[str]] = {}
    for stages in lanes:
        for totals in stages.values():
            for topic, counts in totals.get("counts", {}).items():
                if topic not in internal:
                    by_topic.setdefault(topic, Counter()).update(counts)
    return {
        f"offsets of {topic} = outcomes": equation(counts["offsets"], sum(counts[name] for name in PUBLIC_OUTCOMES))
        for topic, counts in sorted(by_topic.items())
    }


def money_equations(summed: Mapping[str, Counter[str]]) -> Equations:
    """The way of the cents through the stages on one date."""
    contribution, allocation = summed.get("contribution", Counter()), summed.get("allocation", Counter())
    trading, value = summed.get("trading", Counter()), summed.get("trading.value", Counter())
    valuation = summed.get("valuation", Counter())
    return _reversal_equations(summed) | {
        "accepted + rejected = submitted cents": equation(
            contribution["accepted"] + contribution["rejected"], contribution["submitted"]
        ),
        "credited + open before = released + open cents": equation(
            contribution["credited"] + contribution["open_before"], contribution["released"] + contribution["open"]
        ),
        "released = split cents": equation(contribution["released"], allocation["cents"] + allocation["parked_cents"]),
        "split = instructed cents": equation(allocation["cents"], trading["cents"] + trading["parked_cents"]),
        "instructed = leg cents": equation(trading["cents"], trading["leg_cents"]),
        "new + carried = ordered + cancelled leg cents": equation(
            trading["leg_cents"] + trading["carried_leg_cents"],
            trading["ordered_leg_cents"] + trading["cancelled_cents"],
        ),
        "legs = order cents": equation(trading["ordered_leg_cents"], trading["ordered_cents"]),
        "confirmed = filled cents": equation(value["confirmed_cents"], value["filled_cents"]),
        "confirmed = filled units": equation(value["confirmed_units"], value["filled_units"]),
        **{
            f"filled + freed = posted + parked {unit}": equation(
                value[f"filled_{unit}"] + valuation[f"freed_{unit}"],
                valuation[f"posted_{unit}"] + valuation[f"parked_{unit}"],
            )
            for unit in ("cents", "units")
        },
        "fills sent + freed = fills posted + parked": equation(
            value["fills"] + valuation["freed_fills"], valuation["fills"] + valuation["parked_fills"]
        ),
    }


def _reversal_equations(summed: Mapping[str, Counter[str]]) -> Equations:
    """The way back of reversed cents whose line was released on an earlier date."""
    contribution, allocation = summed.get("contribution", Counter()), summed.get("allocation", Counter())
    trading, value = summed.get("trading", Counter()), summed.get("trading.value", Counter())
    return _sell_equations(trading) | {
        "reversed after release = taken back cents": equation(
            contribution["reversed"], allocation["reversed_cents"] + allocation["parked_reversed_cents"]
        ),
        "taken back = instructed back cents": equation(
            allocation["reversed_cents"], trading["reversed_cents"] + trading["parked_reversed_cents"]
        ),
        "instructed back + waited = sold + cancelled + waiting cents": equation(
            trading["reversed_cents"] + trading["reversals_waited"],
            trading["sold_cost_cents"] + trading["cancelled_cents"] + trading["reversals_waiting"],
        ),
        "sold + cancelled = plan cash cents": equation(
            value["sold_cents"] + trading["cancelled_cents"], value["plan_cash_posted"]
        ),
    }


def _sell_equations(trading: Counter[str]) -> Equations:
    """Share units of what is sold, up to the orders."""
    equations = {"sell legs = order units": equation(trading["ordered_leg_units"], trading["ordered_units"])}
    if "carried_leg_units" in trading:  # A builder of the release before does not say it.
        equations["new + carried = ordered leg units"] = equation(
            trading["sell_leg_units"] + trading["carried_leg_units"], trading["ordered_leg_units"]
        )
    return equations


def plan_cash(lanes: Iterable[Stages]) -> dict[str, int]:
    """Unallocated cents by plan: funding that no run has used, and the dollars of reversals after the trade."""
    total: Counter[str] = Counter()
    for stages in lanes:
        for stage in ("contribution", "trading.value"):
            total.update(stages.get(stage, {}).get("plan_cash", {}))
    return {plan: cents for plan, cents in sorted(total.items()) if cents}


def holdings_equations(
    positions: Mapping[tuple[str, str], int],
    held: Mapping[tuple[str, str], int],
    in_flight: Mapping[tuple[str, str], int],
    parked: Mapping[tuple[str, str], int],
) -> Equations:
    """Positions, what is in flight and what is parked = the custodian's own holdings, per plan and fund.

    All that agree are one equation together.
    """
    ours: Counter[tuple[str, str]] = Counter()
    for part in (positions, in_flight, parked):
        ours.update(part)
    differing = {
        f"positions + in flight + parked = custodian units of {plan} {fund}": equation(
            ours[plan, fund], held.get((plan, fund), 0)
        )
        for plan, fund in sorted(ours.keys() | held.keys())
        if ours[plan, fund] != held.get((plan, fund), 0)
    }
    agreeing = {"positions + in flight + parked = custodian units": equation(sum(ours.values()), sum(held.values()))}
    return agreeing | _bounded(differing, "plans and funds that differ further")


def units_held(
    positions: Iterable[tuple[str, str, str]], share_decimals: Mapping[str, int]
) -> tuple[dict[tuple[str, str], int], Equations]:
    """Add up the custodian's positions (plan, fund, shares) as share units, by plan and fund.

    Shares finer than the fund's smallest are no units: an equation that does not hold, never an error that stops work.
    """
    held: dict[tuple[str, str], int] = {}
    unreadable: Equations = {}
    for plan, fund, shares in positions:
        try:
            units = units_of(shares, share_decimals.get(fund, SHARE_DECIMALS_MAX))
        except ValueError:
            unreadable[f"custodian shares of {plan} {fund} finer than the fund's = 0"] = equation(1, 0)
            continue
        held[plan, fund] = held.get((plan, fund), 0) + units
    return held, _bounded(unreadable, "unreadable positions further")


def _bounded(broken: Equations, name: str) -> Equations:
    """The first of them and the number of the others: a wrong file may name every plan, and the event must fit."""
    kept = dict(itertools.islice(broken.items(), SHOWN_MAX))
    further = len(broken) - len(kept)
    return kept | ({f"{name} = 0": equation(further, 0)} if further else {})


def is_proven(equations: Equations) -> bool:
    """True when every equation holds."""
    return all(one["ok"] for one in equations.values())

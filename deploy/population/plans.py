"""Plans as they are in a recordkeeper's book: a few giants, hundreds of small ones, and a handful of plan designs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.population.market import DEFAULT_FUND
from deploy.population.seeds import stream
from deploy.wire.outgoing import Outgoing, event
from shared.events.plan import PlanFact

ZIPF_EXPONENT = 1.05
"""The plan of rank r is about r ** -1.05 times the size of the largest."""


@dataclass(frozen=True, slots=True)
class Design:
    """What kinds of plan there are; ``sent`` is the employer source payroll itself sends, as percent of pay."""

    name: str
    weight: float
    sources: tuple[str, ...]
    match: dict[str, Any] | None = None
    sent: tuple[tuple[str, int], ...] = ()
    vesting: tuple[tuple[str, str], ...] = ()
    trade_on: str = "funding"


DESIGNS: tuple[Design, ...] = (
    Design(
        "engine matches 100 % of 3 and 50 % of the next 2", 0.35, ("pre_tax", "roth", "match"),
        match={"tiers": [["3", "100"], ["2", "50"]], "period": "per_pay"}, vesting=(("match", "graded_2_6"),),
    ),
    Design(
        "engine matches 50 % of 6", 0.20, ("pre_tax", "roth", "match"),
        match={"tiers": [["6", "50"]], "period": "per_pay"}, vesting=(("match", "cliff_3"),),
    ),
    Design("payroll sends the match", 0.20, ("pre_tax", "roth", "match"), sent=(("match", 3),)),
    Design("safe harbor", 0.10, ("pre_tax", "roth", "safe_harbor_match"), sent=(("safe_harbor_match", 4),)),
    Design(
        "profit sharing, trades on file", 0.10, ("pre_tax", "roth", "profit_sharing"), sent=(("profit_sharing", 2),),
        vesting=(("profit_sharing", "graded_2_6"),), trade_on="file",
    ),
    Design("pre-tax only", 0.05, ("pre_tax",)),
)  # fmt: skip
SOURCE_OF_NO_PLAN = "after_tax"
"""A source the engine knows and none of these plans takes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan: its id, its design and how many people are in it."""

    plan_id: str
    design: Design
    size: int


def draw_plans(participants: int, plans: int, seed: int) -> list[Plan]:
    """So many plans, largest first, with exactly ``participants`` people in all, each plan with at least one."""
    plans = min(plans, participants)
    sizes = zipf_sizes(participants, plans)
    dice = stream(seed, "plans")
    weights = np.array([design.weight for design in DESIGNS])
    chosen = dice.choice(len(DESIGNS), size=plans, p=weights / weights.sum())
    return [
        Plan(f"PLAN-{number:04d}", DESIGNS[int(kind)], int(size))
        for number, (kind, size) in enumerate(zip(chosen, sizes, strict=True), start=1)
    ]


def zipf_sizes(participants: int, plans: int) -> npt.NDArray[np.int64]:
    """Sizes by rank: one for everybody, the rest by Zipf's law, largest remainders first; they sum exactly."""
    weights = np.arange(1, plans + 1, dtype=np.float64) ** -ZIPF_EXPONENT
    ideal = weights / weights.sum() * (participants - plans)
    sizes = np.floor(ideal).astype(np.int64)
    missing = participants - plans - int(sizes.sum())
    sizes[np.argsort(sizes - ideal, kind="stable")[:missing]] += 1
    return np.sort(sizes + 1)[::-1]


def plan_facts(plans: list[Plan], ce_source: str) -> Iterator[Outgoing]:
    """All plans, as plan administration publishes them."""
    for plan in plans:
        design = plan.design
        yield event(
            plan.plan_id, PlanFact.ce_type, f"plan:{plan.plan_id}", ce_source, plan_id=plan.plan_id,
            sources=design.sources, default_fund=DEFAULT_FUND, match=design.match, trade_on=design.trade_on,
            vesting=dict(design.vesting) or None,
        )  # fmt: skip

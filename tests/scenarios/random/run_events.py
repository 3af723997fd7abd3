"""What a random day says of payroll runs, plans and limits: totals, cash the bank takes back, changed documents."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from tests.scenarios.random.exact import dollars
from tests.scenarios.random.limits import LATE, LATE_YEAR
from tests.scenarios.random.runs import Run, Totals, totals_of
from tests.scenarios.random.scene import Scene
from tests.scenarios.random.terms import read_terms

Event = dict[str, Any]


def opened(scene: Scene, run: str, plan: str) -> Event:
    """A run is announced; what it will have is only said."""
    event: Event = {"opened": run, "plan": plan}
    if scene.chance(50):
        event |= {"line_count": scene.rng.randint(0, 40), "cents_total": dollars(scene.rng.randint(0, 9_999_999))}
    return event


def closed(scene: Scene, name: str, run: Run) -> Event | None:
    """What payroll says it sent for a run: right, or wrong in one thing; None where the rules don't say what counts."""
    if any(cents < 0 for line in run.lines for cents in line.amounts.values()):
        return None
    said = totals_of(run.lines)
    keys = scene.rng.sample(("lines", "cents", "by_source", "people"), scene.rng.randint(1, 4))
    said = replace(said, **{key: None for key in ("lines", "cents", "by_source", "people") if key not in keys})
    if scene.chance(40):
        said = _wrong(scene.rng, scene.rng.choice(keys), said, list(scene.world.members))
    scene.world.say_totals(name, said, run.plan)
    event: Event = {"closed": name, "plan": run.plan}
    if said.lines is not None:
        event["line_count"] = said.lines
    if said.cents is not None:
        event["cents_total"] = dollars(said.cents)
    if said.by_source is not None:
        event["cents_by_source"] = {source: dollars(cents) for source, cents in sorted(said.by_source.items())}
    if said.people is not None:
        event["people"] = scene.rng.sample(sorted(said.people.elements()), said.people.total())
    return event


def _wrong(rng: random.Random, key: str, said: Totals, known: list[str]) -> Totals:
    """The same totals with one thing wrong."""
    if key == "lines" and said.lines is not None:
        return replace(said, lines=said.lines + 1)
    if key == "cents" and said.cents is not None:
        return replace(said, cents=said.cents + rng.choice((1, 100)))
    if key == "by_source" and said.by_source is not None:
        return replace(said, by_source=said.by_source + Counter({rng.choice(("pre_tax", "roth")): 1}))
    people = said.people or Counter()
    swapped = [*people.elements(), rng.choice(known)]
    return replace(said, people=Counter(swapped[1:] if rng.random() < 0.5 and people else swapped))


def returned(scene: Scene, name: str, run: Run) -> Event:
    """The bank takes cash of a run back, wholly or in part."""
    cents = scene.rng.choice((run.funded, scene.rng.randint(1, run.funded)))
    scene.world.take_cash(name, cents)
    return {"returned": name, "amount": dollars(cents)}


def plan_change(scene: Scene, plan: str) -> Event:
    """A plan's document changes, from the next date on."""
    spec = scene.specs[plan]
    changed = scene.terms.change(spec)
    spec |= changed
    if "trade_on" in changed:
        scene.tricky.update(name for name, run in scene.world.runs.items() if run.plan == plan)
    scene.world.alter(plan, read_terms(_without_nothing(spec)))
    return {"plan_change": plan} | changed


def _without_nothing(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if value is not None}


def late_limits(scene: Scene, day: date) -> Event | None:
    """The late year's limits, on their date or on the first of a file that begins after it."""
    if scene.late_limits is None or day != max(scene.late_limits, scene.dates[0]):
        return None
    figures = {
        "elective_deferral": LATE.deferral, "catch_up": LATE.catch_up, "catch_up_60_63": LATE.catch_up_60_63,
        "annual_additions": LATE.additions, "compensation": LATE.pay, "roth_catch_up_wages": LATE.roth_wages,
    }  # fmt: skip
    return {"limits": LATE_YEAR} | {name: dollars(cents) for name, cents in figures.items() if cents is not None}

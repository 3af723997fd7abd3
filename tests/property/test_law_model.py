"""Whole random years, decided by the engine's rules and by a slow model that shares no line of code with them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from services.contribution.rules.intake import Line
from services.contribution.rules.limits import reviewed_limits
from services.contribution.rules.line import LineDecision, decide_line
from services.contribution.rules.participant import Opening, Participant, with_census_dates
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from services.contribution.rules.records import YearToDate, year_to_date_at_start
from tests.support.law_model import KNOWN, ModelAnswer, ModelPerson, ModelPlan, ModelYear, answer

YEARS = int(os.environ.get("LAW_MODEL_YEARS", "150"))
"""Random years; each has up to 40 lines. 20,000 lines and more: LAW_MODEL_YEARS=2000."""
TIERS = (
    None, None, (("3", "100"), ("2", "50")), (("4", "100"),), (("1", "100"), ("5", "50")), (("6", "50"),),
    (("4.5", "33.33"), ("0.5", "200")),
)  # fmt: skip
AROUND = (1, 99, 380_00, 799_999, 800_001, 1_125_000, 2_449_999, 2_450_001, 3_250_000, 7_199_999, 9_000_000)


@dataclass(frozen=True)
class Sent:
    """A line before anybody decided it."""

    amounts: dict[str, int]
    pay: int
    pay_date: date


@dataclass
class Story:
    """One person's year in one plan, drawn from a seed."""

    plan: ModelPlan
    person: ModelPerson
    year: int
    lines: list[Sent]


def drawn(seed: int) -> Story:
    """A year: ordinary pay cheques, with now and then an amount near a limit or something that has no place there."""
    dice = random.Random(seed)
    year = dice.choice((2022, 2023, 2024, 2025, 2026, 2026, 2026, 2026, 2027))
    left_out = set(dice.sample(KNOWN, dice.choice((0, 0, 1, 3, 6))))
    tiers = dice.choice(TIERS)
    plan = ModelPlan(
        tuple(source for source in KNOWN if source not in left_out or (tiers and source == "match")),
        dice.choice(("pro_rata", "pro_rata", "pre_tax_first")),
        dice.choice(("deemed", "deemed", "reject")),
        dice.random() < 0.8,
        tiers,
        dice.choice((None, None, None, (21, 12, "semi_annual"), (18, 0, "monthly"), (21, 6, "quarterly"))),
    )
    return Story(plan, _person(dice, year), year, list(_lines(dice, year)))


def _person(dice: random.Random, year: int) -> ModelPerson:
    age = dice.choice((20, 21, 30, 40, 49, 50, 50, 55, 59, 60, 62, 63, 64, 70))
    born = date(
        year - age, dice.choice((1, 6, 12)), dice.choice((1, 28, 30 if age % 2 else 31 if age % 3 else 29)) % 31 or 1
    )
    hired = date(year - dice.choice((0, 0, 1, 5)), dice.randint(1, 12), dice.randint(1, 28))
    left = hired + timedelta(days=dice.randint(20, 700)) if dice.random() < 0.25 else None
    back = left + timedelta(days=dice.randint(1, 200)) if left and dice.random() < 0.5 else None
    threshold = 15_000_000
    wages = dice.choice((None, 9_000_000, threshold, threshold + 1, threshold + 1))
    return ModelPerson(
        born, hired, left, back, wages, dice.choice((0, 0, 0, 1_000_000, 2_412_000, 2_449_999, 3_000_000))
    )


def _lines(dice: random.Random, year: int) -> Iterator[Sent]:
    scale = dice.choice((1, 1, 3, 10))
    for _ in range(dice.randint(1, 40)):
        pay = dice.randint(0, 900_000) * scale
        amounts = {}
        for source in dice.sample(KNOWN[:6], dice.randint(0, 4)) + dice.sample(["pre_tax", "roth", *KNOWN, "bonus"], 1):
            amounts[source] = dice.choice((0, pay // 20, pay // 7, dice.randint(0, 300), dice.randint(0, 250_000)))
            if dice.random() < 0.08:
                amounts[source] = dice.choice(AROUND) + dice.randint(-2, 2)
        yield Sent(amounts, pay, date(year, 1, 1) + timedelta(days=dice.randint(0, 364)))


def rules_of(plan: ModelPlan) -> PlanRules:
    """The plan as the engine reads it."""
    eligibility = None
    if plan.eligibility is not None:
        age, months, entry = plan.eligibility
        eligibility = {"age": age, "service_months": months, "entry": entry}
    fact = {
        "sources": list(plan.sources),
        "deferral_overflow": plan.overflow,
        "roth_catch_up": plan.roth_catch_up,
        "catch_up_60_63": plan.higher_catch_up,
        "match": None if plan.tiers is None else {"tiers": [list(tier) for tier in plan.tiers]},
        "eligibility": eligibility,
    }
    return plan_rules_of("ACME", fact)


def participant_of(person: ModelPerson, year: int) -> Participant:
    """The person as the census tells the engine."""
    history = with_census_dates((), person.hired, person.left, None)
    if person.back is not None:
        history = with_census_dates(history, person.hired, person.left, person.back)
    opening = Opening(year, person.opening) if person.opening else None
    return Participant(person.born, history, prior_year_wages_cents=person.wages, opening=opening)


def as_model_says(decision: LineDecision) -> ModelAnswer:
    """The engine's decision in the model's words."""
    cuts: dict[tuple[str, str], int] = {}
    for cut in decision.cuts:
        if cut.cents:
            cuts[cut.source, cut.code] = cuts.get((cut.source, cut.code), 0) + cut.cents
    return ModelAnswer(decision.status, decision.accepted_cents, decision.rejected_cents, cuts, dict(decision.credited))


def sums(state: YearToDate) -> tuple[int, int, int, int, int]:
    """The accumulators that the model keeps too."""
    return (
        state.regular_pre_tax_cents, state.regular_roth_cents, state.catch_up_cents, state.other_additions_cents,
        state.compensation_cents,
    )  # fmt: skip


def differences(story: Story) -> list[str]:
    """Decide a story by both; the first line they answer differently, or nothing."""
    rules, person = rules_of(story.plan), participant_of(story.person, story.year)
    model = ModelYear(story.plan, story.person, story.year)
    model.regular["pre_tax"] = story.person.opening
    state = year_to_date_at_start(person, story.year)
    limits = reviewed_limits().get(story.year)
    found = []
    for number, sent in enumerate(story.lines):
        line = Line("ACME", "P", "R", sent.pay_date, sent.pay, list(sent.amounts.items()), [])
        decision = decide_line(line, rules, person, limits, state)
        state = decision.year_to_date
        expected = answer(model, sent.amounts, sent.pay, sent.pay_date)
        kept = (model.regular["pre_tax"], model.regular["roth"], model.catch_up, model.other, model.pay)
        if as_model_says(decision) != expected or sums(state) != kept:
            found.append(
                f"line {number}: {sent}: engine {as_model_says(decision)} {sums(state)}, model {expected} {kept}"
            )
            break
    return found


@pytest.mark.parametrize("block", range(10))
def test_the_rules_decide_whole_years_as_the_model_does(block: int) -> None:
    for seed in range(block * YEARS // 10, (block + 1) * YEARS // 10):
        story = drawn(seed)
        assert differences(story) == [], f"seed {seed}: {story.plan} {story.person}"


def test_the_model_meets_every_code_and_status() -> None:
    codes, statuses = set(), set()
    for seed in range(YEARS):
        story = drawn(seed)
        model = ModelYear(story.plan, story.person, story.year)
        for sent in story.lines:
            said = answer(model, sent.amounts, sent.pay, sent.pay_date)
            statuses.add(said.status)
            codes |= {code for _, code in said.cuts}
    assert statuses == {"accepted", "partially_accepted", "rejected", "held"}
    assert codes >= {
        "INVALID_AMOUNT", "UNKNOWN_SOURCE", "SOURCE_NOT_IN_PLAN", "NOT_ELIGIBLE", "TERMINATED", "LIMIT_402G",
        "LIMIT_CATCH_UP", "LIMIT_415C", "ROTH_CATCH_UP_REQUIRED",
    }  # fmt: skip

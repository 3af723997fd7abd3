"""Play the decisions of a scenario file through the pure rules, day by day, without broker, database or custodian.

Elections, funding, prices and orders say nothing about what the law accepts, so they are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import yaml

from services.contribution.rules.intake import Line
from services.contribution.rules.limits import reviewed_limits
from services.contribution.rules.line import LineDecision, decide_line
from services.contribution.rules.participant import Opening, Participant, with_census_dates
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from services.contribution.rules.records import LineRecord, YearToDate, year_to_date_at_start
from services.contribution.rules.reversals import (
    REVERSES_UNKNOWN,
    ReversalDecision,
    refuse_reversal,
    reverse_line,
)
from shared.values.money import cents_of, dollars_text

Event = Mapping[str, Any]


@dataclass
class Decided:
    """A line that was recorded, and what is left of it."""

    participant: str
    year: int
    record: LineRecord | None


@dataclass
class LawDay:
    """What one day decided, in the shape of a scenario's `expect`."""

    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    credited_cents: dict[str, dict[str, int]] = field(default_factory=dict)

    def credit(self, participant: str, pairs: tuple[tuple[str, int], ...], sign: int = 1) -> None:
        """Count what was recorded (or, with sign -1, taken out) for a participant."""
        by_source = self.credited_cents.setdefault(participant, {})
        for source, cents in pairs:
            by_source[source] = by_source.get(source, 0) + sign * cents

    @property
    def credited(self) -> dict[str, dict[str, str]]:
        """Dollars by participant and source."""
        return {
            participant: {source: dollars_text(cents) for source, cents in by_source.items()}
            for participant, by_source in self.credited_cents.items()
            if by_source
        }


class LawScenario:
    """The state of one scenario file while its days are played."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.days: list[Mapping[str, Any]] = document["days"]
        self.plans: dict[str, PlanRules] = {name: plan_rules_of(name, fact) for name, fact in document["plans"].items()}
        first_year = as_date(self.days[0]["date"]).year
        self.plan_of = {name: fact["plan"] for name, fact in document["participants"].items()}
        self.people = {name: participant_of(fact, first_year) for name, fact in document["participants"].items()}
        self.changed: dict[str, Participant] = {}
        self.year_to_date: dict[tuple[str, int], YearToDate] = {}
        self.decided: dict[str, Decided] = {}
        self.kinds: dict[str, Callable[[Event, LawDay], None]] = {
            "contribution": self.contribute,
            "reversal": self.reverse,
            "census": self.change_census,
            "resend": lambda event, day: count(day, event["resend"], "duplicates"),
            "resend_changed": lambda event, day: count(day, event["resend_changed"], "mismatches"),
        }

    def play(self, day: Mapping[str, Any]) -> LawDay:
        """Decide a day's events in order; a changed fact governs the days after it."""
        result = LawDay()
        for event in day["events"]:
            kind = next((kind for kind in self.kinds if kind in event), None)
            if kind is not None:
                self.kinds[kind](event, result)
        self.people |= self.changed
        self.changed.clear()
        return result

    def contribute(self, event: Event, day: LawDay) -> None:
        """Decide a payroll line."""
        name, pay_date = event["participant"], as_date(event["pay_date"])
        before = self.state(name, pay_date.year)
        amounts = [(source, cents_of(dollars)) for source, dollars in event["amounts"].items()]
        plan = self.plan_of[name]
        line = Line(
            plan,
            name,
            event["payroll"],
            pay_date,
            cents_of(event["compensation"]),
            amounts,
            [],
            event.get("employer_money"),
        )
        limits = reviewed_limits().get(pay_date.year)
        decision = decide_line(line, self.plans[plan], self.people[name], limits, before)
        self.year_to_date[name, pay_date.year] = decision.year_to_date
        self.decided[event["contribution"]] = Decided(name, pay_date.year, decision.record)
        day.receipts[event["contribution"]] = receipt_of(decision)
        day.credit(name, decision.credited)

    def reverse(self, event: Event, day: LawDay) -> None:
        """Decide a reversal."""
        asked = event.get("amounts")
        amounts = None if asked is None else tuple((source, cents_of(dollars)) for source, dollars in asked.items())
        decided = self.decided.get(event["reverses"])
        if decided is None or decided.record is None:
            decision = refuse_reversal(amounts or (("", 0),), REVERSES_UNKNOWN, YearToDate())
        else:
            name, year = decided.participant, decided.year
            plan, person = self.plans[self.plan_of[name]], self.people[name]
            decision = reverse_line(
                decided.record, amounts, plan, person, reviewed_limits()[year], self.state(name, year)
            )
            self.year_to_date[name, year] = decision.year_to_date
            decided.record = decision.record
            day.credit(name, decision.debited, sign=-1)
        day.receipts[event["reversal"]] = receipt_of(decision)

    def change_census(self, event: Event, day: LawDay) -> None:
        """Take a changed census fact, for the days after this one."""
        name = event["census"]
        person = self.changed.get(name, self.people[name])
        if {"hired", "terminated", "rehired"} & event.keys():
            hired = as_date(event["hired"]) if "hired" in event else person.employment[0].hired
            history = with_census_dates(
                person.employment, hired, optional_date(event.get("terminated")), optional_date(event.get("rehired"))
            )
            person = msgspec.structs.replace(person, employment=history)
        if "prior_year_wages" in event:
            person = msgspec.structs.replace(person, prior_year_wages_cents=cents_of(event["prior_year_wages"]))
        self.changed[name] = person

    def state(self, name: str, year: int) -> YearToDate:
        """The accumulators of a participant and year."""
        return self.year_to_date.get((name, year)) or year_to_date_at_start(self.people[name], year)


def participant_of(fact: Mapping[str, Any], first_year: int) -> Participant:
    """Read a participant of the head; `ytd` is the opening of the first day's year."""
    ytd, wages = fact.get("ytd"), fact.get("prior_year_wages")
    history = with_census_dates(
        (), as_date(fact["hired"]), optional_date(fact.get("terminated")), optional_date(fact.get("rehired"))
    )
    return Participant(
        birth_date=as_date(fact["born"]),
        employment=history,
        prior_year_wages_cents=None if wages is None else cents_of(wages),
        opening=None if ytd is None else Opening(first_year, sum(cents_of(dollars) for dollars in ytd.values())),
    )


def receipt_of(decision: LineDecision | ReversalDecision) -> dict[str, Any]:
    """Return a receipt as a scenario writes it."""
    receipt: dict[str, Any] = {
        "status": decision.status,
        "accepted": dollars_text(decision.accepted_cents),
        "rejected": dollars_text(decision.rejected_cents),
    }
    if decision.codes:
        receipt["codes"] = list(decision.codes)
    return receipt


def count(day: LawDay, line_id: str, answer: str) -> None:
    """Count an answer to a resend beside the receipt of its line."""
    receipt = day.receipts.setdefault(line_id, {})
    receipt[answer] = receipt.get(answer, 0) + 1


def differences(scenario: LawScenario) -> list[str]:
    """Play every day and say where receipts or credits differ from what the file expects; named entries whole."""
    found = []
    for day in scenario.days:
        result = scenario.play(day)
        expect = day.get("expect") or {}
        for part, actual in (("receipts", result.receipts), ("credited", result.credited)):
            for name, expected in (expect.get(part) or {}).items():
                got = actual.get(name, {})
                if expected != got:
                    found.append(f"{day['date']} {part} {name}: expected {expected}, got {got}")
    return found


def read_scenario(path: Path) -> LawScenario:
    """Read a scenario file."""
    return LawScenario(yaml.safe_load(path.read_text(encoding="utf-8")))


def as_date(value: date | str) -> date:
    """YAML turns an unquoted date into one already."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def optional_date(value: date | str | None) -> date | None:
    """None stays None."""
    return None if value is None else as_date(value)

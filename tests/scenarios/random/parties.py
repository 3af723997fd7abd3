"""The plans and participants of a file, with what is in force and what waits for the next date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.scenarios.random.law import PlanRules
from tests.scenarios.random.money import Trust
from tests.scenarios.random.people import Person


@dataclass(frozen=True)
class Terms:
    """What a plan's document says; a changed one counts from the next date on."""

    rules: PlanRules
    default_fund: str
    on_file: bool
    vesting: Mapping[str, Any]
    holds_mismatch: bool = True


@dataclass
class Plan:
    """A plan of the file: its terms, and its trust account."""

    terms: Terms
    trust: Trust
    next_terms: Terms | None = None

    @property
    def rules(self) -> PlanRules:
        """Its law."""
        return self.terms.rules


@dataclass
class Member:
    """A participant: facts in force, facts that wait for the next date, elections likewise."""

    plan: str
    person: Person
    percents: dict[str, str] | None = None
    next_person: Person | None = None
    next_percents: dict[str, str] | None = None

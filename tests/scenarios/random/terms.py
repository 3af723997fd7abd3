"""Draw what a plan's document says, first and later: as a file writes it, and as the model reads it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.scenarios.random.law import SOURCES, PlanRules
from tests.scenarios.random.parties import Terms
from tests.scenarios.random.people import Entry

FORMULAS = (
    (("3", "100"), ("2", "50")), (("4", "100"),), (("1", "100"), ("5", "50")), (("6", "50"),),
    (("2.5", "66.67"), ("0.5", "33.33")), (("100", "1"),),
)  # fmt: skip
SCHEDULES: tuple[Any, ...] = ("immediate", "cliff_3", "graded_2_6", ["20", "40", "100"], ["0", "50", "75", "100"])
MATCH_SOURCES = ("match", "match", "match", "safe_harbor_match", "qmac")
ENTRIES = ("immediate", "monthly", "quarterly", "semi_annual", "annual")
GROUPS = ("union", "seasonal", "office")
LEAST_MONTHS = 4
"""Of a short year: fewer, and reversals would meet the cap on counted pay."""


@dataclass(frozen=True)
class Drawing:
    """What terms are drawn from."""

    rng: random.Random
    mood: str
    funds: Sequence[str]
    year: int
    is_one_year: bool

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of a hundred draws."""
        return self.rng.randrange(100) < percent

    def first(self) -> dict[str, Any]:
        """A plan as the head of a file writes it."""
        formula = self.rng.choice(FORMULAS) if self.chance(60 if self.mood in ("law", "reversals") else 15) else None
        own = {"pre_tax", *self.rng.sample(SOURCES, self.rng.randint(0, 5))}
        if self.chance(60):
            own.add("roth")
        spec: dict[str, Any] = {"sources": [], "default_fund": self.rng.choice(self.funds)}
        if formula is not None:
            spec["match"] = self._match(formula)
            own.add(spec["match"].get("source", "match"))
        if len(own) > 1 and self.chance(6):
            own.discard("pre_tax")
        spec["sources"] = self.rng.sample(sorted(own), len(own))
        on_file, first, reject = self.chance(50), self.chance(25), self.chance(25)
        self._say(spec, "trade_on", "file" if on_file else "funding", on_file)
        self._say(spec, "deferral_overflow", "pre_tax_first" if first else "pro_rata", first)
        self._say(spec, "roth_catch_up", "reject" if reject else "deemed", reject)
        vested = [source for source in ("match", "profit_sharing") if source in own and self.chance(30)]
        if vested:
            spec["vesting"] = {source: self.rng.choice(SCHEDULES) for source in vested}
        return spec | self._rarer()

    def change(self, spec: dict[str, Any]) -> dict[str, Any]:
        """One to three settings that change; the others stay."""
        changed: dict[str, Any] = {}
        for key in self.rng.sample(
            ("sources", "match", "default_fund", "trade_on", "deferral_overflow", "roth_catch_up", "catch_up_60_63",
             "on_totals_mismatch", "eligibility", "vesting"),
            self.rng.randint(1, 3),
        ):  # fmt: skip
            changed[key] = self._changed(key, spec | changed)
        match = (spec | changed).get("match")
        needed = None if match is None else match.get("source", "match")
        sources = list((spec | changed)["sources"])
        if needed is not None and needed not in sources:
            changed["sources"] = [*sources, needed]
        return changed

    def _changed(self, key: str, spec: Mapping[str, Any]) -> Any:
        if key == "sources":
            own = set(spec["sources"])
            loose = sorted(own - set(spec.get("vesting") or {}))
            gone = set(self.rng.sample(loose, min(len(loose), len(own) - 1, self.rng.randint(0, 2))))
            new = (own - gone) | set(self.rng.sample(SOURCES, self.rng.randint(0, 2)))
            return self.rng.sample(sorted(new), len(new))
        if key == "match":
            return self._match(self.rng.choice(FORMULAS)) if self.chance(70) else None
        if key == "eligibility":
            return self._eligibility() if self.chance(50) else None
        if key == "vesting":
            return {source: self.rng.choice(SCHEDULES) for source in ("match", "profit_sharing")
                    if source in spec["sources"] and self.chance(70)}  # fmt: skip
        choices: dict[str, Sequence[Any]] = {
            "default_fund": self.funds, "trade_on": ("file", "funding"), "catch_up_60_63": (True, False),
            "deferral_overflow": ("pre_tax_first", "pro_rata"), "roth_catch_up": ("deemed", "reject"),
            "on_totals_mismatch": ("hold", "trade"),
        }  # fmt: skip
        return self.rng.choice(choices[key])

    def _match(self, formula: Sequence[Sequence[str]]) -> dict[str, Any]:
        period = "annual" if self.chance(20) and self.is_one_year else "per_pay"
        source = self.rng.choice(MATCH_SOURCES)
        match: dict[str, Any] = {"tiers": [list(tier) for tier in formula], "period": period}
        return match if source == "match" else match | {"source": source}

    def _rarer(self) -> dict[str, Any]:
        spec: dict[str, Any] = {}
        if self.chance(20 if self.mood in ("law", "changes") else 3):
            spec["catch_up_60_63"] = self.chance(20)
        if self.chance(20 if self.mood in ("law", "changes") else 0):
            spec["short_years"] = {self.year: self.rng.randint(LEAST_MONTHS, 11)}
        if self.chance(50 if self.mood == "totals" else 0):
            spec["on_totals_mismatch"] = self.rng.choice(("hold", "trade"))
        if self.chance(85 if self.mood == "eligibility" else 0):
            spec["eligibility"] = self._eligibility()
        if self.chance(60 if self.mood == "eligibility" else 0):
            spec["post_severance_days"] = self.rng.choice((0, 1, 30, 75, 200))
        return spec

    def _eligibility(self) -> dict[str, Any]:
        rule: dict[str, Any] = {}
        if self.chance(60):
            rule["age"] = self.rng.choice((18, 20, 21))
        if self.chance(70):
            rule["service_months"] = self.rng.choice((1, 3, 6, 12))
            rule["requires_hours"] = self.chance(30)
        if self.chance(70):
            rule["entry"] = self.rng.choice(ENTRIES)
        if self.chance(40):
            rule["excluded_groups"] = self.rng.sample(GROUPS, self.rng.randint(0, 2))
        return rule

    def _say(self, spec: dict[str, Any], key: str, value: str, must: bool) -> None:
        """Write a setting where it must be, and sometimes where it is the default."""
        if must or self.chance(50):
            spec[key] = value


def read_terms(spec: Mapping[str, Any]) -> Terms:
    """What a file writes of a plan, as the model understands it."""
    match = spec.get("match")
    tiers = None if match is None else tuple((of_pay, matched) for of_pay, matched in match["tiers"])
    rule = spec.get("eligibility")
    entry = rule and Entry(
        rule.get("age", 0), rule.get("service_months", 0), rule.get("entry", "immediate"),
        rule.get("requires_hours", False), tuple(rule.get("excluded_groups", ())),
    )  # fmt: skip
    rules = PlanRules(
        tuple(spec["sources"]),
        tiers,
        spec.get("deferral_overflow") == "pre_tax_first",
        spec.get("roth_catch_up") or "deemed",
        "match" if match is None else match.get("source", "match"),
        spec.get("catch_up_60_63") is not False,
        entry or None,
        spec.get("post_severance_days"),
        tuple((spec.get("short_years") or {}).items()),
    )
    is_strict = spec.get("on_totals_mismatch") != "trade"
    return Terms(rules, spec["default_fund"], spec.get("trade_on") == "file", spec.get("vesting") or {}, is_strict)

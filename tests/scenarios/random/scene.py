"""The scene of a random scenario: its dates, funds, plans and people, and the chances that its mood gives."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

from tests.scenarios.random.exact import dollars
from tests.scenarios.random.limits import LIMITS
from tests.scenarios.random.money import Trust
from tests.scenarios.random.parties import Member, Plan
from tests.scenarios.random.staff import Staff, facts_of
from tests.scenarios.random.terms import Drawing, read_terms
from tests.scenarios.random.trading_dates import open_dates
from tests.scenarios.random.world import World

BASES = (
    date(2026, 11, 16), date(2026, 11, 23), date(2026, 6, 29), date(2026, 3, 30), date(2026, 9, 2), date(2025, 12, 26),
    date(2024, 12, 27), date(2023, 6, 28), date(2022, 4, 11), date(2025, 10, 9), date(2026, 1, 15),
)  # fmt: skip
"""First dates of a batch: files given together share their days, so all of one seed start near the same date."""
MOODS = (
    "flow", "flow", "law", "law", "custodian", "reversals", "reversals", "runs", "strange", "pennies",
    "eligibility", "eligibility", "totals", "totals", "changes", "changes",
)  # fmt: skip
ACTIONS = ("reject", "late", "duplicate", "misprice", "wrong_shares")
NAMES = ("P000", "P001", "P002", "P10", "P9", "p-3", "Z", "a", "A_b", "zz", "Q7", "q7", "B", "b2")
FUNDS = ("F1", "F2", "F10", "f3", "F-4", "FA")
ODD_NAMES = ("P 1", "Zoë", "ß", "\ufb01n", "\U00010428", "a:b", "p|q", "x%20y", "Ж/7", "-", "0", "?a=b", "null", "1e3")
ODD_FUNDS = ("F", "F:F", "F/1", "Ж 1", "f#2", "1")
ODD_PLANS = ("PL", "PL:F", "é/PL")
"""Ids are opaque: they may hold what separates, what addresses escape, what sorts differently in other encodings."""


def batch_start(seed: int) -> date:
    """The first date of the files of ``seed``."""
    return random.Random(f"batch {seed}").choice(BASES)


def late_limits_date(seed: int) -> date | None:
    """When the late year's limits come, for all files of ``seed``: the law is one for a cluster. None = never."""
    rng = random.Random(f"limits {seed}")
    return open_dates(batch_start(seed), 8)[rng.randint(1, 5)] if rng.random() < 0.8 else None


class Scene:
    """One scenario being drawn: the file so far, and the model's world beside it."""

    def __init__(self, seed: int, index: int) -> None:
        self.rng = random.Random(f"scenario {seed} {index}")
        self.mood = self.rng.choice(MOODS)
        dates = open_dates(batch_start(seed), 8)
        first = self.rng.randrange(3)
        self.dates = dates[first : first + self.rng.randint(1, 5)]
        self.year = self.dates[0].year
        self.is_one_year = self.year == self.dates[-1].year
        self.serial = 0
        self.is_odd = self.mood == "strange" and self.chance(40)
        title = f"random {self.mood} {seed}-{index}"
        self.file: dict[str, Any] = {"scenario": title, "plans": {}, "funds": {}, "participants": {}, "days": []}
        self.decimals = self._funds()
        self.late_limits = late_limits_date(seed)
        self.staff = Staff(self.rng, self.mood, self.dates)
        self.terms = Drawing(self.rng, self.mood, list(self.decimals), self.year, self.is_one_year)
        self.specs: dict[str, dict[str, Any]] = {}
        """What each plan's document says by the last event about it."""
        self.world = World({name: self._plan(name) for name in self._plan_names()}, self.decimals, self.year)
        self.capped: set[str] = set()
        """Those whose lines run into 415(c): what they are owed must not depend on anything the rules leave open."""
        self.tricky: set[str] = set()
        """Runs whose cash went back: their fundings name an amount."""
        self.ghosts: list[tuple[str, str]] = []
        """Who was never told of, and the plan that lines of him named."""
        self._people()

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of a hundred draws."""
        return self.rng.randrange(100) < percent

    def name(self, prefix: str) -> str:
        """A fresh event name."""
        self.serial += 1
        return f"{prefix} é/{self.serial}" if self.is_odd else f"{prefix}{self.serial}"

    def _funds(self) -> dict[str, int]:
        names = self.rng.sample(ODD_FUNDS if self.is_odd else FUNDS, self.rng.randint(1, 5))
        decimals = {name: self.rng.choice((3, 3, 3, 3, 4, 6, 0, 1, 2, 5)) for name in names}
        self.file["funds"] = {
            name: {"share_decimals": places} if places != 3 or self.chance(50) else {}
            for name, places in decimals.items()
        }
        return decimals

    def _plan_names(self) -> list[str]:
        count = self.rng.choice((1, 1, 2, 3))
        return list(ODD_PLANS[:count]) if self.is_odd else [f"PL{number}" for number in range(count)]

    def _plan(self, name: str) -> Plan:
        self.file["plans"][name] = spec = self.terms.first()
        self.specs[name] = dict(spec)
        return Plan(read_terms(spec), Trust(self.decimals))

    def percents(self) -> dict[str, str]:
        """An election: whole percents or hundredths, and sometimes a fund that gets none of it."""
        funds = self.rng.sample(list(self.decimals), self.rng.randint(1, len(self.decimals)))
        step = self.rng.choice((1, 1, 1, 100))
        cuts = sorted(self.rng.sample(range(1, 100 * step), len(funds) - 1))
        shares = [after - before for before, after in pairwise([0, *cuts, 100 * step])]
        texts = [str(share) if step == 1 else f"{share // 100}.{share % 100:02d}" for share in shares]
        nothing = {fund: "0" for fund in self.decimals if fund not in funds and self.chance(5)}
        return dict(zip(funds, texts, strict=True)) | nothing

    def _people(self) -> None:
        count = self.rng.randint(2, self.rng.choice((3, 6, 12, 30 if self.mood in ("flow", "law") else 8)))
        names = self.rng.sample(ODD_NAMES if self.is_odd else NAMES, min(count, len(NAMES))) + [
            f"P{100 + n}" for n in range(count - len(NAMES))
        ]
        for who in names:
            plan = self.rng.choice(list(self.world.plans))
            person = self.staff.person(self.world.plans[plan].terms)
            is_short = bool(self.world.plans[plan].rules.short_years)
            if is_short:
                person = replace(person, wages=None)
                self.capped.add(who)
            percents = self.percents() if self.chance(60) else None
            opening = self._opening() if not is_short and self.mood in ("law", "strange") and self.chance(60) else {}
            self.file["participants"][who] = {"plan": plan} | facts_of(person)
            if opening:
                self.file["participants"][who]["ytd"] = {source: dollars(cents) for source, cents in opening.items()}
            elif self.mood == "law" and self.chance(25) and not person.wages:
                self.capped.add(who)
            if percents is not None:
                self.file["participants"][who]["elections"] = percents
            self.world.join(who, Member(plan, person, percents), sum(opening.values()))

    def _opening(self) -> dict[str, int]:
        cents = LIMITS[self.year].deferral - self.rng.choice((0, 1, 38_000, 50_000, 200_000, 450_000, -100_000))
        roth = self.rng.choice((0, 0, 100_00, cents))
        parts = {"pre_tax": cents - roth, "roth": roth}
        return {source: part for source, part in parts.items() if part}

"""The scene of a random scenario: its dates, funds, plans and people, and the chances that its mood gives."""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from tests.scenarios.random.exact import dollars
from tests.scenarios.random.law import LIMITS, SOURCES, Person, PlanRules
from tests.scenarios.random.money import Trust
from tests.scenarios.random.trading_dates import open_dates
from tests.scenarios.random.world import Member, Plan, World

BASES = (
    date(2026, 11, 16), date(2026, 11, 23), date(2026, 6, 29), date(2026, 3, 30), date(2026, 9, 2), date(2025, 12, 26),
    date(2024, 12, 27), date(2023, 6, 28), date(2022, 4, 11), date(2025, 10, 9), date(2026, 1, 15),
)  # fmt: skip
"""First dates of a batch: files given together share their days, so all of one seed start near the same date."""
FORMULAS = (
    (("3", "100"), ("2", "50")), (("4", "100"),), (("1", "100"), ("5", "50")), (("6", "50"),),
    (("2.5", "66.67"), ("0.5", "33.33")), (("100", "1"),),
)  # fmt: skip
SCHEDULES: tuple[Any, ...] = ("immediate", "cliff_3", "graded_2_6", ["20", "40", "100"], ["0", "50", "75", "100"])
MOODS = ("flow", "flow", "law", "law", "custodian", "reversals", "reversals", "runs", "strange", "pennies")
ACTIONS = ("reject", "late", "duplicate", "misprice", "wrong_shares")
NAMES = ("P000", "P001", "P002", "P10", "P9", "p-3", "Z", "a", "A_b", "zz", "Q7", "q7", "B", "b2")
FUNDS = ("F1", "F2", "F10", "f3", "F-4", "FA")
ODD_NAMES = ("P 1", "Zoë", "ß", "\ufb01n", "\U00010428", "a:b", "p|q", "x%20y", "Ж/7", "-", "0", "?a=b", "null", "1e3")
ODD_FUNDS = ("F", "F:F", "F/1", "Ж 1", "f#2", "1")
ODD_PLANS = ("PL", "PL:F", "é/PL")
"""Ids are opaque: they may hold what separates, what addresses escape, what sorts differently in other encodings."""
LONG_AGO = date(2015, 1, 5)


def batch_start(seed: int) -> date:
    """The first date of the files of ``seed``."""
    return random.Random(f"batch {seed}").choice(BASES)


def facts_of(person: Person) -> dict[str, str]:
    """A person's facts as a file writes them."""
    facts = {"born": person.born.isoformat(), "hired": person.hired.isoformat()}
    if person.terminated is not None:
        facts["terminated"] = person.terminated.isoformat()
    if person.wages is not None:
        facts["prior_year_wages"] = dollars(person.wages)
    return facts


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
        self.world = World({name: self._plan(name) for name in self._plan_names()}, self.decimals, self.year)
        self.capped: set[str] = set()
        """Those whose lines run into 415(c): what they are owed must not depend on anything the rules leave open."""
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
        decimals = {name: self.rng.choice((3, 3, 3, 3, 4, 6, 0, 2)) for name in names}
        self.file["funds"] = {
            name: {"share_decimals": places} if places != 3 or self.chance(50) else {}
            for name, places in decimals.items()
        }
        return decimals

    def _plan_names(self) -> list[str]:
        count = self.rng.choice((1, 1, 2, 3))
        return list(ODD_PLANS[:count]) if self.is_odd else [f"PL{number}" for number in range(count)]

    def _plan(self, name: str) -> Plan:
        formula = self.rng.choice(FORMULAS) if self.chance(60 if self.mood in ("law", "reversals") else 15) else None
        own = {"pre_tax", *self.rng.sample(SOURCES, self.rng.randint(0, 5))} | ({"match"} if formula else set())
        if self.chance(60):
            own.add("roth")
        sources = self.rng.sample(sorted(own), len(own))
        on_file, first, reject = self.chance(50), self.chance(25), self.chance(25)
        spec: dict[str, Any] = {"sources": sources, "default_fund": self.rng.choice(list(self.decimals))}
        self._say(spec, "trade_on", "file" if on_file else "funding", on_file)
        self._say(spec, "deferral_overflow", "pre_tax_first" if first else "pro_rata", first)
        self._say(spec, "roth_catch_up", "reject" if reject else "deemed", reject)
        if formula is not None:
            period = "annual" if self.chance(20) and self.is_one_year else "per_pay"
            spec["match"] = {"tiers": [list(tier) for tier in formula], "period": period}
        vested = [source for source in ("match", "profit_sharing") if source in own and self.chance(30)]
        if vested:
            spec["vesting"] = {source: self.rng.choice(SCHEDULES) for source in vested}
        self.file["plans"][name] = spec
        rules = PlanRules(tuple(sources), formula, first, "reject" if reject else "deemed")
        return Plan(rules, spec["default_fund"], on_file, Trust(self.decimals), spec.get("vesting", {}))

    def _say(self, spec: dict[str, Any], key: str, value: str, must: bool) -> None:
        """Write a setting where it must be, and sometimes where it is the default."""
        if must or self.chance(50):
            spec[key] = value

    def born(self) -> date:
        """A birth date near one of the ages that matter."""
        age = self.rng.choice((25, 36, 49, 50, 50, 59, 60, 60, 63, 64, 71))
        month, day = self.rng.choice(((1, 1), (12, 31), (6, 15)))
        return date(self.year - age, month, day)

    def wages(self) -> int | None:
        """Prior-year wages around the threshold; over a turn of the year it would be open which year they are of."""
        return self.rng.choice((15_000_000, 15_000_001, 9_000_000, 30_000_000)) if self.is_one_year else None

    def person(self) -> Person:
        """A new person's facts."""
        wages = self.wages() if self.chance(60) else None
        if self.chance(70):
            return Person(self.born(), LONG_AGO, wages=wages)
        hired = date(self.year - self.rng.randint(1, 7), self.dates[0].month, self.rng.randint(1, 28))
        while any((hired - timedelta(days=1)).timetuple()[1:3] == (day.month, day.day) for day in self.dates):
            hired -= timedelta(days=1)  # Whether a year is whole on the eve of its day is not said anywhere.
        gone = date(self.year - 1, 2, 27) if hired.year < self.year - 1 and self.chance(20) else None
        return Person(self.born(), hired, gone, wages)

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
            plan, person = self.rng.choice(list(self.world.plans)), self.person()
            percents = self.percents() if self.chance(60) else None
            opening = self._opening() if self.mood in ("law", "strange") and self.chance(60) else {}
            self.file["participants"][who] = {"plan": plan} | facts_of(person)
            if opening:
                self.file["participants"][who]["ytd"] = {source: dollars(cents) for source, cents in opening.items()}
            elif self.mood == "law" and self.chance(25) and not person.wages:
                self.capped.add(who)
            if percents is not None:
                self.file["participants"][who]["elections"] = percents
            self.world.join(who, Member(plan, person, percents), sum(opening.values()))

    def _opening(self) -> dict[str, int]:
        cents = LIMITS[self.year].deferral - self.rng.choice((0, 1, 38_000, 50_000, 200_000, 450_000))
        roth = self.rng.choice((0, 0, 100_00, cents))
        parts = {"pre_tax": cents - roth, "roth": roth}
        return {source: part for source, part in parts.items() if part}

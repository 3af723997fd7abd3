"""The events of one random day, told to the model's world as they are drawn."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.scenarios.random import run_events
from tests.scenarios.random.exact import dollars
from tests.scenarios.random.law import DEFERRALS, EMPLOYER, SOURCES
from tests.scenarios.random.limits import LATE_YEAR, UNLOADED_YEAR
from tests.scenarios.random.parties import Member
from tests.scenarios.random.people import Person
from tests.scenarios.random.runs import Line
from tests.scenarios.random.scene import Scene
from tests.scenarios.random.staff import facts_of

MUCH_PAY = 10_000_000
"""Above this, in cents, the cap on counted pay may matter, and a reversal's part in it is not said anywhere."""


class Events:
    """Draws one day."""

    def __init__(self, scene: Scene, day: date) -> None:
        self.scene = scene
        self.rng = scene.rng
        self.world = scene.world
        self.mood = scene.mood
        self.chance = scene.chance
        self.day = day
        self.events: list[dict[str, Any]] = []
        self.tricky = scene.tricky

    def draw(self) -> list[dict[str, Any]]:
        """All of the day."""
        limits = run_events.late_limits(self.scene, self.day)
        is_loading = limits is not None and self.day == self.scene.late_limits
        if limits is not None:
            self.events.append(limits)
            if not is_loading:
                self.world.load_late_limits()
        people = list(self.world.members)
        self.rng.shuffle(people)
        for plan in self.world.plans:
            if self.chance(40 if self.mood == "changes" else 1):
                self.events.append(run_events.plan_change(self.scene, plan))
            if self.chance(40 if self.mood == "totals" else 1):
                self.events.append(run_events.opened(self.scene, f"R-{plan}-{self.day.isoformat()}", plan))
        if self.chance(30 if self.mood == "runs" else 3):
            self._early_cash()
        for who in people:
            self._of_one(who)
        if self.chance(60 if self.mood == "strange" else 4):
            self._stranger()
        self._funding(percent=100)
        if self.chance(30 if self.mood == "reversals" else 5):
            self._reversal(self.rng.choice(people))
        self._about_runs()
        if is_loading:
            self.world.load_late_limits()  # Nobody knows at which moment of the date another file brought them.
        return self.events

    def _about_runs(self) -> None:
        """Totals, and cash that the bank takes back, before or after it was used."""
        for name, run in list(self.world.runs.items()):
            if self.chance(35 if self.mood == "totals" else 1):
                event = run_events.closed(self.scene, name, run)
                self.events += [] if event is None else [event]
            if run.funded > 0 and run.is_named and self.chance(15 if self.mood in ("totals", "runs") else 1):
                self.events.append(run_events.returned(self.scene, name, run))
                self.tricky.add(name)

    def _of_one(self, who: str) -> None:
        if self.chance(12):
            self._election(who)
        for _ in range(self.rng.choice((1, 1, 1, 0, 2, 3)) if self.chance(85) else 0):
            self._contribution(who)
        if self.chance(25 if self.mood == "reversals" else 3):
            self._reversal(who)
        if self.chance(12):
            self._resend(who)
        if self.chance({"strange": 6, "law": 6, "eligibility": 20}.get(self.mood, 1)):
            self._census(who)
        if self.chance(10 if self.mood == "runs" else 3):
            self._funding(percent=30)

    def _contribution(self, who: str) -> None:
        plan = self.world.members[who].plan
        own = self.world.lines_of(who, plan)
        if own and self.chance(5 if self.mood in ("strange", "totals") else 0):
            first = self.rng.choice(own)
            if first.pay_date.year != LATE_YEAR or self.day != self.scene.late_limits:
                self._send(first.again(self.scene.name("c")))
            return
        run = f"R-{plan}-{self.day.isoformat()}"
        if self.chance(15):
            run = self.rng.choice([run + "b", *[name for name, old in self.world.runs.items() if old.plan == plan]])
        pay = 0 if self.chance(6) else self.rng.randint(1, 2_000_000)
        if self.mood == "law" and self.chance(5) and not any(line.reversed for line in own):
            pay = self.rng.randint(10_000_000, 40_000_000)
        pay_date, amounts = self._pay_date(who), self._amounts(who, plan)
        line = Line(self.scene.name("c"), who, plan, run, pay_date, pay, amounts)
        if self.chance(8 if self.mood in ("law", "changes", "eligibility") else 0):
            line.employer_money = self.rng.choice(("true_up", "nonelective", "discretionary"))
            sources = self.world.plans[plan].rules.sources
            given = [source for source in sources if source in EMPLOYER] or ["pre_tax"]
            line.amounts = {source: self._cents(source) for source in self.rng.sample(given, 1)}
            line.pay = 0
        self._send(line)

    def _pay_date(self, who: str) -> date:
        if self.mood == "eligibility" and self.chance(40):
            near = self.day + timedelta(days=self.rng.choice((-3, -2, -1, 1, 2, 3)))
            return near if near.year == self.day.year else self.day
        if self.chance(85) or self.world.members[who].person.terminated is not None:
            return self.day
        is_odd = self.mood in ("law", "strange", "changes")
        if is_odd and self.chance(8):
            return date(UNLOADED_YEAR, 1, 4)
        if is_odd and self.chance(25) and self.day != self.scene.late_limits:
            return date(LATE_YEAR, 1, self.rng.randint(1, 31))
        back = self.rng.choice((1, 2, 3, 9, 30, 200, 400) if is_odd else (1, 2, 3, 9))
        return max(self.day - timedelta(days=back), date(2022, 1, 3))

    def _amounts(self, who: str, plan: str) -> dict[str, int]:
        rules = self.world.plans[plan].rules
        able = [source for source in rules.sources if source != rules.match_source or rules.tiers is None]
        chosen = self.rng.sample(able, min(len(able), self.rng.choice((1, 1, 2, 3, 4))))
        if self.mood in ("strange", "pennies") and self.chance(3):
            return {}
        if "pre_tax" not in chosen and self.chance(60):
            chosen.append("pre_tax")
        amounts = {source: self._cents(source) for source in chosen}
        if who in self.scene.capped:
            if rules.short_years and "pre_tax" in chosen and "roth" in chosen:
                chosen.remove("roth")  # How 415(c) cuts two sources of a line that was relabelled in part is not said.
            return self._much(chosen)
        if self.chance(10 if self.mood == "strange" else 1):
            absent = [source for source in SOURCES if source not in able]
            amounts[self.rng.choice([*absent, "bonus", "Pre_Tax"])] = self._cents("match")
        if self.mood == "strange" and self.chance(4) and able:
            amounts[self.rng.choice(able)] = -self.rng.randint(1, 500)
        return amounts

    def _cents(self, source: str) -> int:
        if self.mood == "pennies":
            return self.rng.choice((0, 1, 1, 1, 2, 3, 5, 7, 10, 11, 33))
        if source.startswith("rollover") and self.chance(20):
            return self.rng.randint(1, 123_456_789)
        most = 600_000 if self.mood == "law" and source in DEFERRALS else 60_000
        return self.rng.randint(1, self.rng.choice((most, most // 10, 100)))

    def _much(self, chosen: list[str]) -> dict[str, int]:
        """Amounts that run into 415(c)."""
        amounts = {source: self.rng.randint(1, 40_000_00) for source in chosen if source not in EMPLOYER}
        employer = [source for source in chosen if source in EMPLOYER]
        return amounts | {source: self.rng.randint(1, 30_000_00) for source in employer}

    def _send(self, line: Line) -> None:
        self.world.send(line)
        event = {
            "contribution": line.name,
            "participant": line.who,
            "payroll": line.run,
            "pay_date": line.pay_date.isoformat(),
            "compensation": dollars(line.pay),
            "amounts": {source: dollars(cents) for source, cents in line.amounts.items()},
        }
        if line.employer_money is not None:
            event["employer_money"] = line.employer_money
        if line.who not in self.world.members or self.world.members[line.who].plan != line.plan:
            event["plan"] = line.plan
            if line.who not in self.world.members and self._is_plain(line) and self.chance(50):
                del event["plan"]
        self.events.append(event)

    def _is_plain(self, line: Line) -> bool:
        """True where the run's first line says the plan: it is of somebody the head lists."""
        first = self.world.runs[line.run].lines[0].who if line.run in self.world.runs else ""
        return first in self.scene.file["participants"] and self.world.members[first].plan == line.plan

    def _election(self, who: str) -> None:
        percents = self.scene.percents()
        if self.chance(4):
            percents[next(iter(percents))] = "0"  # Does not make a hundred: refused, and the one before stays.
        else:
            self.world.elect(who, percents)
        self.events.append({"election": who, "funds": percents})

    def _resend(self, who: str) -> None:
        lines = {line.name: line.amounts for line in self.world.lines.values() if line.who == who}
        taken = {name: amounts for name, (of, amounts) in self.world.reversals.items() if of == who}
        if not lines and not taken:
            return
        name = self.rng.choice([*lines, *taken])
        amounts = lines.get(name) or taken.get(name)
        if amounts is None or self.chance(65):
            self.world.resend(name, changed=False)
            self.events.append({"resend": name})
            return
        self.world.resend(name, changed=True)
        source = self.rng.choice(list(amounts))
        changed = dict(amounts) | {
            source: amounts[source] + self.rng.choice((1, 100, -1 if amounts[source] > 0 else 1))
        }
        told = {source: dollars(cents) for source, cents in changed.items()}
        self.events.append({"resend_changed": name, "amounts": told})

    def _census(self, who: str) -> None:
        old = self.world.members[who].next_person or self.world.members[who].person
        new = self.scene.staff.corrected(old, may_tell_wages=who not in self.scene.capped)
        self.world.change(who, new)
        self.events.append({"census": who} | facts_of(new))

    def _stranger(self) -> None:
        """Lines of somebody or something nobody told of; sometimes the census comes, before or after them."""
        plan = self.rng.choice(list(self.world.plans))
        if self.chance(40):
            who = self.rng.choice(list(self.world.members))
            other = [name for name in self.world.plans if name != self.world.members[who].plan]
            plan = self.rng.choice([*other, "NOPLAN"])
            self._send(self._simple(who, plan, 0))
            return
        if self.scene.ghosts and self.chance(50):
            self._known_at_last()
            return
        who, person = self.scene.name("S"), self.scene.staff.person(self.world.plans[plan].terms)
        comes, before = self.chance(60), self.chance(30)
        if comes and before:
            self._join(who, plan, person)
        for number in range(self.rng.randint(1, 3)):
            self._send(self._simple(who, plan, number))
        if comes and not before:
            self._join(who, plan, person)
        if not comes:
            self.scene.ghosts.append((who, plan))

    def _known_at_last(self) -> None:
        """The census of somebody whose lines were rejected on an earlier date, and the same lines under new ids."""
        who, plan = self.scene.ghosts.pop()
        sent = self.world.lines_of(who, plan)
        self._join(who, plan, self.scene.staff.person(self.world.plans[plan].terms))
        for line in sent:
            self._send(line.again(self.scene.name("c")))

    def _simple(self, who: str, plan: str, number: int) -> Line:
        run = f"R-{plan}-s{number}-{self.day.isoformat()}"
        if self.chance(40) and f"R-{plan}-{self.day.isoformat()}" in self.world.runs:
            run = f"R-{plan}-{self.day.isoformat()}"
        amounts = {"pre_tax": self.rng.randint(1, 50_000)}
        return Line(self.scene.name("c"), who, plan, run, self.day, 100_000 + number, amounts)

    def _join(self, who: str, plan: str, person: Person) -> None:
        self.events.append({"census": who, "plan": plan} | facts_of(person))
        self.world.join(who, Member(plan, person))
        if self.chance(40):
            self._election(who)

    def _reversal(self, who: str) -> None:
        """Only where the rules are plain: nobody who waits for a held line, no part of what touched catch-up."""
        own = self.world.lines_of(who, self.world.members[who].plan)
        if sum(line.pay for line in own) > MUCH_PAY or not own:
            return
        if any(line.decision is None for line in own):
            self._reversal_that_waits(who)
            return
        earlier = [name for name, (of, _) in self.world.reversals.items() if of == who]
        if earlier and self.chance(15):
            name = self.scene.name("v")
            self.events.append({"reversal": name, "reverses": self.rng.choice(earlier)})
            self.world.reverse(name, who, None, None)
            return
        line = self.rng.choice(own)
        is_plain = who not in self.scene.capped and line.decision is not None and not line.decision.catch_up
        if not is_plain and (line is not self.world.last_of_year(line) or line.reversed):
            return
        left = {source: cents for source, cents in line.left().items() if cents}
        amounts: dict[str, int] | None = None
        if left and is_plain and self.chance(55):
            chosen = self.rng.sample(sorted(left), self.rng.randint(1, len(left)))
            amounts = {source: self.rng.choice((left[source], self.rng.randint(1, left[source]))) for source in chosen}
            if self.chance(15):
                amounts[chosen[0]] = left[chosen[0]] + self.rng.randint(1, 500)
        name = self.scene.name("v")
        self.world.reverse(name, who, line, amounts)
        event: dict[str, Any] = {"reversal": name, "reverses": line.name}
        if amounts is not None:
            event["amounts"] = {source: dollars(cents) for source, cents in amounts.items()}
        self.events.append(event)

    def _reversal_that_waits(self, who: str) -> None:
        """All of the last line that came of a year in which something is held: it is decided after that."""
        waiting = [line for line in self.world.lines_of(who, self.world.members[who].plan) if line.decision is None]
        line = self.world.last_of_year(self.rng.choice(waiting))
        if line.reversed or any(held.line is line for held in self.world.held_reversals):
            return
        if line.pay_date.year == LATE_YEAR and self.day == self.scene.late_limits:
            return
        name = self.scene.name("v")
        self.world.reverse(name, who, line, None)
        self.events.append({"reversal": name, "reverses": line.name})

    def _early_cash(self) -> None:
        """Cash of a known amount for a run whose lines come later in the day, or on a later one."""
        plan, day = self.rng.choice(list(self.world.plans)), self.day
        if self.chance(40):
            day = self.rng.choice([day for day in self.scene.dates if day >= self.day])
        self._cash(f"R-{plan}-{day.isoformat()}", plan, self.rng.randint(1, 2_000_000), has_name=True)

    def _funding(self, percent: int) -> None:
        for name, run in list(self.world.runs.items()):
            owed = self.world.owed(name)
            if owed <= 0 or not self.chance(percent):
                continue
            style = self.rng.choice(("exact", "none", "part", "over", "named", "parts"))
            if self.mood != "runs" and self.chance(80):
                style = "exact"
            if style == "exact":
                self._cash(
                    name,
                    run.plan,
                    owed,
                    has_name=self.world.held_in(name) or run.said is not None or name in self.tricky,
                )
            elif style == "parts" and owed > 1:
                first = self.rng.randint(1, owed - 1)
                self._cash(name, run.plan, first, has_name=True)
                self._cash(name, run.plan, owed - first, has_name=True)
            elif style in ("named", "over", "part"):
                extra = {"named": 0, "over": self.rng.randint(1, 99_999), "part": -self.rng.randint(1, owed)}[style]
                self._cash(name, run.plan, owed + extra, has_name=True)

    def _cash(self, run: str, plan: str, cents: int, *, has_name: bool) -> None:
        if cents:
            self.world.fund(run, cents, plan)
            self.events.append({"funding": run} | ({"amount": dollars(cents)} if has_name else {}))

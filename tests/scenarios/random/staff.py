"""Draw people: near the ages, service, entry dates and last pay days that matter, and what is corrected about them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from tests.scenarios.random.exact import dollars
from tests.scenarios.random.parties import Terms
from tests.scenarios.random.people import Person
from tests.scenarios.random.terms import GROUPS

LONG_AGO = date(2015, 1, 5)


def facts_of(person: Person) -> dict[str, Any]:
    """A person's facts as a file writes them."""
    dates = {"born": person.born, "hired": person.hired, "terminated": person.terminated, "rehired": person.rehired}
    facts: dict[str, Any] = {name: day.isoformat() for name, day in dates.items() if day is not None}
    if person.wages is not None:
        facts["prior_year_wages"] = dollars(person.wages)
    if person.hours:
        facts["hours_by_year"] = dict(person.hours)
    return facts if person.group is None else facts | {"group": person.group}


@dataclass(frozen=True)
class Staff:
    """What people are drawn from. ``dates``: the file's."""

    rng: random.Random
    mood: str
    dates: Sequence[date]

    @property
    def year(self) -> int:
        """The first date's."""
        return self.dates[0].year

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of a hundred draws."""
        return self.rng.randrange(100) < percent

    def born(self) -> date:
        """A birth date near one of the ages that matter."""
        age = self.rng.choice((25, 36, 49, 50, 50, 59, 60, 60, 63, 64, 71))
        month, day = self.rng.choice(((1, 1), (12, 31), (6, 15)))
        return date(self.year - age, month, day)

    def wages(self) -> int | None:
        """Prior-year wages around the threshold; over a turn of the year it would be open which year they are of."""
        if self.year != self.dates[-1].year:
            return None
        return self.rng.choice((15_000_000, 15_000_001, 9_000_000, 30_000_000))

    def person(self, terms: Terms) -> Person:
        """A new person's facts."""
        wages = self.wages() if self.chance(60) else None
        if self.mood == "eligibility":
            return self._employee(terms, wages)
        if self.chance(70):
            return Person(self.born(), LONG_AGO, wages=wages)
        hired = date(self.year - self.rng.randint(1, 7), self.dates[0].month, self.rng.randint(1, 28))
        hired = self.off_the_eve(hired)
        gone = date(self.year - 1, 2, 27) if hired.year < self.year - 1 and self.chance(20) else None
        return Person(self.born(), hired, gone, wages)

    def off_the_eve(self, hired: date) -> date:
        """A hire date of which no listed date is the last day of a year: whether it is whole then is not said."""
        while any((hired - timedelta(days=1)).timetuple()[1:3] == (day.month, day.day) for day in self.dates):
            hired -= timedelta(days=1)
        return hired

    def _near(self) -> date:
        """A date of the file, or a day beside one."""
        return self.rng.choice(self.dates) + timedelta(days=self.rng.choice((-1, 0, 0, 0, 1, 2)))

    def _employee(self, terms: Terms, wages: int | None) -> Person:
        rule, near = terms.rules.entry, self._near()
        born = self.born()
        if rule is not None and rule.age and self.chance(50):
            born = near.replace(year=near.year - rule.age, day=min(near.day, 28))
        hired = LONG_AGO
        if rule is not None and rule.months and self.chance(50):
            months = near.year * 12 + near.month - 1 - rule.months
            hired = date(months // 12, months % 12 + 1, min(near.day, 28))
        elif self.chance(40):
            hired = near - timedelta(days=self.rng.choice((0, 1, 30, 90, 200, 364, 365, 366, 500)))
        person = Person(born, self.off_the_eve(hired), wages=wages)
        person = self._left(person, terms)
        group = self.rng.choice(GROUPS) if self.chance(50) else None
        return replace(person, hours=self._hours(), group=group)

    def _hours(self) -> tuple[tuple[int, int], ...]:
        if self.chance(50):
            return ()
        years = range(self.year - self.rng.randint(0, 5), self.year + 1)
        return tuple((year, self.rng.choice((0, 499, 500, 501, 999, 1000, 1001, 2080))) for year in years)

    def _left(self, person: Person, terms: Terms) -> Person:
        """Sometimes gone, at a boundary of the days in which pay may follow; sometimes back."""
        if not self.chance(45):
            return person
        severance = terms.rules.severance
        days = self.rng.choice((76, 77, 75, 74)) if severance is None else severance + self.rng.choice((-1, 0, 1))
        left = _off_the_eve(self._near() - timedelta(days=days), person.hired)
        if severance is None and left.day > 28:
            left = left.replace(day=28)  # Where two and a half months end is plain only for a day every month has.
        if left <= person.hired:
            return person
        person = replace(person, terminated=left)
        if self.chance(50):
            back = left + timedelta(days=self.rng.randint(2, 300))
            return replace(person, rehired=back) if self.chance(80) else self._gone_again(person, back)
        return person

    def _gone_again(self, person: Person, back: date) -> Person:
        """A census that names the end of the second spell says nothing of the first, which then ends on the eve."""
        again = _off_the_eve(back + timedelta(days=self.rng.randint(5, 400)), person.hired)
        return replace(person, rehired=back, terminated=again, left_before=back - timedelta(days=1))

    def corrected(self, old: Person, *, may_tell_wages: bool) -> Person:
        """Other facts of the same person, as a census corrects them."""
        new = replace(old, born=self.born())
        told = self.wages() if self.chance(50) and may_tell_wages else None
        if told is not None:
            new = replace(new, wages=told)
        if self.mood != "eligibility":
            return new
        if old.rehired is None and old.terminated is None and self.chance(50):
            new = replace(
                new, hired=self.off_the_eve(self._near() - timedelta(days=self.rng.choice((0, 31, 365, 800))))
            )
        elif old.rehired is None and old.terminated is None and self.chance(40):
            gone = _off_the_eve(self._near(), new.hired)
            new = replace(new, terminated=gone) if gone > new.hired else new
        elif old.rehired is None and old.terminated is not None and self.chance(60):
            new = replace(new, rehired=max(old.terminated, self._near()) + timedelta(days=1))
        elif old.rehired is not None and old.terminated is not None and old.terminated < old.rehired:
            gone = _off_the_eve(old.rehired + timedelta(days=self.rng.randint(3, 90)), old.hired)
            new = replace(new, terminated=gone, left_before=old.terminated)
        if self.chance(30):
            new = replace(new, group=self.rng.choice(GROUPS))
        return replace(new, hours=self._hours() or new.hours)


def _off_the_eve(last_day: date, hired: date) -> date:
    """A last day on which a year of service is plainly whole or plainly not."""
    is_eve = (last_day + timedelta(days=1)).timetuple()[1:3] == hired.timetuple()[1:3]
    return last_day - timedelta(days=1) if is_eve else last_day

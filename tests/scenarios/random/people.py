"""What is known of a person, and whether a pay date is his to contribute from: employment, age, service, entry dates.

Read from the reference on the domain (eligibility, terminated, rehire) and from what the plan fact says of its keys.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

ENTRIES = {
    "monthly": range(1, 13), "quarterly": (1, 4, 7, 10), "semi_annual": (1, 7), "annual": (1,),
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """Who may contribute: least age, least service, the dates on which people come in, groups left out."""

    age: int = 0
    months: int = 0
    dates: str = "immediate"
    by_hours: bool = False
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    """The facts about a participant that the law asks for. ``left_before``: the end of the spell before a rehire."""

    born: date
    hired: date
    terminated: date | None = None
    wages: int | None = None
    rehired: date | None = None
    left_before: date | None = None
    hours: tuple[tuple[int, int], ...] = ()
    group: str | None = None

    @property
    def spells(self) -> list[tuple[date, date | None]]:
        """First and last days of each employment; no last day = it goes on."""
        if self.rehired is None:
            return [(self.hired, self.terminated)]
        left = self.left_before or self.terminated
        if left is None or left >= self.rehired:
            raise ValueError("nobody is rehired without having left")
        again = self.terminated if self.terminated is not None and self.terminated > self.rehired else None
        return [(self.hired, left), (self.rehired, again)]


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last one of that month."""
    count = day.year * 12 + day.month - 1 + months
    year, month = count // 12, count % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def last_pay_day(left: date, severance: int | None) -> date:
    """How long pay may follow the last day: the plan's days, or two and a half months."""
    return months_later(left, 2) + timedelta(days=15) if severance is None else left + timedelta(days=severance)


def why_not(entry: Entry | None, severance: int | None, person: Person, pay_date: date) -> str | None:
    """The code that refuses a pay date, if one does."""
    begun = [spell for spell in person.spells if spell[0] <= pay_date]
    if not begun:
        return "NOT_ELIGIBLE"
    left = begun[-1][1]
    if left is not None and pay_date > last_pay_day(left, severance):
        return "TERMINATED"
    if entry is None:
        return None
    came_in = None if person.group in entry.excluded else entry_date(entry, person)
    return "NOT_ELIGIBLE" if came_in is None or came_in > pay_date else None


def entry_date(entry: Entry, person: Person) -> date | None:
    """The entry date on or after the day both conditions are met; who is away then comes in when he is back."""
    served = served_on(entry, person)
    if served is None:
        return None
    birthday = person.born.replace(year=person.born.year + entry.age)
    day = max(birthday, served, person.hired)
    while entry.dates != "immediate" and not (day.day == 1 and day.month in ENTRIES[entry.dates]):
        day += timedelta(days=1)
    for hired, left in person.spells:
        if left is None or day <= left:
            return max(day, hired)
    return None


def served_on(entry: Entry, person: Person) -> date | None:
    """When the service asked for is done: by months since the hire, or after a year of hours, or two of part time."""
    if not entry.months or not entry.by_hours:
        return months_later(person.hired, entry.months)
    hours = dict(person.hours)
    for year in sorted(hours):
        if hours[year] >= 1000 or (hours[year] >= 500 and hours.get(year - 1, 0) >= 500):
            return date(year + 1, 1, 1)
    return None

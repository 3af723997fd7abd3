"""Payroll lines of one payday, good and faulty, in the order a recordkeeper receives them: run after run, mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from deploy.population.faults import FAULTS, Line, Submission, good, over_limit
from deploy.population.people import Person
from deploy.population.seeds import stream
from deploy.wire.outgoing import event
from shared.events.payroll import Contribution


@dataclass(frozen=True, slots=True)
class Payday:
    """All that payroll sends on one date."""

    day: date
    submissions: list[Submission]

    @property
    def kinds(self) -> Counter[str]:
        """How many lines of each kind."""
        return Counter(submission.kind for submission in self.submissions)

    @property
    def requested_cents(self) -> int:
        """What the readable lines ask for."""
        return sum(submission.requested_cents for submission in self.submissions)


class Payroll:
    """Makes paydays; remembers what each person has left of the yearly limit."""

    def __init__(self, people: Sequence[Person], seed: int, ce_source: str, fault_rate: float = 0.01) -> None:
        self._people = people
        self._seed = seed
        self._ce_source = ce_source
        self._fault_rate = fault_rate
        self._room = {one.participant_id: one.deferral_room_cents for one in people}

    def payday(self, day: date, plans: frozenset[str] | None = None) -> Payday:
        """One line of everybody (in ``plans``), with ``fault_rate`` of them spoilt in each way that there is."""
        paid = [person for person in self._people if plans is None or person.plan.plan_id in plans]
        dice = stream(self._seed, f"payday {day}")
        order = dice.permutation(len(paid))
        each = max(1, round(len(paid) * self._fault_rate)) if self._fault_rate else 0
        free = [int(index) for index in order if self._room[paid[int(index)].participant_id] is None]
        if each * len(FAULTS) >= len(free):
            raise ValueError(f"{len(paid)} people are too few for {each} faulty lines of each of {len(FAULTS)} kinds")
        fault_of = {index: FAULTS[place // each] for place, index in enumerate(free[: each * len(FAULTS)])}
        submissions = []
        for index in order.tolist():
            person = paid[index]
            line = self._line(person, paid[index - 1].participant_id, day)
            fault = fault_of.get(index)
            submissions.append(fault(line) if fault else self._unspoilt(person, line))
        return Payday(day, submissions)

    def _unspoilt(self, person: Person, line: Line) -> Submission:
        room = self._room[person.participant_id]
        if room is None:
            return good(line)
        self._room[person.participant_id] = max(0, room - person.deferral_cents)
        return over_limit(line, person.deferral_cents, room)

    def _line(self, person: Person, stranger: str, day: date) -> Line:
        plan = person.plan
        cents_by_source = {"pre_tax": person.pre_tax_cents, "roth": person.roth_cents}
        for source, percent in plan.design.sent:
            cents_by_source[source] = person.pay_cents * percent // 100
        body = {
            "plan_id": plan.plan_id,
            "participant_id": person.participant_id,
            "payroll_id": f"{plan.plan_id}:{day}",
            "pay_date": day.isoformat(),
            "compensation_cents": person.pay_cents,
            "amounts": [{"source": source, "cents": cents} for source, cents in cents_by_source.items() if cents],
        }
        ce_id = f"line:{person.participant_id}:{day}"
        return Line(event(person.participant_id, Contribution.ce_type, ce_id, self._ce_source, **body), body, stranger)

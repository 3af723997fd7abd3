"""One file on its way through a run: what it has sent so far, and what was found wrong with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from deploy.scenarios.compare import Difference
from deploy.scenarios.facts import FileEvents, Outgoing
from deploy.scenarios.model import (
    CensusEvent,
    ClosedEvent,
    ContributionEvent,
    ElectionEvent,
    FundingEvent,
    LimitsEvent,
    OpenedEvent,
    PlanChangeEvent,
    ResendChangedEvent,
    ResendEvent,
    ReturnEvent,
    ReversalEvent,
    Scenario,
    ScenarioDay,
)
from deploy.scenarios.names import Namespace
from deploy.scenarios.observed import Observed, RequestId

UNSEEN_PRICE = "1.00"


@dataclass
class FileRun:
    """The progress of one scenario file."""

    file: str
    names: Namespace
    scenario: Scenario | None = None
    head: list[Outgoing] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    days: list[dict[str, Any]] = field(default_factory=list)
    participant_by_line: dict[str, str] = field(default_factory=dict)
    resends_by_line: Counter[str] = field(default_factory=Counter)
    _lines_by_run: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _funded_by_run: Counter[str] = field(default_factory=Counter)
    _released: set[str] = field(default_factory=set)
    """Lines whose run had its cash at an earlier cut: reversing them takes shares back, not cash that is owed."""
    _given_up: set[str] = field(default_factory=set)
    """Lines whose answer did not come in time: nobody waits for them again."""
    _events: FileEvents | None = None

    @property
    def title(self) -> str:
        """The file's own words for what it shows."""
        return self.scenario.scenario if self.scenario is not None else ""

    @property
    def events(self) -> FileEvents:
        """The file's events. Only for a file that can be run."""
        if self._events is None:
            if self.scenario is None:
                raise ValueError(f"{self.file} has no scenario to run")
            self._events = FileEvents(self.scenario, self.names)
        return self._events

    @property
    def can_run(self) -> bool:
        """True for a file that was read and uses nothing the engine lacks."""
        return self.scenario is not None

    def day(self, on: date) -> ScenarioDay | None:
        """The file's listed day of that date."""
        listed = self.scenario.days if self.scenario is not None else []
        return next((day for day in listed if day.date == on), None)

    def prices_of(self, on: date) -> dict[str, str]:
        """The listed prices of a date; after the file's last day its last ones again.

        A fund it never priced gets one then, too: an order that nobody looks at any more must not keep others waiting.
        """
        if self.scenario is None or on <= self.scenario.days[-1].date:
            listed = self.day(on)
            return {} if listed is None else dict(listed.prices)
        known = dict.fromkeys(self.scenario.funds, UNSEEN_PRICE)
        for day in self.scenario.days:
            known |= day.prices
        return known

    def differ(self, path: str, expected: object, actual: object) -> None:
        """Note a difference."""
        self.differences.append(Difference(path, expected, actual))

    def request(self, line: str) -> RequestId:
        """The identity under which a line was sent."""
        return self.names.source, self.names.full(line)

    def published(self, event: object, on: date) -> list[Outgoing]:
        """All that an event of the file publishes on a date: a census may bring its participant's election."""
        election = self.events.census_election(event) if isinstance(event, CensusEvent) else ()
        return [self.outgoing(event, on), *election]

    def outgoing(self, event: object, on: date) -> Outgoing:
        """The next event as it goes out on a date; remembers what funding and receipts will need."""
        match event:
            case ContributionEvent():
                sent = self.events.contribution(event)
                self.participant_by_line[event.contribution] = event.participant
                self._lines_by_run[event.payroll].append(event.contribution)
            case ReversalEvent():
                sent = self.events.reversal(event)
                self._expect_reversal(event)
            case ResendEvent(resend=line):
                sent = self.events.resend(line)
                self.resends_by_line[line] += 1
            case ResendChangedEvent(resend_changed=line):
                sent = self.events.resend_changed(line, event.amounts)
                self.resends_by_line[line] += 1
            case ReturnEvent():
                sent = self.events.returned(event, on)
                self._funded_by_run[event.returned] -= event.amount
            case _:
                sent = self._standing(event)
        return sent

    def _standing(self, event: object) -> Outgoing:
        """Facts and totals, which no receipt answers."""
        match event:
            case ElectionEvent():
                return self.events.election(event)
            case CensusEvent():
                return self.events.census(event)
            case OpenedEvent():
                return self.events.opened(event)
            case ClosedEvent():
                return self.events.closed(event)
            case PlanChangeEvent():
                return self.events.plan_change(event)
            case LimitsEvent():
                return self.events.limits(event)
        raise TypeError(f"no such event: {event!r}")

    def _expect_reversal(self, event: ReversalEvent) -> None:
        """It is answered like a line; before its line is released, the run owes less because of it."""
        self.participant_by_line[event.reversal] = self.events.person_of(event)
        coming = self.events.line(event.reverses)
        run = None if coming is None else coming.payroll
        if run is not None and event.reverses not in self._released:
            self._lines_by_run[run].append(event.reversal)

    def date_closed(self, observed: Observed) -> None:
        """Remember whose lines traded at the cut that is over: those of runs that owe nothing, or trade on file."""
        plans = self.scenario.plans if self.scenario is not None else {}
        for run, lines in self._lines_by_run.items():
            plan = plans.get(self.events.plan_of_run(run) or "")
            if (plan is not None and plan.trade_on == "file") or self.owed(run, observed) <= 0:
                self._released.update(line for line in lines if observed.final(self.request(line)) is not None)

    def funding(self, event: FundingEvent, cents: int, on: date) -> Outgoing:
        """Cash for a run, remembered so that a later funding pays only what is still owed."""
        self._funded_by_run[event.funding] += cents
        return self.events.funding(event.funding, cents, on)

    def undecided(self, run: str, observed: Observed) -> list[str]:
        """The run's lines listed so far that have no final receipt."""
        return [line for line in self._lines_by_run[run] if observed.final(self.request(line)) is None]

    def owed(self, run: str, observed: Observed) -> int:
        """Cents credited by the run's final receipts and not paid yet; negative when more was paid than is left."""
        finals = [observed.final(self.request(line)) for line in self._lines_by_run[run]]
        credited = sum(sum_credited(final.body) for final in finals if final is not None)
        return credited - self._funded_by_run[run]

    def unanswered(self, observed: Observed) -> list[str]:
        """Lines that have no receipt yet, or fewer answers than they were sent again."""
        waiting = [line for line in self.participant_by_line if line not in self._given_up]
        return [line for line in waiting if not self._is_answered(line, observed)]

    def give_up(self, line: str) -> None:
        """Wait no more for the answer to a line: it is a difference, and other files wait with this one."""
        self._given_up.add(line)

    def unconfirmed(self, on: date, observed: Observed) -> list[str]:
        """This file's orders of a date to which the custodian said nothing."""
        return [
            order_id
            for order_id, order in observed.order_by_id.items()
            if self.names.owns(order["plan_id"])
            and order["trade_date"] == on.isoformat()
            and order_id not in observed.confirmation_by_order
        ]

    def _is_answered(self, line: str, observed: Observed) -> bool:
        answers = observed.answers(self.request(line))
        resends = sum(answer.is_duplicate or answer.is_mismatch for answer in answers)
        return len(answers) > resends >= self.resends_by_line[line]


def sum_credited(receipt: Mapping[str, Any]) -> int:
    """Cents a receipt recorded, match included."""
    credited: Iterable[Mapping[str, Any]] = receipt.get("credited") or ()
    return sum(int(part["cents"]) for part in credited)

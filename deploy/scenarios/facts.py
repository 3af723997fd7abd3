"""From a scenario to events: pure, so that what a file publishes can be read and tested without a cluster."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from deploy.scenarios.model import (
    CensusEvent,
    ClosedEvent,
    ContributionEvent,
    CustodianOrder,
    ElectionEvent,
    LimitsEvent,
    OpenedEvent,
    PlanChangeEvent,
    ReturnEvent,
    ReversalEvent,
    Scenario,
)
from deploy.scenarios.names import Namespace
from deploy.scenarios.parties import Census, Fund, PlanTerms
from shared.events import topics
from shared.events.census import Census as CensusFact
from shared.events.fund import FundFact
from shared.events.limits import LimitsFact
from shared.events.market import CloseRequested, PriceFact, ValueRequested
from shared.events.payroll import (
    Contribution,
    PayrollClosed,
    PayrollFunded,
    PayrollOpened,
    PayrollReturned,
    Reversal,
)
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged

OPERATOR_SOURCE = "/scenario/operator"
HASH_TOTAL_BELOW = 10**10
NOBODY = "nobody"
"""Whose line is taken back where a file lists no one."""
CLOSE_REQUESTED, VALUE_REQUESTED = CloseRequested.ce_type, ValueRequested.ce_type


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event to publish: where, under which identity, and the bytes of its body."""

    topic: str
    key: str
    ce_type: str
    ce_source: str
    ce_id: str
    value: bytes


def _json(body: Mapping[str, Any]) -> bytes:
    said = {name: value for name, value in body.items() if value is not None}
    return orjson.dumps(said, option=orjson.OPT_NON_STR_KEYS)


class FileEvents:
    """The events of one file, in its namespace. Remembers lines for resends and participants' latest facts."""

    def __init__(self, scenario: Scenario, names: Namespace) -> None:
        self.scenario = scenario
        self.names = names
        self._first_year = scenario.days[0].date.year
        self._lines: dict[str, Outgoing] = {}
        self._census_by_participant: dict[str, Census] = dict(scenario.participants)
        self._plan_by_run: dict[str, str] = {}
        self._plan_by_person = _plans_of_people(scenario)
        self._plan_by_listed_run = _plans_of_runs(scenario, self._plan_by_person)
        self._line_by_name = {event.contribution: event for event in _contributions(scenario)}
        self._terms_by_plan: dict[str, PlanTerms] = dict(scenario.plans)
        self._serial = 0

    @property
    def people(self) -> set[str]:
        """Everybody a census has named so far."""
        return set(self._census_by_participant)

    def head(self) -> Iterator[Outgoing]:
        """Funds, plans, participants and their first elections: what is in force on the first day."""
        for name, fund in self.scenario.funds.items():
            yield self._fund(name, fund)
        for name, plan in self.scenario.plans.items():
            yield self._plan(name, plan, f"{self.names.full(name)}:plan")
        for name, participant in self.scenario.participants.items():
            yield self._census(name, participant)
        for name, participant in self.scenario.participants.items():
            if participant.elections is not None:
                yield self._election(name, participant.elections)

    def contribution(self, event: ContributionEvent) -> Outgoing:
        """One payroll line."""
        plan = event.plan or self._plan_of(event.participant, event.payroll)
        self._plan_by_run.setdefault(event.payroll, plan)
        body = {
            "plan_id": self.names.full(plan),
            "participant_id": self.names.full(event.participant),
            "payroll_id": self.names.full(event.payroll),
            "pay_date": event.pay_date.isoformat(),
            "compensation_cents": event.compensation,
            "amounts": _amounts(event.amounts),
            "hours": event.hours,
            "ytd": None if event.ytd is None else _amounts(event.ytd),
            "employer_money": event.employer_money,
        }
        line = self._outgoing(
            topics.PAYROLL_CONTRIBUTIONS,
            event.participant,
            Contribution.ce_type,
            self.names.full(event.contribution),
            body,
        )
        self._lines[event.contribution] = line
        return line

    def reversal(self, event: ReversalEvent) -> Outgoing:
        """What is taken back of a line, in the run of that line; of one that was never sent, in a run of its own."""
        person = self.person_of(event)
        body = self._place_of(event.reverses, person) | {
            "reverses": self.names.full(event.reverses),
            "amounts": None if event.amounts is None else _amounts(event.amounts),
            "reason": "as the scenario says",
        }
        ce_id = self.names.full(event.reversal)
        sent = self._outgoing(topics.PAYROLL_CONTRIBUTIONS, person, Reversal.ce_type, ce_id, body)
        self._lines[event.reversal] = sent
        return sent

    def person_of(self, event: ReversalEvent) -> str:
        """Whose line it takes back."""
        if event.participant is not None:
            return event.participant
        if event.reverses in self._lines:
            return self.names.plain(self._lines[event.reverses].key)
        line = self.line(event.reverses)
        return next(iter(self.scenario.participants), NOBODY) if line is None else line.participant

    def line(self, name: str) -> ContributionEvent | None:
        """A payroll line of the file, sent or to come."""
        return self._line_by_name.get(name)

    def _place_of(self, line: str, person: str) -> dict[str, Any]:
        """Plan, participant and payroll run of a line, as it said them or will."""
        if line in self._lines:
            known = orjson.loads(self._lines[line].value)
            place = {name: known[name] for name in ("plan_id", "payroll_id")}
        else:
            coming = self.line(line)
            run = line if coming is None else coming.payroll
            plan = (coming.plan if coming is not None else None) or self._plan_of(person, run)
            place = {"plan_id": self.names.full(plan), "payroll_id": self.names.full(run)}
        return place | {"participant_id": self.names.full(person)}

    def plan_of_run(self, run: str) -> str | None:
        """The plan of a payroll run that has lines, be it later in the file."""
        return self._plan_by_run.get(run) or self._plan_by_listed_run.get(run)

    def resend(self, line: str) -> Outgoing:
        """The same bytes under the same id."""
        return self._lines[line]

    def resend_changed(self, line: str, amounts: Mapping[str, int]) -> Outgoing:
        """The same id with other amounts; later resends still repeat the first body."""
        body = orjson.loads(self._lines[line].value)
        return replace(self._lines[line], value=_json(body | {"amounts": _amounts(amounts)}))

    def funding(self, run: str, cents: int, day: datetime.date) -> Outgoing:
        """Cash for a payroll run."""
        return self._cash(PayrollFunded.ce_type, "funding", run, cents, day)

    def returned(self, event: ReturnEvent, day: datetime.date) -> Outgoing:
        """Cash that the bank took back."""
        return self._cash(PayrollReturned.ce_type, "returned", event.returned, event.amount, day)

    def opened(self, event: OpenedEvent) -> Outgoing:
        """A run is about to be sent."""
        totals = {"line_count": event.line_count, "cents_total": event.cents_total}
        return self._totals(PayrollOpened.ce_type, event.opened, event.plan, totals)

    def closed(self, event: ClosedEvent) -> Outgoing:
        """All lines of a run were sent."""
        totals = {
            "line_count": event.line_count,
            "cents_total": event.cents_total,
            "cents_by_source": event.cents_by_source,
            "hash_total": None if event.people is None else self._hash_total(event.people),
        }
        return self._totals(PayrollClosed.ce_type, event.closed, event.plan, totals)

    def plan_change(self, event: PlanChangeEvent) -> Outgoing:
        """The plan with what changed in it."""
        given = event.model_dump(exclude_unset=True, exclude={"plan_change"})
        merged = PlanTerms.model_validate(self._terms_by_plan[event.plan_change].model_dump() | given)
        self._terms_by_plan[event.plan_change] = merged
        return self._plan(event.plan_change, merged, self._next_id("plan"))

    def limits(self, event: LimitsEvent) -> Outgoing:
        """The limits of a year: not in the file's namespace, since the law is one for all."""
        cents = {f"{name}_cents": figure for name, figure in event.model_dump(exclude={"limits"}).items()}
        body = {"year": event.limits, "notice": "as the scenario says"} | cents
        ce_id = self._next_id("limits")
        return Outgoing(
            topics.LIMITS.name, str(event.limits), LimitsFact.ce_type, self.names.source, ce_id, _json(body)
        )

    def election(self, event: ElectionEvent) -> Outgoing:
        """A participant's new election."""
        return self._election(event.election, event.funds)

    def census_election(self, event: CensusEvent) -> Iterator[Outgoing]:
        """The election that comes with a census, if one does."""
        if event.elections is not None:
            yield self._election(event.census, event.elections)

    def census(self, event: CensusEvent) -> Outgoing:
        """A new participant, or what changed about a known one."""
        given = event.model_dump(exclude_unset=True, exclude={"census", "elections"})
        known = self._census_by_participant.get(event.census, Census())
        merged = known.model_copy(update=given)
        self._census_by_participant[event.census] = merged
        return self._census(event.census, merged)

    def prices(self, day: datetime.date, price_by_fund: Mapping[str, str]) -> Iterator[Outgoing]:
        """Final prices of one date."""
        for fund, price in price_by_fund.items():
            full = self.names.full(fund)
            ce_id = f"{full}:{day}"
            body = {
                "fund_id": full,
                "price_date": day.isoformat(),
                "price": price,
                "status": "final",
                "version": 1,
            }
            yield Outgoing(topics.MARKET_PRICES.name, ce_id, PriceFact.ce_type, self.names.source, ce_id, _json(body))

    def custodian_actions(self) -> list[dict[str, str]]:
        """This file's lines of the custodian's file of actions."""
        return [self._action(day.date, order) for day in self.scenario.days for order in day.custodian.orders]

    def _action(self, day: datetime.date, order: CustodianOrder) -> dict[str, str]:
        line = {
            "fund": self.names.full(order.fund),
            "trade_date": day.isoformat(),
            "side": order.side,
            "action": order.action,
        }
        return line | ({"plan": self.names.full(order.plan)} if order.plan else {})

    def _cash(self, ce_type: str, kind: str, run: str, cents: int, day: datetime.date) -> Outgoing:
        """Cash says whose it is even before the run's first line: until then it is that plan's unallocated cash."""
        ce_id = self._next_id(kind)
        only = next(iter(self.scenario.plans)) if len(self.scenario.plans) == 1 else None
        plan = self.plan_of_run(run) or only
        body = {
            "payroll_id": self.names.full(run),
            "plan_id": None if plan is None else self.names.full(plan),
            "cents": cents,
            "reference": ce_id,
            "received_on": day.isoformat(),
        }
        return self._outgoing(topics.PAYROLL_RUNS, run, ce_type, ce_id, body)

    def _totals(self, ce_type: str, run: str, plan: str | None, totals: Mapping[str, Any]) -> Outgoing:
        known = plan or self.plan_of_run(run)
        body = {"payroll_id": self.names.full(run), "plan_id": None if known is None else self.names.full(known)}
        return self._outgoing(topics.PAYROLL_RUNS, run, ce_type, self._next_id("totals"), body | dict(totals))

    def _hash_total(self, people: Iterable[str]) -> int:
        ids = (self.names.full(name).encode() for name in people)
        return sum(int.from_bytes(hashlib.sha256(one).digest()[:4]) for one in ids) % HASH_TOTAL_BELOW

    def _plan_of(self, participant: str, run: str = "") -> str:
        known = self._census_by_participant.get(participant)
        if known is not None and known.plan is not None:
            return known.plan
        return self._plan_by_person.get(participant) or self.plan_of_run(run) or next(iter(self.scenario.plans))

    def _fund(self, name: str, fund: Fund) -> Outgoing:
        full = self.names.full(name)
        body = {"fund_id": full, "share_decimals": fund.share_decimals}
        return self._outgoing(topics.FUNDS, name, FundFact.ce_type, f"{full}:fund", body)

    def _plan(self, name: str, plan: PlanTerms, ce_id: str) -> Outgoing:
        body = plan.model_dump(mode="json") | {
            "plan_id": self.names.full(name),
            "default_fund": self.names.full(plan.default_fund or ""),
            "match": plan.match and plan.match.model_dump(mode="json", exclude_none=True),
            "eligibility": plan.eligibility and plan.eligibility.model_dump(mode="json", exclude_none=True),
        }
        return self._outgoing(topics.PLANS, name, PlanFact.ce_type, ce_id, body)

    def _census(self, name: str, known: Census) -> Outgoing:
        body = {
            "plan_id": self.names.full(known.plan or ""),
            "participant_id": self.names.full(name),
            "birth_date": _iso(known.born),
            "hire_date": _iso(known.hired),
            "termination_date": _iso(known.terminated),
            "rehire_date": _iso(known.rehired),
            "prior_year_wages_cents": known.prior_year_wages,
            "hours_by_year": known.hours_by_year,
            "group": known.group,
            "opening": self._opening(known),
        }
        ce_id = self._next_id("census")
        return self._outgoing(topics.PARTICIPANT_CENSUS, name, CensusFact.ce_type, ce_id, body)

    def _opening(self, known: Census) -> dict[str, int] | None:
        if not known.ytd:
            return None
        regular = sum(known.ytd.values())
        return {"year": self._first_year, "regular_cents": regular, "catch_up_cents": 0, "compensation_cents": 0}

    def _election(self, name: str, percent_by_fund: Mapping[str, str]) -> Outgoing:
        body = {
            "plan_id": self.names.full(self._plan_of(name)),
            "participant_id": self.names.full(name),
            "elections": [
                {"fund_id": self.names.full(fund), "percent": percent} for fund, percent in percent_by_fund.items()
            ],
        }
        ce_id = self._next_id("election")
        return self._outgoing(topics.PARTICIPANT_REQUESTS, name, ElectionChanged.ce_type, ce_id, body)

    def _next_id(self, kind: str) -> str:
        self._serial += 1
        return self.names.full(f"{kind}-{self._serial}")

    def _outgoing(self, topic: topics.Topic, name: str, ce_type: str, ce_id: str, body: Mapping[str, Any]) -> Outgoing:
        return Outgoing(topic.name, self.names.full(name), ce_type, self.names.source, ce_id, _json(body))


def _amounts(cents_by_source: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"source": source, "cents": cents} for source, cents in cents_by_source.items()]


def _contributions(scenario: Scenario) -> Iterator[ContributionEvent]:
    return (event for day in scenario.days for event in day.events if isinstance(event, ContributionEvent))


def _plans_of_people(scenario: Scenario) -> dict[str, str]:
    """The first plan of everybody listed anywhere in the file."""
    found: dict[str, str] = {name: known.plan for name, known in scenario.participants.items()}
    for event in (event for day in scenario.days for event in day.events if isinstance(event, CensusEvent)):
        if event.plan is not None:
            found.setdefault(event.census, event.plan)
    return found


def _plans_of_runs(scenario: Scenario, plan_by_person: Mapping[str, str]) -> dict[str, str]:
    """The plan of each run that names one, or has a line of somebody listed: a run belongs to one plan."""
    found: dict[str, str] = {}
    for event in (event for day in scenario.days for event in day.events):
        match event:
            case ContributionEvent():
                run, plan = event.payroll, event.plan or plan_by_person.get(event.participant)
            case OpenedEvent(opened=run) | ClosedEvent(closed=run):
                plan = event.plan
            case _:
                continue
        if plan is not None:
            found.setdefault(run, plan)
    return found


def _iso(day: datetime.date | None) -> str | None:
    return None if day is None else day.isoformat()


def day_command(ce_type: str, day: datetime.date) -> Outgoing:
    """A command of the day cycle, as an operator gives it."""
    ce_id = f"{ce_type}:{day}"
    body = {"trade_date": day.isoformat()}
    return Outgoing(topics.DAY_COMMANDS.name, day.isoformat(), ce_type, OPERATOR_SOURCE, ce_id, _json(body))

"""Held lines that are tried again: when they are booked, and what no rule can decide."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from services.contribution.handlers import Batch
from services.contribution.holding import Held, _freed_on, _outcome
from services.contribution.items import LineItem
from services.contribution.rules.line import LIMITS_NOT_LOADED, LineDecision
from services.contribution.waiting import LaneCache
from shared.events.plan import PlanFact
from shared.events.topics import LIMITS, PAYROLL_CONTRIBUTIONS, PLANS
from shared.runtime.definition import FactTopic, Service
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.lanes import CycleState, Lane
from shared.runtime.work import Work
from tests.unit.contribution.builders import a_line, a_participant

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)


class BrokenTerms:
    """A plan whose rules raise: a mistake of ours."""

    @property
    def rules(self) -> Any:
        raise LookupError("no such rule")


def a_work(last_read: date | None) -> Work:
    topics = tuple(FactTopic(topic, {PlanFact.ce_type: PlanFact}, key=str) for topic in (PLANS, LIMITS))
    lane = Lane(0, 1, 1, 1, NOON, cycles={"day": CycleState(last_read, last_read)}, cache=LaneCache())
    return Work(None, Service("contribution", ()), {0: lane}, FactCache(topics), Guards())


def an_item(pay_date: date = FRIDAY) -> LineItem:
    line = a_line(("pre_tax", "100.00"), pay_date=pay_date)
    return LineItem(
        0, PAYROLL_CONTRIBUTIONS.name, 1, NOON, THURSDAY, "P", "c1", "/acme", bytes(16), bytes(16), line
    )  # fmt: skip


def held_with(code: str, resolved_for: date | None = None, not_before: date | None = None) -> dict[str, Any]:
    return {"code": code, "trade_date": THURSDAY, "resolved_for": resolved_for, "not_before": not_before}


def test_a_line_is_booked_on_its_own_date_while_that_is_open() -> None:
    assert _freed_on(a_work(None), an_item(), held_with("UNKNOWN_PARTICIPANT")) == THURSDAY
    assert _freed_on(a_work(date(2026, 11, 18)), an_item(), held_with("UNKNOWN_PARTICIPANT")) == THURSDAY


def test_a_line_is_not_booked_before_what_it_waited_behind() -> None:
    behind = held_with("WAITING_FOR_EARLIER_LINE", not_before=MONDAY)
    assert _freed_on(a_work(date(2026, 11, 18)), an_item(), behind) == MONDAY


def test_a_line_takes_the_date_of_what_freed_it() -> None:
    work = a_work(date(2026, 11, 18))
    assert _freed_on(work, an_item(), held_with("DUPLICATE_PAYROLL_LINE", MONDAY)) == MONDAY
    work.facts.versions[LIMITS.name]["2026"] = [(FRIDAY, None)]
    assert _freed_on(work, an_item(), held_with(LIMITS_NOT_LOADED)) == FRIDAY


def test_what_waits_behind_a_line_without_limits_takes_its_date_although_that_line_is_decided_already() -> None:
    work, waiting = a_work(date(2026, 11, 18)), held_with("WAITING_FOR_EARLIER_LINE")
    work.facts.versions[LIMITS.name] |= {"2026": [(FRIDAY, None)], "2031": [(FRIDAY, None)]}
    assert _freed_on(work, an_item(date(2031, 1, 9)), waiting) == FRIDAY
    assert _freed_on(work, an_item(date(2026, 1, 9)), waiting) == THURSDAY  # The engine ships that year's limits.


def test_nothing_is_booked_on_a_date_that_was_read_and_added_up() -> None:
    assert _freed_on(a_work(FRIDAY), an_item(), held_with("UNKNOWN_PARTICIPANT")) == MONDAY


def test_a_held_line_that_no_rule_can_decide_waits_on_and_stops_nobody() -> None:
    work, item = a_work(None), an_item()
    work.facts.versions[PLANS.name]["ACME"] = [(THURSDAY, BrokenTerms())]
    batch = Batch({("P", "ACME"): a_participant()}, {}, {})
    outcome = _outcome(work, batch, Held(7, "UNKNOWN_PARTICIPANT", THURSDAY, item), THURSDAY, is_closing=True)
    assert outcome == "UNKNOWN_PARTICIPANT"


def test_a_held_line_whose_names_stay_unknown_is_rejected_when_its_date_closes() -> None:
    work, item = a_work(None), an_item()
    held = Held(7, "UNKNOWN_PLAN", THURSDAY, item)
    assert _outcome(work, Batch({}, {}, {}), held, THURSDAY, is_closing=False) == "UNKNOWN_PLAN"
    decision = _outcome(work, Batch({}, {}, {}), held, THURSDAY, is_closing=True)
    assert isinstance(decision, LineDecision)
    assert (decision.status, decision.codes, decision.rejected_cents) == ("rejected", ("UNKNOWN_PLAN",), 10_000)

"""The payday that is measured: plans, funds, participants and their lines, the same at every run.

Everything follows from a participant's number, so the expected totals are known without asking the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import orjson

from deploy.bench import limits
from shared.events import topics
from shared.events.census import Census
from shared.events.fund import FundFact
from shared.events.limits import LimitsFact
from shared.events.market import CloseRequested, PriceFact, ValueRequested
from shared.events.payroll import Contribution, PayrollFunded
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged

PLANS = 300
FUNDS = 20
SOURCES = ("pre_tax", "roth", "match")
PERCENTS = (("40", "30", "20", "10"), ("25", "25", "25", "25"), ("55", "15", "15", "15"), ("33.5", "33.5", "32", "1"))
STEPS = (1, 3, 7, 9)
"""Steps without a common divisor with the number of funds: a participant's four funds always differ."""
SOURCE = "/nestwork/bench"


class Event(NamedTuple):
    """One event to publish."""

    topic: str
    key: str
    ce_type: str
    ce_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class World:
    """A payday of ``participants`` people, spread evenly over the plans."""

    participants: int
    plans: int = PLANS
    funds: int = FUNDS

    def head(self) -> Iterator[Event]:
        """Limits of the years that have none, so that paydays may run into them; funds and plans."""
        for year in limits.unannounced_years():
            yield bench_event(topics.LIMITS, str(year), LimitsFact.ce_type, f"{year}:limits", **limits.made_up(year))
        for number in range(self.funds):
            fund = fund_id(number)
            yield bench_event(topics.FUNDS, fund, FundFact.ce_type, f"{fund}:fund", fund_id=fund, share_decimals=3)
        for number in range(self.plans):
            plan = plan_id(number)
            yield bench_event(
                topics.PLANS, plan, PlanFact.ce_type, f"{plan}:plan", plan_id=plan, sources=list(SOURCES),
                default_fund=fund_id(0), vesting={"match": "graded_2_6"},
            )  # fmt: skip

    def people(self) -> Iterator[Event]:
        """Every participant's census fact, then every participant's election."""
        for number in range(self.participants):
            who, plan = participant_id(number), plan_id(number % self.plans)
            yield bench_event(
                topics.PARTICIPANT_CENSUS, who, Census.ce_type, f"{who}:census", participant_id=who, plan_id=plan,
                birth_date=f"{1966 + number % 35}-03-02", hire_date="2020-01-06", prior_year_wages_cents=8_000_000,
            )  # fmt: skip
        for number in range(self.participants):
            who, plan = participant_id(number), plan_id(number % self.plans)
            parts = [{"fund_id": fund, "percent": percent} for fund, percent in self.election(number)]
            yield bench_event(
                topics.PARTICIPANT_REQUESTS, who, ElectionChanged.ce_type, f"{who}:election", participant_id=who,
                plan_id=plan, elections=parts,
            )  # fmt: skip

    def election(self, number: int) -> list[tuple[str, str]]:
        """The four funds of a participant with their percents."""
        spread = number // self.plans
        percents, step = PERCENTS[spread % len(PERCENTS)], STEPS[spread // len(PERCENTS) % len(STEPS)]
        return [(fund_id((spread + place * step) % self.funds), percent) for place, percent in enumerate(percents)]

    def lines(self, payday: date) -> Iterator[Event]:
        """One payroll line of each participant."""
        pay_date = payday.isoformat()
        for number in range(self.participants):
            who, plan = participant_id(number), plan_id(number % self.plans)
            amounts = [{"source": source, "cents": cents} for source, cents in amounts_of(number)]
            yield bench_event(
                topics.PAYROLL_CONTRIBUTIONS, who, Contribution.ce_type, f"{who}:{pay_date}", participant_id=who,
                plan_id=plan, payroll_id=f"{plan}:{pay_date}", pay_date=pay_date, compensation_cents=400_000,
                amounts=amounts,
            )  # fmt: skip

    def fundings(self, payday: date) -> Iterator[Event]:
        """The cash of every run, to the cent."""
        pay_date = payday.isoformat()
        for number in range(min(self.plans, self.participants)):
            plan = plan_id(number)
            run = f"{plan}:{pay_date}"
            cents = sum(line_cents(one) for one in range(number, self.participants, self.plans))
            cash = f"{run}:cash"
            yield bench_event(
                topics.PAYROLL_RUNS, run, PayrollFunded.ce_type, cash, payroll_id=run, plan_id=plan, cents=cents,
                reference=cash, received_on=pay_date,
            )  # fmt: skip

    def prices(self, day: date) -> Iterator[Event]:
        """Final prices of all funds."""
        for number in range(self.funds):
            fund = fund_id(number)
            yield bench_event(
                topics.MARKET_PRICES, f"{fund}:{day}", PriceFact.ce_type, f"{fund}:{day}", fund_id=fund,
                price_date=day.isoformat(), price=f"{11 + number}.{37 + day.day:02d}", status="final", version=1,
            )  # fmt: skip

    @property
    def total_cents(self) -> int:
        """What one payday submits, all of it acceptable."""
        return sum(line_cents(number) for number in range(self.participants))


def close_request(day: date) -> Event:
    """The operator's request to close a date."""
    return bench_event(
        topics.DAY_COMMANDS, str(day), CloseRequested.ce_type, f"close:{day}", trade_date=day.isoformat()
    )


def value_request(day: date) -> Event:
    """The operator's request to value a closed date."""
    return bench_event(
        topics.DAY_COMMANDS, str(day), ValueRequested.ce_type, f"value:{day}", trade_date=day.isoformat()
    )


LINES_PER_YEAR_MAX = 24_500_00 // (10_007 + 30_010 + 4_003 + 5_008)
"""Paydays of a calendar year that keep everybody below the elective limit, by the largest line. Law: IRC 402(g)."""


def amounts_of(number: int) -> list[tuple[str, int]]:
    """Cents by source of a participant's line: odd figures, so that every split leaves a remainder."""
    base = 10_007 + number * 7_919 % 30_011
    return [("pre_tax", base), ("roth", 4_003 + number * 31 % 5_009), ("match", base // 2)]


def line_cents(number: int) -> int:
    """All cents of a participant's line."""
    return sum(cents for _, cents in amounts_of(number))


def participant_id(number: int) -> str:
    """The opaque id of a participant."""
    return f"P{number:08d}"


def plan_id(number: int) -> str:
    """The id of a plan."""
    return f"PLAN{number:04d}"


def fund_id(number: int) -> str:
    """The id of a fund."""
    return f"FUND{number:02d}"


def bench_event(topic: topics.Topic, key: str, ce_type: str, ce_id: str, **body: Any) -> Event:
    """An event with ``body`` as its JSON."""
    return Event(topic.name, key, ce_type, ce_id, orjson.dumps(body))

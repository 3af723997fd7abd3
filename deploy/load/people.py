"""Who contributes under load, and what: known to the cent from a line's number, also after any number of runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from deploy.bench import limits
from deploy.bench.world import PERCENTS, STEPS
from deploy.wire.outgoing import Outgoing, event
from shared.events import topics
from shared.events.census import Census
from shared.events.fund import FundFact
from shared.events.limits import LimitsFact
from shared.events.payroll import Contribution
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged

PLANS, FUNDS = 100, 20
SOURCES = ("pre_tax", "roth", "match")
LOAD_SOURCE = "/nestwork/load"
LINES_PER_PERSON_MAX = 400
"""Keeps everybody below the elective limit of the year: a line defers at most 49.20 dollars. Law: IRC 402(g)."""

Addressed = tuple[str, Outgoing]
"""Topic and event."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """``participants`` people of one run. ``tag`` keeps runs on the same cluster apart; plans and funds are shared."""

    tag: str
    participants: int

    def head(self) -> Iterator[Addressed]:
        """Funds and plans; the same in every run, so that a repeat changes nothing."""
        for number in range(FUNDS):
            fund = fund_id(number)
            yield (
                topics.FUNDS.name,
                event(fund, FundFact.ce_type, f"{fund}:fund", LOAD_SOURCE, fund_id=fund, share_decimals=3),
            )
        for number in range(PLANS):
            plan = plan_id(number)
            yield topics.PLANS.name, event(
                plan, PlanFact.ce_type, f"{plan}:plan", LOAD_SOURCE, plan_id=plan, sources=list(SOURCES),
                default_fund=fund_id(0), trade_on="file",
            )  # fmt: skip

    def people(self) -> Iterator[Addressed]:
        """Census and election of everybody."""
        for number in range(self.participants):
            who, plan = self.participant(number), plan_id(number % PLANS)
            yield topics.PARTICIPANT_CENSUS.name, event(
                who, Census.ce_type, f"{who}:census", LOAD_SOURCE, participant_id=who, plan_id=plan,
                birth_date=f"{1980 + number % 20}-03-02", hire_date="2020-01-06", prior_year_wages_cents=8_000_000,
            )  # fmt: skip
        for number in range(self.participants):
            who, plan = self.participant(number), plan_id(number % PLANS)
            yield topics.PARTICIPANT_REQUESTS.name, event(
                who, ElectionChanged.ce_type, f"{who}:election", LOAD_SOURCE, participant_id=who, plan_id=plan,
                elections=_election(number),
            )  # fmt: skip

    @property
    def prefix(self) -> str:
        """How the ids of all participants of this run begin."""
        return f"L{self.tag}"

    def participant(self, number: int) -> str:
        """The opaque id of a participant."""
        return f"{self.prefix}{number:08d}"

    def lines(self, first: int, count: int, pay_date: str) -> list[Outgoing]:
        """Payroll lines ``first`` to ``first + count - 1``; everybody has one before anybody has the next."""
        made = []
        for line in range(first, first + count):
            round_number, number = divmod(line, self.participants)
            who, plan = self.participant(number), plan_id(number % PLANS)
            pre_tax, roth, match = line_amounts(line, number)
            # By hand: three times as quick as building and dumping a dictionary, on the machine that is measured.
            value = (
                f'{{"plan_id":"{plan}","participant_id":"{who}","payroll_id":"{plan}:{self.tag}:{round_number}",'
                f'"pay_date":"{pay_date}","compensation_cents":400000,"amounts":[{{"source":"pre_tax","cents":{pre_tax}}},'
                f'{{"source":"roth","cents":{roth}}},{{"source":"match","cents":{match}}}]}}'
            )
            made.append(Outgoing(who, value.encode(), Contribution.ce_type, f"{self.tag}:{line}", LOAD_SOURCE))
        return made

    def line_cents(self, line: int) -> int:
        """All cents of a line; all of it is acceptable."""
        return sum(line_amounts(line, line % self.participants))


def made_up_limits(year: int) -> Addressed:
    """Limits of a year that has none yet, the same in every run."""
    figures = limits.made_up(year)
    return topics.LIMITS.name, event(str(year), LimitsFact.ce_type, f"{year}:limits", LOAD_SOURCE, **figures)


def line_amounts(line: int, number: int) -> tuple[int, int, int]:
    """Cents of pre-tax, Roth and match: odd figures, so that every split over funds leaves a remainder."""
    pre_tax = 1_007 + (number * 7_919 + line * 13) % 3_001
    return pre_tax, 403 + (number * 31 + line * 7) % 509, pre_tax // 2


def prices(day: date) -> Iterator[tuple[str, str]]:
    """Fund and final price of a date, dollars per share as decimal text."""
    for number in range(FUNDS):
        yield fund_id(number), f"{11 + number}.{37 + day.day:02d}"


def plan_id(number: int) -> str:
    """The id of a plan."""
    return f"LOADPLAN{number:03d}"


def fund_id(number: int) -> str:
    """The id of a fund."""
    return f"LOADFUND{number:02d}"


def _election(number: int) -> list[dict[str, str]]:
    spread = number // PLANS
    percents, step = PERCENTS[spread % len(PERCENTS)], STEPS[spread // len(PERCENTS) % len(STEPS)]
    return [
        {"fund_id": fund_id((spread + place * step) % FUNDS), "percent": percent}
        for place, percent in enumerate(percents)
    ]

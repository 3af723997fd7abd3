"""The scenario file as typed values: strict, so that a misspelt key is an error with its path and not a silent pass."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from deploy.scenarios.yaml_text import load_yaml
from shared.values.money import cents_of
from shared.values.trading_days import is_trading_day, next_trading_day


class FileProblem(Exception):
    """A scenario file that cannot be run: where in it, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def _quoted_money(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('money is quoted dollars, like "169.23"')
    return cents_of(value)


def _quoted_decimal(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('shares, prices and percents are quoted decimals, like "23.47"')
    return value


def _plain_or_quoted_date(value: object) -> object:
    if isinstance(value, datetime.datetime):
        raise ValueError("a date without a time is needed, like 2026-11-20")
    if isinstance(value, datetime.date):
        return value
    if isinstance(value, str):
        return datetime.date.fromisoformat(value)
    raise ValueError("a date is needed, like 2026-11-20")


def _nothing_as_empty_list(value: object) -> object:
    return [] if value is None else value


def _nothing_as_empty_mapping(value: object) -> object:
    return {} if value is None else value


Cents = Annotated[int, BeforeValidator(_quoted_money)]
"""Whole cents, written in the file as quoted dollars."""
DecimalText = Annotated[str, BeforeValidator(_quoted_decimal)]
Day = Annotated[datetime.date, BeforeValidator(_plain_or_quoted_date)]
Name = Annotated[str, Field(min_length=1, strict=True)]
Amounts = Annotated[dict[Name, Cents], BeforeValidator(_nothing_as_empty_mapping)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Part):
    """The engine's match formula: tiers of (percent of pay, percent matched)."""

    tiers: list[tuple[DecimalText, DecimalText]]
    period: Literal["per_pay", "annual"] = "per_pay"


class Plan(_Part):
    """A plan's rules; what is left out has the default of the house rules."""

    sources: list[Name]
    default_fund: Name
    match: Match | None = None
    deferral_overflow: Literal["pro_rata", "pre_tax_first"] | None = None
    roth_catch_up: Literal["deemed", "reject"] | None = None
    vesting: dict[Name, Name | list[DecimalText]] | None = None
    trade_on: Literal["funding", "file"] | None = None


class Fund(_Part):
    """A fund and the scale of its shares (decimals of the smallest share)."""

    share_decimals: Annotated[int, Field(strict=True, ge=0, le=6)] = 3


class Census(_Part):
    """What is known about a participant. ``ytd`` = regular deferrals of the first day's year, made before it."""

    plan: Name | None = None
    born: Day | None = None
    hired: Day | None = None
    terminated: Day | None = None
    rehired: Day | None = None
    prior_year_wages: Cents | None = None
    ytd: dict[Literal["pre_tax", "roth"], Cents] | None = None


class Participant(Census):
    """A participant as known from the beginning, with the election in force on the first day."""

    plan: Name
    born: Day
    hired: Day
    elections: dict[Name, DecimalText] | None = None


class ContributionEvent(_Part):
    """One payroll line. ``plan`` is needed only where the participant is not listed.

    ``employer_money``: what the employer gives for a whole year, which may go to the source the engine matches into.
    """

    contribution: Name
    participant: Name
    payroll: Name
    pay_date: Day
    compensation: Cents
    amounts: Amounts
    plan: Name | None = None
    employer_money: Literal["true_up", "nonelective", "discretionary"] | None = None


class FundingEvent(_Part):
    """The cash of a payroll run; without ``amount`` exactly what its lines listed so far were credited."""

    funding: Name
    amount: Cents | None = None


class ResendEvent(_Part):
    """The same id and body once more."""

    resend: Name


class ResendChangedEvent(_Part):
    """The same id with other amounts."""

    resend_changed: Name
    amounts: Amounts


class ReversalEvent(_Part):
    """What payroll takes back of an earlier line; without ``amounts`` all that is left of it."""

    reversal: Name
    reverses: Name
    amounts: Amounts | None = None


class ElectionEvent(_Part):
    """A participant's new election: percent by fund."""

    election: Name
    funds: dict[Name, DecimalText]


class CensusEvent(Census):
    """A new or changed participant; what is left out stays as it was."""

    census: Name


class LaterEvent(BaseModel):
    """An event kind of the format that the engine does not take yet; its keys are not looked at."""

    model_config = ConfigDict(extra="allow", frozen=True)


EVENT_KINDS = ("contribution", "funding", "resend", "resend_changed", "reversal", "election", "census")
LATER_KINDS = ("exchange", "rebalance", "distribution", "dividend", "split", "fee", "price_correction")


def _kind(event: object) -> str | None:
    if not isinstance(event, Mapping):
        return None
    for kind in EVENT_KINDS:
        if kind in event:
            return kind
    return "later" if any(kind in event for kind in LATER_KINDS) else None


Event = Annotated[
    Annotated[ContributionEvent, Tag("contribution")]
    | Annotated[FundingEvent, Tag("funding")]
    | Annotated[ResendEvent, Tag("resend")]
    | Annotated[ResendChangedEvent, Tag("resend_changed")]
    | Annotated[ReversalEvent, Tag("reversal")]
    | Annotated[ElectionEvent, Tag("election")]
    | Annotated[CensusEvent, Tag("census")]
    | Annotated[LaterEvent, Tag("later")],
    Discriminator(
        _kind,
        custom_error_type="event_kind",
        custom_error_message="no known event kind; known are " + ", ".join((*EVENT_KINDS, *LATER_KINDS)),
    ),
]


class CustodianOrder(_Part):
    """What the custodian does with the orders of one fund and side on this date."""

    fund: Name
    side: Literal["buy", "sell"]
    action: Literal["reject", "late", "duplicate", "misprice", "wrong_shares"]
    plan: Name | None = None


class Custodian(_Part):
    """The custodian's behaviour on one date; empty = it confirms every order."""

    orders: list[CustodianOrder] = []


class ExpectedReceipt(_Part):
    """The receipt decided on this day and how resends were answered."""

    status: str | None = None
    accepted: Cents | None = None
    rejected: Cents | None = None
    codes: list[str] | None = None
    duplicates: int | None = None
    mismatches: int | None = None


class ExpectedOrder(_Part):
    """One order; the list of them is complete and sorted by plan, fund, side, wave."""

    plan: Name | None = None
    fund: Name | None = None
    side: Literal["buy", "sell"] | None = None
    amount: Cents | None = None
    shares: DecimalText | None = None
    wave: int | None = None


class ExpectedDeposit(_Part):
    """The cash that a payroll run lacks at the end of the day, and by when withheld money must be in the trust."""

    short: Cents | None = None
    due: Day | None = None
    latest: Day | None = None


class Expect(_Part):
    """What must hold at the end of the day; what is not named is not compared."""

    receipts: dict[Name, ExpectedReceipt] | None = None
    credited: dict[Name, Amounts] | None = None
    orders: list[ExpectedOrder] | None = None
    positions: dict[Name, dict[Name, dict[Name, DecimalText]]] | None = None
    balances: dict[Name, Cents] | None = None
    proof: str | None = None
    breaks: int | list[Any] | None = None
    dlq: int | list[Any] | None = None
    cash: dict[Name, Cents] | None = None
    deposits: dict[Name, ExpectedDeposit] | None = None
    vested: Any = None
    returns: Any = None
    as_of: Any = None


class ScenarioDay(_Part):
    """One business day: what is published, the closing prices, the custodian's mood, and what must come out."""

    date: Day
    events: Annotated[list[Event], BeforeValidator(_nothing_as_empty_list)] = []
    prices: Annotated[dict[Name, DecimalText], BeforeValidator(_nothing_as_empty_mapping)] = {}
    custodian: Annotated[Custodian, BeforeValidator(_nothing_as_empty_mapping)] = Custodian()
    expect: Annotated[Expect, BeforeValidator(_nothing_as_empty_mapping)] = Expect()


class Scenario(_Part):
    """A whole file."""

    scenario: str
    plans: dict[Name, Plan]
    funds: dict[Name, Fund]
    participants: Annotated[dict[Name, Participant], BeforeValidator(_nothing_as_empty_mapping)] = {}
    days: Annotated[list[ScenarioDay], Field(min_length=1)]

    @model_validator(mode="after")
    def _days_are_consecutive_trading_days(self) -> Scenario:
        for day in self.days:
            if not is_trading_day(day.date):
                raise ValueError(f"{day.date} is not a trading day of the NYSE")
        for before, after in zip(self.days, self.days[1:], strict=False):
            if after.date != next_trading_day(before.date):
                raise ValueError(
                    f"the day after {before.date} must be {next_trading_day(before.date)}, not {after.date}"
                )
        return self


def path_text(location: tuple[int | str, ...]) -> str:
    """``("days", 0, "events")`` as ``days[0].events``; the tags pydantic puts between union members are left out."""
    text = ""
    for index, part in enumerate(location):
        if isinstance(part, int):
            text += f"[{part}]"
        elif not (index and isinstance(location[index - 1], int) and part in (*EVENT_KINDS, "later")):
            text += f".{part}" if text else part
    return text


def parse_scenario(text: str) -> Scenario:
    """Parse a scenario file. Raises ``FileProblem`` naming the first wrong place."""
    try:
        document = load_yaml(text)
    except yaml.YAMLError as problem:
        raise FileProblem("", f"not readable as YAML: {problem}") from problem
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        reason = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise FileProblem(path_text(first["loc"]), reason) from problem
    _check_references(scenario)
    return scenario


def read_scenario(path: Path) -> Scenario:
    """Read and parse a scenario file. Raises ``FileProblem``; also for a file that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise FileProblem("", f"not readable: {problem}") from problem
    return parse_scenario(text)


def _check_references(scenario: Scenario) -> None:
    """Every name that the runner itself must resolve stands earlier in the file."""
    lines: set[str] = set()
    plan_of = {name: known.plan for name, known in scenario.participants.items()}
    for index, day in enumerate(scenario.days):
        for place, event in enumerate(day.events):
            _check_event(f"days[{index}].events[{place}]", event, scenario, lines, plan_of)
        for place, order in enumerate(day.custodian.orders):
            if order.fund not in scenario.funds:
                raise FileProblem(f"days[{index}].custodian.orders[{place}].fund", f"unknown fund {order.fund}")


def _check_event(path: str, event: object, scenario: Scenario, lines: set[str], plan_of: dict[str, str]) -> None:
    match event:
        case ContributionEvent():
            if event.contribution in lines:
                raise FileProblem(f"{path}.contribution", f"{event.contribution} is already used; resend it instead")
            lines.add(event.contribution)
            if event.plan is None and event.participant not in plan_of and len(scenario.plans) != 1:
                raise FileProblem(f"{path}.plan", f"needed: participant {event.participant} is not listed")
        case ReversalEvent():
            if event.reversal in lines:
                raise FileProblem(f"{path}.reversal", f"{event.reversal} is already used; resend it instead")
            if event.reverses not in lines:
                raise FileProblem(f"{path}.reverses", f"{event.reverses} was not sent before")
            lines.add(event.reversal)
        case ResendEvent(resend=line) | ResendChangedEvent(resend_changed=line):
            if line not in lines:
                raise FileProblem(path, f"{line} was not sent before")
        case ElectionEvent():
            if event.election not in plan_of:
                raise FileProblem(f"{path}.election", f"participant {event.election} is not listed")
        case CensusEvent():
            _check_census(path, event, plan_of)


def _check_census(path: str, event: CensusEvent, plan_of: dict[str, str]) -> None:
    if event.census not in plan_of:
        for key in ("plan", "born", "hired"):
            if getattr(event, key) is None:
                raise FileProblem(f"{path}.{key}", f"needed: participant {event.census} is not listed")
    if event.plan is not None:
        plan_of[event.census] = event.plan

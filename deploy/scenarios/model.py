"""The scenario file as typed values: strict, so that a misspelt key is an error with its path and not a silent pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from deploy.scenarios.expectations import ONE, SEVERAL, Expect
from deploy.scenarios.fields import (
    Amounts,
    Cents,
    Count,
    Day,
    Hours,
    Name,
    Part,
    Percent,
    PriceText,
    Year,
    nothing_as_empty_list,
    nothing_as_empty_mapping,
)
from deploy.scenarios.parties import Census, Fund, Participant, Plan, PlanTerms
from deploy.scenarios.yaml_text import load_yaml
from shared.values.trading_days import is_trading_day, next_trading_day, previous_trading_day


class FileProblem(Exception):
    """A scenario file that cannot be run: where in it, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class ContributionEvent(Part):
    """One payroll line. Without ``plan`` it is of the participant's plan; of one who is not listed, of the run's.

    ``employer_money``: what the employer gives for a whole year, which may go to the source the engine matches into.
    ``ytd``: what payroll believes was contributed this year.
    """

    contribution: Name
    participant: Name
    payroll: Name
    pay_date: Day
    compensation: Cents
    amounts: Amounts
    plan: Name | None = None
    hours: Hours | None = None
    ytd: Amounts | None = None
    employer_money: Literal["true_up", "nonelective", "discretionary"] | None = None


class FundingEvent(Part):
    """The cash of a payroll run; without ``amount`` exactly what its lines listed so far were credited."""

    funding: Name
    amount: Cents | None = None


class ReturnEvent(Part):
    """Cash of a payroll run that the bank took back."""

    returned: Name
    amount: Cents


class TotalsEvent(Part):
    """Control totals of a run. ``people``: whose lines it has, one entry a line, for the total of their hashes."""

    plan: Name | None = None
    line_count: Count | None = None
    cents_total: Cents | None = None


class OpenedEvent(TotalsEvent):
    """A payroll run is about to be sent."""

    opened: Name


class ClosedEvent(TotalsEvent):
    """All lines of a run were sent."""

    closed: Name
    cents_by_source: Amounts | None = None
    people: list[Name] | None = None


class PlanChangeEvent(PlanTerms):
    """What changes in a plan; what is left out stays as it was, what is null goes back to its default."""

    plan_change: Name


class LimitsEvent(Part):
    """The limits of a year, which hold for every file of a run."""

    limits: Year
    elective_deferral: Cents
    catch_up: Cents
    catch_up_60_63: Cents | None = None
    annual_additions: Cents
    compensation: Cents
    roth_catch_up_wages: Cents | None = None


class ResendEvent(Part):
    """The same id and body once more."""

    resend: Name


class ResendChangedEvent(Part):
    """The same id with other amounts."""

    resend_changed: Name
    amounts: Amounts


class ReversalEvent(Part):
    """What payroll takes back of a line; without ``amounts`` all that is left of it.

    The line may come later in the file, or never. Then ``participant`` says whose it would be, else the first listed.
    """

    reversal: Name
    reverses: Name
    amounts: Amounts | None = None
    participant: Name | None = None


class ElectionEvent(Part):
    """A participant's new election: percent by fund."""

    election: Name
    funds: dict[Name, Percent]


class CensusEvent(Census):
    """A new or changed participant, perhaps with his election; what is left out stays as it was."""

    census: Name
    elections: dict[Name, Percent] | None = None


class LaterEvent(BaseModel):
    """An event kind of the format that the engine does not take yet; its keys are not looked at."""

    model_config = ConfigDict(extra="allow", frozen=True)


EVENT_KINDS = (
    "contribution", "funding", "returned", "opened", "closed", "resend", "resend_changed", "reversal", "election",
    "census", "plan_change", "limits",
)  # fmt: skip
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
    | Annotated[ReturnEvent, Tag("returned")]
    | Annotated[OpenedEvent, Tag("opened")]
    | Annotated[ClosedEvent, Tag("closed")]
    | Annotated[ResendEvent, Tag("resend")]
    | Annotated[ResendChangedEvent, Tag("resend_changed")]
    | Annotated[ReversalEvent, Tag("reversal")]
    | Annotated[ElectionEvent, Tag("election")]
    | Annotated[CensusEvent, Tag("census")]
    | Annotated[PlanChangeEvent, Tag("plan_change")]
    | Annotated[LimitsEvent, Tag("limits")]
    | Annotated[LaterEvent, Tag("later")],
    Discriminator(
        _kind,
        custom_error_type="event_kind",
        custom_error_message="no known event kind; known are " + ", ".join((*EVENT_KINDS, *LATER_KINDS)),
    ),
]


class CustodianOrder(Part):
    """What the custodian does with the orders of one fund and side on this date."""

    fund: Name
    side: Literal["buy", "sell"]
    action: Literal["reject", "late", "duplicate", "misprice", "wrong_shares"]
    plan: Name | None = None


class Custodian(Part):
    """The custodian's behaviour on one date; empty = it confirms every order."""

    orders: list[CustodianOrder] = Field(default_factory=list)


class ScenarioDay(Part):
    """One business day: what is published, the closing prices, the custodian's mood, and what must come out."""

    date: Day
    events: Annotated[list[Event], BeforeValidator(nothing_as_empty_list)] = Field(default_factory=list)
    prices: Annotated[dict[Name, PriceText], BeforeValidator(nothing_as_empty_mapping)] = Field(default_factory=dict)
    custodian: Annotated[Custodian, BeforeValidator(nothing_as_empty_mapping)] = Custodian()
    expect: Annotated[Expect, BeforeValidator(nothing_as_empty_mapping)] = Expect()


class Scenario(Part):
    """A whole file."""

    scenario: Name
    plans: dict[Name, Plan]
    funds: dict[Name, Annotated[Fund, BeforeValidator(nothing_as_empty_mapping)]]
    participants: Annotated[dict[Name, Participant], BeforeValidator(nothing_as_empty_mapping)] = Field(
        default_factory=dict
    )
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
        # Every listed day is closed, and so is the one before the first: both need a neighbour in the calendar.
        previous_trading_day(self.days[0].date)
        next_trading_day(self.days[-1].date)
        return self


def path_text(location: tuple[int | str, ...]) -> str:
    """``("days", 0, "events")`` as ``days[0].events``; the tags pydantic puts between union members are left out."""
    text = ""
    for index, part in enumerate(location):
        if isinstance(part, int):
            text += f"[{part}]"
        elif not (index and _is_tag(location[index - 1], part)):
            text += f".{part}" if text else part
    return text


def _is_tag(before: int | str, part: str) -> bool:
    return part in (*EVENT_KINDS, "later") if isinstance(before, int) else before == "as_of" and part in (ONE, SEVERAL)


def parse_scenario(text: str) -> Scenario:
    """Parse a scenario file. Raises ``FileProblem`` naming the first wrong place."""
    try:
        document = load_yaml(text)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as problem:  # Such as the date 2026-02-30.
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
        case ReversalEvent():
            _check_reversal(path, event, lines)
        case ResendEvent(resend=line) | ResendChangedEvent(resend_changed=line):
            if line not in lines:
                raise FileProblem(path, f"{line} was not sent before")
        case CensusEvent():
            _check_census(path, event, plan_of)
        case PlanChangeEvent() if event.plan_change not in scenario.plans:
            raise FileProblem(f"{path}.plan_change", f"unknown plan {event.plan_change}")


def _check_reversal(path: str, event: ReversalEvent, lines: set[str]) -> None:
    if event.reversal in lines:
        raise FileProblem(f"{path}.reversal", f"{event.reversal} is already used; resend it instead")
    lines.add(event.reversal)


def _check_census(path: str, event: CensusEvent, plan_of: dict[str, str]) -> None:
    if event.census not in plan_of:
        for key in ("plan", "born", "hired"):
            if getattr(event, key) is None:
                raise FileProblem(f"{path}.{key}", f"needed: participant {event.census} is not listed")
    if event.plan is not None:
        plan_of[event.census] = event.plan

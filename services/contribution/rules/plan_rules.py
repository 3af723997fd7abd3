"""The plan's settings that decide a line, read from the plan fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.contribution.rules.eligibility import EligibilityRule, eligibility_rule_of
from services.contribution.rules.limits import Limits, shortened
from services.contribution.rules.match import MatchFormula, match_formula_of
from services.contribution.rules.sources import SOURCES
from services.contribution.rules.vesting import VestingTerms, vesting_schedule_of

PRO_RATA, PRE_TAX_FIRST = "pro_rata", "pre_tax_first"
DEEMED, REJECT = "deemed", "reject"


@dataclass(frozen=True, slots=True)
class PlanRules:
    """The plan's settings that decide a line; the defaults are those of the house rules."""

    plan_id: str
    sources: frozenset[str]
    deferral_overflow: str = PRO_RATA
    roth_catch_up: str = DEEMED
    has_higher_catch_up: bool = True
    match: MatchFormula | None = None
    eligibility: EligibilityRule | None = None
    post_severance_days: int | None = None
    vesting: VestingTerms = field(default_factory=VestingTerms)
    short_years: Mapping[int, int] = field(default_factory=dict)
    """Calendar years in which the plan's limitation year has less than twelve months, and how many it has."""
    admitted: frozenset[str] = field(init=False)
    """What payroll may send: the plan's sources without the one the engine itself calculates."""

    def __post_init__(self) -> None:
        engine_made = frozenset() if self.match is None else frozenset({self.match.source})
        object.__setattr__(self, "admitted", self.sources - engine_made)

    def limits(self, limits: Limits) -> Limits:
        """Return the year's limits as they hold for this plan."""
        months = self.short_years.get(limits.year)
        return limits if months is None else shortened(limits, months)

    @property
    def may_deem_roth(self) -> bool:
        """Whether pre-tax catch-up of a high earner becomes Roth instead of being refused (414(v)(7))."""
        return self.roth_catch_up == DEEMED and "roth" in self.sources


def plan_rules_of(plan_id: str, fact: Mapping[str, object]) -> PlanRules:
    """Return the rules of a plan from its fact. Raises ValueError when a setting makes no sense."""
    sources = fact.get("sources")
    if not isinstance(sources, list | tuple) or not all(isinstance(name, str) for name in sources):
        raise ValueError(f"plan {plan_id}: sources must be a list of names")
    unknown = sorted(set(sources) - SOURCES.keys())
    if unknown:
        raise ValueError(f"plan {plan_id}: unknown sources {', '.join(unknown)}")
    vesting = fact.get("vesting") or {}
    if not isinstance(vesting, Mapping):
        raise ValueError(f"plan {plan_id}: vesting must name a schedule for each source")
    return PlanRules(
        plan_id=plan_id,
        sources=frozenset(sources),
        deferral_overflow=_one_of(plan_id, fact, "deferral_overflow", (PRO_RATA, PRE_TAX_FIRST)),
        roth_catch_up=_one_of(plan_id, fact, "roth_catch_up", (DEEMED, REJECT)),
        has_higher_catch_up=fact.get("catch_up_60_63") is not False,
        match=None if fact.get("match") is None else match_formula_of(fact["match"]),
        eligibility=None if fact.get("eligibility") is None else eligibility_rule_of(fact["eligibility"]),
        post_severance_days=_optional_days(plan_id, fact.get("post_severance_days")),
        vesting=VestingTerms(
            {source: vesting_schedule_of(source, schedule) for source, schedule in vesting.items()},
            _optional_age(plan_id, fact.get("normal_retirement_age")),
        ),
        short_years=_short_years(plan_id, fact.get("short_years") or {}),
    )


def _short_years(plan_id: str, fact: object) -> dict[int, int]:
    if not isinstance(fact, Mapping) or not all(type(months) is int and 1 <= months <= 11 for months in fact.values()):
        raise ValueError(f"plan {plan_id}: short_years must give 1 to 11 months for each year")
    return {int(year): months for year, months in fact.items()}


def _one_of(plan_id: str, fact: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> str:
    """The first of `allowed` is the default."""
    value = fact.get(name)
    if value is None:
        return allowed[0]
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"plan {plan_id}: {name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def _optional_age(plan_id: str, age: object) -> int | None:
    if age is None:
        return None
    if type(age) is not int or not 50 <= age <= 70:
        raise ValueError(f"plan {plan_id}: normal_retirement_age must be from 50 to 70, not {age!r}")
    return age


def _optional_days(plan_id: str, days: object) -> int | None:
    if days is None:
        return None
    if type(days) is not int or days < 0:
        raise ValueError(f"plan {plan_id}: post_severance_days must be a whole number of days, not {days!r}")
    return days

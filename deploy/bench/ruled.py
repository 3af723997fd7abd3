"""The measured payday with every rule at work, against the same one without them: what the law costs of the throughput.

Both make the same number of lines, legs and orders. Bare plans let payroll send the match and everybody in. Ruled ones
have eligibility, an engine match of two tiers, and people whose year is nearly full: their deferrals become catch-up,
and Roth catch-up for those who earned more than the threshold. Nothing is cut, so the cents are known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from deploy.bench.payday import FIRST_PAYDAY, PaydayBench, Say, open_bench, paydays
from deploy.bench.world import SOURCES, Event, World, amounts_of, bench_event, fund_id, participant_id, plan_id
from deploy.cluster import Cluster
from shared.events import topics
from shared.events.census import Census
from shared.events.payroll import Contribution, PayrollFunded
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged

OFF, ON = "rules_off", "rules_on"
TURNS = (OFF, ON, ON, OFF)
"""Each payday finds fuller tables than the one before: taken in this order, neither side gains by it."""
COST_MAX = 0.25
PAY_CENTS = 400_000
THREE_PERCENT, FIVE_PERCENT = 12_000, 20_000
NEARLY_FULL_CENTS = 2_445_000
"""Deferred before: 50.00 short of 402(g) in 2026."""
AGED_50_BY_2026 = 11
"""Of 35 years of birth from 1966 on, so many make people of 50 and more in 2026."""


@dataclass(frozen=True, slots=True)
class RuledWorld(World):
    """The same payday in plans of its own, for people of its own, on the same funds."""

    def head(self) -> Iterator[Event]:
        """Plans; the funds are those of the bare world."""
        for number in range(self.plans):
            plan = _ruled(plan_id(number))
            yield bench_event(
                topics.PLANS, plan, PlanFact.ce_type, f"{plan}:plan", plan_id=plan, sources=list(SOURCES),
                default_fund=fund_id(0), vesting={"match": "graded_2_6"}, roth_catch_up="deemed",
                match={"tiers": [["3", "100"], ["2", "50"]], "period": "per_pay"}, post_severance_days=75,
                eligibility={"age": 21, "service_months": 12, "entry": "quarterly", "excluded_groups": ["leased"]},
            )  # fmt: skip

    def people(self) -> Iterator[Event]:
        """Census facts with openings and last year's wages, then elections."""
        for number in range(self.participants):
            who, plan = self._place(number)
            year = number % 35
            deferred = NEARLY_FULL_CENTS if year < AGED_50_BY_2026 else 500_000
            yield bench_event(
                topics.PARTICIPANT_CENSUS, who, Census.ce_type, f"{who}:census", participant_id=who, plan_id=plan,
                birth_date=f"{1966 + year}-03-02", hire_date="2020-01-06", group="staff",
                prior_year_wages_cents=16_000_000 if number % 7 == 0 else 8_000_000,
                opening={"year": FIRST_PAYDAY.year, "regular_cents": deferred, "compensation_cents": 9_600_000},
            )  # fmt: skip
        for number in range(self.participants):
            who, plan = self._place(number)
            parts = [{"fund_id": fund, "percent": percent} for fund, percent in self.election(number)]
            yield bench_event(
                topics.PARTICIPANT_REQUESTS, who, ElectionChanged.ce_type, f"{who}:election", participant_id=who,
                plan_id=plan, elections=parts,
            )  # fmt: skip

    def lines(self, payday: date) -> Iterator[Event]:
        """One payroll line of each participant; the match is the engine's."""
        pay_date = payday.isoformat()
        for number in range(self.participants):
            who, plan = self._place(number)
            amounts = [{"source": source, "cents": cents} for source, cents in amounts_of(number) if source != "match"]
            yield bench_event(
                topics.PAYROLL_CONTRIBUTIONS, who, Contribution.ce_type, f"{who}:{pay_date}", participant_id=who,
                plan_id=plan, payroll_id=f"{plan}:{pay_date}", pay_date=pay_date, compensation_cents=PAY_CENTS,
                amounts=amounts,
            )  # fmt: skip

    def fundings(self, payday: date) -> Iterator[Event]:
        """The cash of every run, match included, to the cent."""
        pay_date = payday.isoformat()
        for number in range(min(self.plans, self.participants)):
            plan = _ruled(plan_id(number))
            members = range(number, self.participants, self.plans)
            cents = sum(deferred_cents(one) + match_cents(deferred_cents(one)) for one in members)
            run = f"{plan}:{pay_date}"
            yield bench_event(
                topics.PAYROLL_RUNS, run, PayrollFunded.ce_type, f"{run}:cash", payroll_id=run, plan_id=plan,
                cents=cents, reference=f"{run}:cash", received_on=pay_date,
            )  # fmt: skip

    @property
    def total_cents(self) -> int:
        """What one payday submits, all of it acceptable."""
        return sum(deferred_cents(number) for number in range(self.participants))

    def _place(self, number: int) -> tuple[str, str]:
        return _ruled(participant_id(number)), _ruled(plan_id(number % self.plans))


def _ruled(name: str) -> str:
    return f"R{name}"


def deferred_cents(number: int) -> int:
    """What a participant's line defers."""
    return sum(cents for source, cents in amounts_of(number) if source != "match")


def match_cents(deferred: int) -> int:
    """All of the first 3 % of pay and half of the next 2 %, half-up: worked out without the engine's rules."""
    above = min(deferred, FIVE_PERCENT) - THREE_PERCENT
    return min(deferred, THREE_PERCENT) + (max(0, above) + 1) // 2


async def compare_rules(cluster: Cluster, participants: int, rounds: int, say: Say) -> dict[str, Any]:
    """Measure paydays without and with rules, in turns on one fresh cluster; ``rounds`` times all turns."""
    worlds: dict[str, World] = {OFF: World(participants), ON: RuledWorld(participants)}
    async with open_bench(cluster, worlds[OFF]) as bench:
        say("publishing facts, census and elections of both worlds")
        ruled = worlds[ON]
        await bench.publisher.publish([*worlds[OFF].head(), *ruled.head(), *ruled.people()])
        await bench.prepare(FIRST_PAYDAY)
        measured = await _take_turns(bench, worlds, TURNS * rounds, say)
    return verdict(measured)


async def _take_turns(
    bench: PaydayBench, worlds: dict[str, World], turns: tuple[str, ...], say: Say
) -> list[dict[str, Any]]:
    measured = []
    for number, (side, payday) in enumerate(zip(turns, paydays(len(turns), len(worlds)), strict=True), start=1):
        bench.world = worlds[side]
        say(f"payday {number} of {len(turns)}: {payday}, {bench.world.participants} contributions, {side}")
        measured.append({"side": side, **await bench.round(payday)})
    return measured


def verdict(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Both sides' rates over all their paydays, and the share of the throughput that the rules cost."""
    sides = {side: _side([one for one in rounds if one["side"] == side]) for side in (OFF, ON)}
    ratio = round(sides[ON]["contributions_per_s"] / sides[OFF]["contributions_per_s"], 4)
    proven = all(one["proof"] == "ok" for one in rounds)
    return {
        "ok": proven and 1 - ratio <= COST_MAX,
        "proof": "ok" if proven else "broken",
        **sides,
        "throughput_ratio": ratio,
        "rules_cost": round(1 - ratio, 4),
        "rules_cost_max": COST_MAX,
        "rounds": rounds,
    }


def _side(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    groups = dict.fromkeys(group for one in rounds for group in one["cpu_microseconds_per_contribution"])
    each = [one["cpu_microseconds_per_contribution"] for one in rounds]
    cpu = {group: round(sum(one.get(group, 0.0) for one in each) / len(each), 1) for group in groups}
    return {
        "contributions_per_s": round(
            sum(one["contributions"] for one in rounds) / sum(one["seconds"] for one in rounds), 1
        ),
        "cpu_microseconds_per_contribution": cpu,
        "cpu_microseconds_in_all": round(sum(cpu.values()), 1),
    }

"""One scenario's world: takes the events of each day and says what must be seen at its end.

Written from the contract of scenario files and the house rules. A first fact counts from its own date on, a changed one
and every election from the next date on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import takewhile
from typing import Any

from tests.scenarios.random.exact import dollars, half_up, scaled
from tests.scenarios.random.law import (
    DEFERRALS,
    Decision,
    Year,
    decide,
    match_of,
    refused,
)
from tests.scenarios.random.limits import LATE_YEAR, LIMITS
from tests.scenarios.random.parties import Member, Plan, Terms
from tests.scenarios.random.people import Person
from tests.scenarios.random.runs import HeldReversal, Line, Run, Totals
from tests.scenarios.random.vesting import vested_percent

NO_FIRST = {"INVALID_AMOUNT", "UNKNOWN_PARTICIPANT", "UNKNOWN_PLAN"}


class World:
    """The state of a file between its events."""

    def __init__(self, plans: Mapping[str, Plan], decimals: Mapping[str, int], first_year: int) -> None:
        self.plans = dict(plans)
        self.decimals = dict(decimals)
        self.first_year = first_year
        self.members: dict[str, Member] = {}
        self.years: defaultdict[tuple[str, str, int], Year] = defaultdict(Year)
        self.lines: dict[str, Line] = {}
        self.runs: dict[str, Run] = {}
        self.reversals: dict[str, tuple[str, Mapping[str, int] | None]] = {}
        self.held_reversals: list[HeldReversal] = []
        self.day = 0
        self.has_late_limits = False
        self._credited: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._answers: dict[str, dict[str, Any]] = {}
        self._resends: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def join(self, who: str, member: Member, regular: int = 0) -> None:
        """Make a participant known from now on; ``regular`` = deferred earlier in the first day's year."""
        self.members[who] = member
        year = self.years[member.plan, who, self.first_year]
        year.regular += regular
        year.additions += regular
        self._settle()

    def lines_of(self, who: str, plan: str) -> list[Line]:
        """A participant's lines of a plan, in the order they came."""
        return [line for line in self.lines.values() if line.who == who and line.plan == plan]

    def last_of_year(self, line: Line) -> Line:
        """The last line that came of the same participant, plan and year."""
        return list(self._same_year(line))[-1]

    def change(self, who: str, person: Person) -> None:
        """A corrected fact: in force from the next date on."""
        self.members[who].next_person = person

    def elect(self, who: str, percents: dict[str, str]) -> None:
        """A new election: for money of later trade dates."""
        self.members[who].next_percents = percents

    def send(self, line: Line) -> Line:
        """A payroll line arrives."""
        self.lines[line.name] = line
        if line.plan in self.plans:
            self.runs.setdefault(line.run, Run(line.plan)).lines.append(line)
        self._try(line)
        return line

    def resend(self, name: str, changed: bool) -> None:
        """The same id once more."""
        self._resends[name]["mismatches" if changed else "duplicates"] += 1

    def fund(self, run: str, cents: int, plan: str) -> None:
        """Cash for a run, which may come before its lines."""
        found = self.runs.setdefault(run, Run(plan))
        found.funded += cents
        found.is_named |= bool(found.lines)

    def take_cash(self, run: str, cents: int) -> None:
        """The bank takes cash of a run back."""
        self.runs[run].funded -= cents

    def say_totals(self, run: str, totals: Totals, plan: str) -> None:
        """Payroll says what a run has; what it says last counts."""
        self.runs.setdefault(run, Run(plan)).said = totals

    def alter(self, plan: str, terms: Terms) -> None:
        """Changed terms of a plan."""
        self.plans[plan].next_terms = terms

    def held_in(self, run: str) -> bool:
        """True when a line of the run waits for something."""
        lines = self.runs[run].lines
        return any(line.decision is None for line in lines) or any(held.line in lines for held in self.held_reversals)

    def owed(self, run: str) -> int:
        """What a funding that names no amount pays."""
        found = self.runs[run]
        return sum(line.owed() for line in found.lines if not line.is_released) - (found.funded - found.used)

    def _try(self, line: Line) -> None:
        """Decide a line unless something it names is unknown or an earlier one of the same year waits."""
        member = self.members.get(line.who)
        if line.plan not in self.plans or member is None or member.plan != line.plan:
            return
        before = list(takewhile(lambda other: other is not line, self._same_year(line)))
        if any(other.decision is None for other in before):
            return
        if any(cents < 0 for cents in line.amounts.values()):
            self._refuse_negative(line, before)
            return
        if any(other.same_as(line) and self._counts(other) for other in before):
            return
        if not self._has_limits(line.pay_date.year):
            return
        so_far = self.years[line.plan, line.who, line.pay_date.year]
        rules = self.plans[line.plan].rules
        line.year_before = replace(so_far)
        given = line.employer_money is not None
        line.rules = rules
        self._decided(
            line, decide(rules, member.person, so_far, line.pay_date, line.pay, line.amounts, is_for_the_year=given)
        )

    def _refuse_negative(self, line: Line, before: list[Line]) -> None:
        """Whatever the limits are; its pay counts, unless it says what one that was refused so before has said."""
        refusals = [other for other in before if other.decision and "INVALID_AMOUNT" in other.decision.codes]
        if not any(other.same_as(line) for other in refusals):
            self.years[line.plan, line.who, line.pay_date.year].pay += line.pay
        self._decided(line, refused(line.amounts, "INVALID_AMOUNT"))

    def _has_limits(self, year: int) -> bool:
        return year in LIMITS or (year == LATE_YEAR and self.has_late_limits)

    def load_late_limits(self) -> None:
        """The late year's limits are known from now on: what waited for them is decided in the order it came."""
        self.has_late_limits = True
        self._settle()

    def _settle(self) -> None:
        """Decide what can be decided now of what waits, lines and reversals in the order they came."""
        for place, line in enumerate(self.lines.values()):
            self._free_reversals(place)
            if line.decision is None:
                self._try(line)
        self._free_reversals(len(self.lines))

    def _free_reversals(self, place: int) -> None:
        for held in [held for held in self.held_reversals if held.place == place]:
            if all(line.decision is not None for line in self._before(held.line, held.place)):
                self.held_reversals.remove(held)
                self._reverse(held.name, held.line, None, held.place)

    def _before(self, line: Line, place: int) -> list[Line]:
        """The lines of the same year among the first ``place`` that came."""
        came = set(list(self.lines)[:place])
        return [other for other in self._same_year(line) if other.name in came]

    def _same_year(self, line: Line) -> Iterator[Line]:
        """The participant's lines of that plan and year, in the order they came."""
        for other in self.lines.values():
            if (other.who, other.plan, other.pay_date.year) == (line.who, line.plan, line.pay_date.year):
                yield other

    @staticmethod
    def _counts(other: Line) -> bool:
        """One refused for its shape or an unknown name is no first; one taken back wholly may be sent again."""
        if other.decision is None or other.decision.codes & NO_FIRST:
            return False
        return not other.reversed or other.owed() > 0

    def _decided(self, line: Line, decision: Decision) -> None:
        line.decision, line.decided_on, line.match_left = decision, self.day, decision.match
        for source, cents in decision.credited().items():
            self._credited[line.who][source] += cents
        self._answers[line.name] = _receipt(
            decision.status, decision.accepted, decision.asked - decision.accepted, sorted(decision.codes)
        )
        if "INVALID_AMOUNT" in decision.codes:
            del self._answers[line.name]["rejected"]  # What a negative cent asks for is not said anywhere.

    def reverse(self, name: str, who: str, line: Line | None, amounts: Mapping[str, int] | None) -> None:
        """Take back of a decided line what is left of it, or the named amounts; None = what is no line."""
        self.reversals[name] = (who, amounts)
        if line is not None and any(other.decision is None for other in self._same_year(line)):
            self.held_reversals.append(HeldReversal(name, line, len(self.lines)))
        else:
            self._reverse(name, line, amounts, len(self.lines))

    def _reverse(self, name: str, line: Line | None, amounts: Mapping[str, int] | None, place: int) -> None:
        asked = sum((amounts or {}).values())
        if line is None or line.decision is None or not line.decision.accepted:
            self._answers[name] = _receipt("rejected", 0, asked, ["REVERSES_UNKNOWN"])
            return
        left = {source: cents for source, cents in line.left().items() if cents}
        wanted = left if amounts is None else amounts
        taken = {source: min(cents, left.get(source, 0)) for source, cents in wanted.items()}
        given = sum(taken.values())
        short = asked - given if amounts is not None else 0
        status = "rejected" if not given else "partially_accepted" if short else "accepted"
        self._answers[name] = _receipt(status, given, short, [] if status == "accepted" else ["REVERSES_TOO_MUCH"])
        if given:
            is_whole_and_last = (
                given == sum(left.values()) and not line.reversed and line is self._before(line, place)[-1]
            )
            self._take_back(line, taken)
            if is_whole_and_last and line.year_before is not None:
                pay = self.years[line.plan, line.who, line.pay_date.year].pay
                self.years[line.plan, line.who, line.pay_date.year] = replace(line.year_before, pay=pay)

    def _take_back(self, line: Line, taken: Mapping[str, int]) -> None:
        so_far = self.years[line.plan, line.who, line.pay_date.year]
        line.reversed.update(taken)
        falling = dict(taken)
        if line.match_left and line.decision is not None and line.rules is not None and line.rules.tiers is not None:
            deferred = sum(line.left().get(source, 0) for source in DEFERRALS)
            match = min(line.match_left, match_of(line.rules.tiers, line.decision.counted_pay, deferred))
            falling[line.rules.match_source] = line.match_left - match
            line.match_left = match
        for source, cents in falling.items():
            self._credited[line.who][source] -= cents
            if source in DEFERRALS:
                so_far.regular -= cents
            if source not in ("rollover_pre_tax", "rollover_roth", "loan_repayment"):
                so_far.additions -= cents
            if line.is_released and cents:
                self.plans[line.plan].trust.take_back(line.parts[source], cents)

    def close(self, on: date, prices: Mapping[str, str], actions: Mapping[tuple[str, str], str]) -> dict[str, Any]:
        """End the day: reject what stayed unknown, release, trade, and say all that must be seen."""
        for line in self.lines.values():
            member = self.members.get(line.who)
            if line.decision is None and (line.plan not in self.plans or member is None or member.plan != line.plan):
                code = "UNKNOWN_PARTICIPANT" if line.plan in self.plans else "UNKNOWN_PLAN"
                self._decided(line, refused(line.amounts, code))
        self._settle()
        for run in self.runs.values():
            self._release(run)
        orders = []
        for name, plan in sorted(self.plans.items()):
            made = plan.trust.trade(self.day, prices, lambda fund, side: actions.get((fund, side), "confirm"))
            orders += [
                {"plan": name, "fund": order.fund, "side": order.side}
                | ({"amount": dollars(order.size)} if order.side == "buy" else self._shares(order.fund, order.size))
                for order in sorted(made, key=lambda order: (order.fund, order.side))
            ]
        seen = self._seen(prices) | {"orders": orders}
        vested = self._vested(on, prices)
        seen |= {"vested": vested} if vested else {}
        self._next_day()
        return seen

    def _shares(self, fund: str, units: int) -> dict[str, str]:
        return {"shares": scaled(units, self.decimals[fund])}

    def _release(self, run: Run) -> None:
        plan = self.plans[run.plan]
        ready = [line for line in run.lines if line.decision is not None and not line.is_released]
        needed = sum(line.owed() for line in ready)
        if not ready or (not plan.terms.on_file and run.funded - run.used < needed):
            return
        if plan.terms.holds_mismatch and not run.agrees():
            return
        run.used += needed
        for line in ready:
            line.is_released = True
            percents = self.members[line.who].percents if line.who in self.members else None
            left = line.left()
            if line.match_left and line.rules is not None:
                left[line.rules.match_source] = left.get(line.rules.match_source, 0) + line.match_left
            for source, cents in left.items():
                holder = (line.who, source)
                line.parts[source] = plan.trust.buy(holder, cents, percents or {plan.terms.default_fund: "100"})

    def _seen(self, prices: Mapping[str, str]) -> dict[str, Any]:
        answers = {name: dict(answer) for name, answer in self._answers.items()}
        for line in self.lines.values():
            if line.decision is None:
                answers[line.name] = _receipt("held", 0, 0, [])
        answers |= {held.name: _receipt("held", 0, 0, []) for held in self.held_reversals}
        for name, counts in self._resends.items():
            answers.setdefault(name, {}).update(counts)
        credited = {
            who: {source: dollars(cents) for source, cents in sorted(parts.items()) if cents}
            for who, parts in sorted(self._credited.items())
        }
        positions: dict[str, dict[str, dict[str, str]]] = {}
        worth = dict.fromkeys(self.members, 0)
        for plan in self.plans.values():
            worth |= plan.trust.worth(prices)
            for (who, source, fund), units in sorted(plan.trust.units.items()):
                held = positions.setdefault(who, {}).setdefault(source, {})
                held[fund] = scaled(units, self.decimals[fund])
        return {
            "receipts": answers,
            "credited": credited,
            "positions": positions,
            "balances": {who: dollars(cents) for who, cents in sorted(worth.items())},
            "cash": self._cash(),
        }

    def _cash(self) -> dict[str, str]:
        """Unallocated dollars by plan; left out where cash came of which nothing says yet whose it is."""
        cash = {name: plan.trust.cash for name, plan in self.plans.items()}
        unclear = set()
        for run in self.runs.values():
            cash[run.plan] += max(0, run.funded - run.used)
            if (
                run.funded
                and not run.is_named
                and not any(line.decision is not None and line.decision.accepted for line in run.lines)
            ):
                unclear.add(run.plan)
        return {name: dollars(cents) for name, cents in sorted(cash.items()) if name not in unclear}

    def _vested(self, on: date, prices: Mapping[str, str]) -> dict[str, str]:
        """Dollars of what belongs to each member of a plan with a schedule, also if he left today."""
        worth: defaultdict[str, Fraction] = defaultdict(Fraction)
        for plan in self.plans.values():
            for (who, source, fund), units in plan.trust.units.items() if plan.terms.vesting else ():
                percent = vested_percent(plan.terms.vesting.get(source, "immediate"), self.members[who].person, on)
                worth[who] += units * Fraction(prices[fund]) * percent / 10 ** self.decimals[fund]
        return {who: dollars(half_up(cents)) for who, cents in sorted(worth.items())}

    def _next_day(self) -> None:
        self.day += 1
        self._credited.clear()
        self._answers.clear()
        self._resends.clear()
        for member in self.members.values():
            member.person = member.next_person or member.person
            member.percents = member.next_percents or member.percents
            member.next_person = member.next_percents = None
        for plan in self.plans.values():
            plan.terms, plan.next_terms = plan.next_terms or plan.terms, None


def _receipt(status: str, accepted: int, rejected: int, codes: list[str]) -> dict[str, Any]:
    shown = {"status": status, "accepted": dollars(accepted), "rejected": dollars(rejected)}
    return shown | ({"codes": codes} if codes else {})

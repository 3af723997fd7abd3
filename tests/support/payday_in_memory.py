"""A whole payday without a socket: the four services' pure rules, chained as their handlers chain them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.allocation.rules.elections import Parts, election_parts
from services.allocation.rules.split import split_line
from services.contribution.rules.intake import Line, read_line
from services.contribution.rules.limits import reviewed_limits
from services.contribution.rules.line import decide_line
from services.contribution.rules.participant import Employment, Participant
from services.contribution.rules.plan_rules import plan_rules_of
from services.contribution.rules.records import YearToDate
from services.contribution.rules.runs import OpenRun, decide_releases
from services.trading.rules.confirmations import Confirmed, judge
from services.trading.rules.orders import order_id_of
from services.valuation.rules.balances import Rates
from services.valuation.rules.positions import Holdings, apply_legs, check, holding_key
from services.valuation.rules.proof import Equations, add_up, holdings_equations, money_equations
from shared.events.requests import ElectionChanged
from shared.values.hashing import bucket_of
from shared.values.shares import Price, shares_bought
from shared.values.split import rank_cut, shares_by_cut

DAY = date(2026, 11, 20)
Person = tuple[str, str]
"""(plan id, participant id)."""
Order = tuple[str, str]
"""(plan id, fund id)."""
Leg = tuple[str, str]
"""(participant id, source)."""


@dataclass(frozen=True)
class Population:
    """All that was said before the cut, as it was said: bodies, percents, prices as text."""

    plans: Mapping[str, Mapping[str, Any]]
    """Plan id to its fact: sources, match, default_fund, trade_on."""
    funds: Mapping[str, tuple[int, str]]
    """Fund id to share decimals and final price."""
    elections: Mapping[Person, Sequence[tuple[str, str, str]]]
    """(source group, fund, percent) of those who elected."""
    lines: Sequence[Mapping[str, Any]]
    """Bodies of payroll lines."""
    cash: Mapping[str, int]
    """Cents that arrived, by payroll."""


@dataclass
class Books:
    """What the services hold at the close."""

    released: set[tuple[str, str]] = field(default_factory=set)
    """(plan, payroll) of the runs that traded."""
    orders: dict[Order, int] = field(default_factory=dict)
    """Cents ordered."""
    confirmed: dict[Order, int] = field(default_factory=dict)
    """Units confirmed."""
    positions: dict[Person, Holdings] = field(default_factory=dict)
    balances: dict[Person, int | None] = field(default_factory=dict)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    """By stage, what each would say in its closing marker."""

    def count(self, stage: str, **amounts: int) -> None:
        """Add to a stage's totals."""
        of_stage = self.totals.setdefault(stage, {})
        for name, amount in amounts.items():
            of_stage[name] = of_stage.get(name, 0) + amount

    def proof(self) -> Equations:
        """The conservation proof of the day over these totals, with the confirmed units as the custodian's books."""
        held: dict[Order, int] = {}
        for (plan, _), holdings in self.positions.items():
            for key, (units, _) in holdings.items():
                place = (plan, key.partition("/")[2])
                held[place] = held.get(place, 0) + units
        return money_equations(add_up([self.totals])) | holdings_equations(held, self.confirmed, {}, {})


def run_payday(said: Population, lanes: int = 4) -> Books:
    """Decide, release, split, order, confirm, share out over ``lanes`` and value."""
    books = Books()
    accepted = _contribution(said, books)
    legs = _allocation(said, accepted, books)
    _trading(said, legs, lanes, books)
    rates = Rates(
        {fund: Price.parse(price) for fund, (_, price) in said.funds.items()},
        {fund: decimals for fund, (decimals, _) in said.funds.items()},
    )
    books.balances = {person: rates.balance(holdings) for person, holdings in books.positions.items()}
    return books


def _contribution(said: Population, books: Books) -> list[tuple[Line, tuple[tuple[str, int], ...]]]:
    """The lines of the runs that may trade, each with what was credited."""
    limits = reviewed_limits()[2026]
    someone = Participant(date(1986, 3, 2), (Employment(date(2020, 1, 6)),))
    years: dict[Person, YearToDate] = {}
    runs: dict[tuple[str, str], int] = {}
    credited = []
    for body in said.lines:
        line = read_line(dict(body))
        rules = plan_rules_of(line.plan_id, said.plans[line.plan_id])
        person = (line.plan_id, line.participant_id)
        decision = decide_line(line, rules, someone, limits, years.get(person, YearToDate()))
        years[person] = decision.year_to_date
        books.count(
            "contribution", accepted=decision.accepted_cents, rejected=decision.rejected_cents,
            submitted=sum(cents for _, cents in line.amounts),
        )  # fmt: skip
        run = (line.plan_id, line.payroll_id)
        runs[run] = runs.get(run, 0) + sum(cents for _, cents in decision.credited)
        credited.append((line, decision.credited))
    on_file = frozenset(plan for plan, fact in said.plans.items() if fact.get("trade_on") == "file")
    releases, _ = decide_releases(
        [OpenRun(*run, cents) for run, cents in runs.items()], said.cash, on_file, frozenset()
    )
    books.released = {(one.plan_id, one.payroll_id) for one in releases}
    released, all_credited = sum(one.cents for one in releases), sum(sum(c for _, c in money) for _, money in credited)
    books.count("contribution", released=released, credited=all_credited, open=all_credited - released)
    return [(line, money) for line, money in credited if (line.plan_id, line.payroll_id) in books.released and money]


def _allocation(
    said: Population, accepted: list[tuple[Line, tuple[tuple[str, int], ...]]], books: Books
) -> dict[Order, dict[Leg, int]]:
    """All cents of one (participant, source) in an order are one leg."""
    legs: dict[Order, dict[Leg, int]] = {}
    for line, money in accepted:
        parts = _parts(said, (line.plan_id, line.participant_id))
        sources, cents = [source for source, _ in money], [amount for _, amount in money]
        funds, matrix = split_line(sources, cents, parts, said.plans[line.plan_id]["default_fund"])
        books.count("allocation", cents=sum(matrix))
        books.count("trading", cents=sum(matrix))
        for at, amount in enumerate(matrix):
            if amount:
                order = legs.setdefault((line.plan_id, funds[at % len(funds)]), {})
                leg = (line.participant_id, sources[at // len(funds)])
                order[leg] = order.get(leg, 0) + amount
    return legs


def _parts(said: Population, person: Person) -> Parts | None:
    elected = said.elections.get(person)
    if elected is None:
        return None
    fields = ("source_group", "fund_id", "percent")
    body = {
        "plan_id": person[0],
        "participant_id": person[1],
        "elections": [dict(zip(fields, one, strict=True)) for one in elected],
    }
    return election_parts(ElectionChanged.model_validate(body))


def _trading(said: Population, legs: Mapping[Order, Mapping[Leg, int]], lanes: int, books: Books) -> None:
    """One order per plan and fund; the confirmation is shared out lane by lane, by a cut fixed over all legs."""
    names: set[str] = set()
    for (plan, fund), of_order in sorted(legs.items()):
        names.add(order_id_of(plan, fund, "buy", "cents", DAY, 0))
        amount = sum(of_order.values())
        decimals, text = said.funds[fund]
        price = Price.parse(text)
        units = shares_bought(amount, price, decimals)
        assert judge("cents", amount, Confirmed(units, amount, price), price, decimals) is None
        books.orders[plan, fund], books.confirmed[plan, fund] = amount, units
        books.count("trading", leg_cents=amount, ordered_leg_cents=sum(of_order.values()), ordered_cents=amount)
        books.count("trading.value", confirmed_cents=amount, confirmed_units=units)
        _share_out(plan, fund, of_order, units, lanes, books)
    assert len(names) == len(legs), "every order has a name of its own"


def _share_out(plan: str, fund: str, legs: Mapping[Leg, int], units: int, lanes: int, books: Books) -> None:
    amount = sum(legs.values())
    cut = rank_cut(units, list(legs.values()), list(legs))
    for lane in range(lanes):
        mine = sorted(leg for leg in legs if bucket_of(leg[0]) % lanes == lane)
        if not mine:
            continue
        cents = [legs[leg] for leg in mine]
        shares = shares_by_cut(units, amount, cents, mine, cut)
        for (participant, source), of_leg, paid in zip(mine, shares, cents, strict=True):
            holdings = books.positions.setdefault((plan, participant), {})
            apply_legs([holdings], [holding_key(source, fund)], [of_leg], [paid])
            check(holdings)
        books.count("trading.value", filled_cents=sum(cents), filled_units=sum(shares), fills=1)
        books.count("valuation", posted_cents=sum(cents), posted_units=sum(shares), fills=1)

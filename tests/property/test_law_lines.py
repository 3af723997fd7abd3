"""Laws of the law: whatever payroll sends, in any order, no limit is broken and no cent is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.contribution.rules.deferrals import age_at_year_end, catch_up_limit_of
from services.contribution.rules.intake import Line
from services.contribution.rules.limits import must_be_roth, reviewed_limits
from services.contribution.rules.line import LineDecision, decide_line
from services.contribution.rules.match import MatchFormula, match_formula_of, match_on
from services.contribution.rules.participant import Employment, Opening, Participant
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from services.contribution.rules.records import LimitUse, LineRecord, year_to_date_at_start
from services.contribution.rules.reversals import reverse_line
from services.contribution.rules.sources import ADDITIONS, DEFERRALS, SOURCES

LIMITS = reviewed_limits()[2026]
ALL_SOURCES = sorted(SOURCES)

# Amounts gather where the limits are: a few cents, a typical pay, around a limit, far too much.
cents = st.one_of(
    st.integers(0, 300),
    st.integers(0, 500_000),
    st.sampled_from([799_999, 800_000, 1_125_000, 2_449_999, 2_450_000, 2_450_001, 7_200_000]),
    st.integers(0, 9_000_000),
)
names = st.one_of(st.sampled_from(["pre_tax", "roth"]), st.sampled_from([*ALL_SOURCES, "bonus"]))
amounts = st.lists(st.tuples(names, cents), max_size=6, unique_by=lambda pair: pair[0])
lines = st.builds(
    Line,
    plan_id=st.just("ACME"),
    participant_id=st.just("P"),
    payroll_id=st.just("R"),
    pay_date=st.dates(date(2026, 1, 2), date(2026, 12, 31)),
    compensation=st.integers(0, 40_000_000),
    amounts=amounts,
    misspelt=st.just([]),
)
formulas = st.sampled_from(
    [None, [["3", "100"], ["2", "50"]], [["4", "100"]], [["1", "100"], ["5", "50"]], [["4.5", "33.33"], ["0.5", "200"]]]
)


@st.composite
def plans(draw: st.DrawFn) -> PlanRules:
    """Any plan: some sources, either overflow, either Roth rule, with or without a formula."""
    left_out = draw(st.sets(st.sampled_from(ALL_SOURCES), max_size=3))
    tiers = draw(formulas)
    fact = {
        "sources": [source for source in ALL_SOURCES if source not in left_out],
        "deferral_overflow": draw(st.sampled_from(["pro_rata", "pre_tax_first"])),
        "roth_catch_up": draw(st.sampled_from(["deemed", "reject"])),
        "match": None if tiers is None else {"tiers": tiers},
    }
    return plan_rules_of("ACME", fact)


people = st.builds(
    Participant,
    birth_date=st.sampled_from([1950, 1962, 1963, 1966, 1976, 1977, 1990]).map(lambda year: date(year, 12, 31)),
    employment=st.just((Employment(date(2020, 1, 6)),)),
    prior_year_wages_cents=st.sampled_from([None, 9_000_000, 15_000_000, 15_000_001]),
    opening=st.one_of(
        st.none(),
        st.builds(
            Opening,
            year=st.just(2026),
            regular_cents=st.sampled_from([0, 1_000_000, 2_412_000, 2_449_999, 2_450_000]),
            compensation_cents=st.integers(0, 40_000_000),
        ),
    ),
)


@dataclass
class Year:
    """A participant's year: the decisions so far, what is left of them, and the accumulators."""

    plan: PlanRules
    person: Participant

    def __post_init__(self) -> None:
        self.state = year_to_date_at_start(self.person, 2026)
        self.uses: list[LimitUse] = []
        self.records: list[LineRecord] = []

    def decide(self, line: Line) -> LineDecision:
        """Decide a line and keep what it left."""
        decision = decide_line(line, self.plan, self.person, LIMITS, self.state)
        self.state = decision.year_to_date
        self.uses += decision.limit_uses
        if decision.record is not None:
            self.records.append(decision.record)
        return decision

    def reverse(self, index: int, asked: tuple[tuple[str, int], ...] | None) -> tuple[tuple[str, int], ...]:
        """Reverse (a part of) one recorded line; returns what left the books."""
        decision = reverse_line(self.records[index], asked, self.plan, self.person, LIMITS, self.state)
        self.state = decision.year_to_date
        self.uses += decision.limit_uses
        assert decision.record is not None
        self.records[index] = decision.record
        return decision.debited


def assert_within_every_limit(year: Year) -> None:
    state = year.state
    assert min(msgspec.structs.astuple(state)) >= 0
    assert state.regular_cents <= LIMITS.elective_deferral_cents
    assert state.catch_up_cents <= catch_up_limit_of(year.plan, year.person, LIMITS)
    assert state.additions_cents <= LIMITS.annual_additions_cents
    assert state.relabelled_pre_tax_cents + state.relabelled_roth_cents <= state.catch_up_cents


def assert_accumulators_are_the_sum_of_the_records(year: Year) -> None:
    opening = year_to_date_at_start(year.person, 2026)
    parts = [part for record in year.records for part in record.parts]
    match = sum(record.match_cents for record in year.records)
    deferred = sum(part.cents for part in parts if part.source in DEFERRALS)
    other = sum(part.cents for part in parts if part.source in ADDITIONS and part.source not in DEFERRALS)
    assert year.state.regular_cents + year.state.catch_up_cents == opening.regular_cents + deferred
    assert year.state.other_additions_cents == other + match
    assert year.state.match_cents == match


@given(plans(), people, lines)
def test_accepted_and_rejected_are_what_was_requested(plan: PlanRules, person: Participant, line: Line) -> None:
    decision = Year(plan, person).decide(line)
    asked = dict(line.amounts)
    assert decision.accepted_cents + decision.rejected_cents == sum(asked.values())
    assert sum(cut.cents for cut in decision.cuts) == decision.rejected_cents
    assert all(cut.code and 0 < cut.cents <= asked[cut.source] for cut in decision.cuts)
    match = 0 if decision.record is None else decision.record.match_cents
    assert sum(credited for _, credited in decision.credited) == decision.accepted_cents + match
    assert (decision.status == "accepted") == (decision.rejected_cents == 0)
    assert (decision.status == "rejected") == (decision.rejected_cents > 0 and decision.accepted_cents == 0)


@given(plans(), people, st.lists(lines, min_size=1, max_size=8))
def test_no_order_of_lines_breaks_a_limit(plan: PlanRules, person: Participant, several: list[Line]) -> None:
    for order in (several, list(reversed(several))):
        year = Year(plan, person)
        for line in order:
            year.decide(line)
            assert_within_every_limit(year)
            assert_accumulators_are_the_sum_of_the_records(year)


@given(plans(), people, lines, st.randoms(use_true_random=False))
def test_the_order_of_amounts_on_a_line_says_nothing(
    plan: PlanRules, person: Participant, line: Line, random: object
) -> None:
    shuffled = list(line.amounts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = Year(plan, person).decide(line)
    other = Year(plan, person).decide(msgspec.structs.replace(line, amounts=shuffled))
    assert one == msgspec.structs.replace(other, cuts=one.cuts)
    assert sorted(one.cuts) == sorted(other.cuts)


@given(plans(), people, st.lists(lines, min_size=1, max_size=6), st.data())
def test_reversing_everything_is_as_if_nothing_had_happened(
    plan: PlanRules, person: Participant, several: list[Line], data: st.DataObject
) -> None:
    year = Year(plan, person)
    credited: dict[str, int] = {}
    for line in several:
        add(credited, year.decide(line).credited)
    for index in data.draw(st.permutations(range(len(year.records)))):
        for part in year.records[index].parts:
            piece = data.draw(st.integers(0, part.cents))
            subtract(credited, year.reverse(index, ((part.source, piece),)))
            assert_within_every_limit(year)
            assert_accumulators_are_the_sum_of_the_records(year)
        if year.records[index].parts:
            subtract(credited, year.reverse(index, None))
            assert_within_every_limit(year)
    nothing = year_to_date_at_start(person, 2026)
    refused_pay = sum(line.compensation for line in several) - pay_of_recorded(plan, person, several)
    assert msgspec.structs.replace(nothing, compensation_cents=nothing.compensation_cents + refused_pay) == year.state
    assert not any(credited.values())


@given(plans(), people, st.lists(lines, min_size=1, max_size=6), st.data())
def test_the_limit_ledger_is_a_chain_without_gaps(
    plan: PlanRules, person: Participant, several: list[Line], data: st.DataObject
) -> None:
    year = Year(plan, person)
    for line in several:
        year.decide(line)
        wants_reversal: bool = data.draw(st.booleans())
        if year.records and wants_reversal:
            year.reverse(data.draw(st.integers(0, len(year.records) - 1)), None)
    for name in ("402g", "catch_up", "415c"):
        chain = [use for use in year.uses if use.limit == name]
        assert all(use.room_before - use.cents == use.room_after for use in chain)
        assert all(before.room_after == after.room_before for before, after in pairwise(chain))


@given(plans(), people, st.lists(lines, min_size=1, max_size=6))
def test_nobody_subject_to_roth_catch_up_has_pre_tax_catch_up(
    plan: PlanRules, person: Participant, several: list[Line]
) -> None:
    year = Year(plan, person)
    for line in several:
        year.decide(line)
    parts = [part for record in year.records for part in record.parts if part.source == "pre_tax"]
    if must_be_roth(LIMITS, person.prior_year_wages_cents) or age_at_year_end(person, LIMITS) < 50:
        assert not any(part.catch_up_cents for part in parts)
        assert year.state.relabelled_pre_tax_cents == 0


@given(formulas.filter(bool).map(lambda tiers: match_formula_of({"tiers": tiers})), cents, st.integers(0, 40_000_000))
def test_the_match_is_the_exact_formula_rounded_once(formula: MatchFormula, deferral: int, pay: int) -> None:
    left, exact = Fraction(deferral), Fraction(0)
    for share, rate in formula.tiers:
        part = min(left, Fraction(pay * share, formula.unit))
        exact += part * Fraction(rate, formula.unit)
        left -= part
    assert match_on(formula, deferral, pay) == int(exact + Fraction(1, 2))


def pay_of_recorded(plan: PlanRules, person: Participant, several: Sequence[Line]) -> int:
    """The pay of the lines that left something in the books (a reversal takes it out with the last cent)."""
    year = Year(plan, person)
    return sum(line.compensation for line in several if year.decide(line).record is not None)


def add(total: dict[str, int], pairs: Sequence[tuple[str, int]]) -> None:
    for source, some in pairs:
        total[source] = total.get(source, 0) + some


def subtract(total: dict[str, int], pairs: Sequence[tuple[str, int]]) -> None:
    add(total, [(source, -some) for source, some in pairs])

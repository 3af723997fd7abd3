"""The made-up market: the same for a seed, exact in its sums, and readable by the contract except where spoilt."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.population.faults import CLEAN, FAULTS, OVER_LIMIT, Submission
from deploy.population.market import FUNDS, fund_facts, prices, vintage_of
from deploy.population.payday import Payday, Payroll
from deploy.population.people import LIMIT_402G_CENTS, Person, census_facts, draw_people, elections
from deploy.population.plans import draw_plans, plan_facts, zipf_sizes
from shared.events.census import Census
from shared.events.codes import CODES
from shared.events.envelope import CE_ID
from shared.events.fund import FundFact
from shared.events.payroll import Contribution
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged, basis_points
from shared.values.shares import Price

FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 23)
SOURCE = "/test"


def people_of(count: int = 600, seed: int = 1, near_limit: int = 6) -> list[Person]:
    return draw_people(draw_plans(count, 20, seed), seed, near_limit)


def paydays(seed: int = 1, near_limit: int = 6) -> tuple[Payday, Payday]:
    payroll = Payroll(people_of(seed=seed, near_limit=near_limit), seed, SOURCE)
    return payroll.payday(FRIDAY), payroll.payday(MONDAY)


def body_of(submission: Submission) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(submission.sent.value)
    return found


def of_kind(payday: Payday, kind: str) -> list[Submission]:
    return [one for one in payday.submissions if one.kind == kind]


@given(st.integers(1, 400), st.integers(0, 50_000))
def test_plan_sizes_sum_exactly_fall_with_rank_and_leave_no_plan_empty(plans: int, more: int) -> None:
    sizes = zipf_sizes(plans + more, plans).tolist()
    assert sum(sizes) == plans + more
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= 1


def test_plans_are_of_very_different_sizes() -> None:
    sizes = [plan.size for plan in draw_plans(20_000, 300, 401)]
    assert sizes[0] > 100 * sizes[-1]


def test_there_are_never_more_plans_than_people() -> None:
    assert [plan.size for plan in draw_plans(5, 300, 1)] == [1] * 5


def test_the_same_seed_makes_the_same_bytes_and_another_one_others() -> None:
    first, again, other = paydays(1), paydays(1), paydays(2)
    assert first == again
    assert first != other
    assert prices(1, 2) == prices(1, 2) != prices(2, 2)


def test_facts_are_what_the_contract_says() -> None:
    plans = draw_plans(600, 20, 1)
    people = people_of()
    funds = {FundFact.model_validate_json(one.value).fund_id for one in fund_facts(SOURCE)}
    assert len(funds) == 20
    assert {PlanFact.model_validate_json(one.value).default_fund for one in plan_facts(plans, SOURCE)} <= funds
    census = [Census.model_validate_json(one.value) for one in census_facts(people, SOURCE, 2026)]
    assert len({one.participant_id for one in census}) == 600
    assert all(one.birth_date < one.hire_date for one in census)
    for one in elections(people, SOURCE):
        parts = ElectionChanged.model_validate_json(one.value).elections or ()
        assert sum(basis_points(part.percent) for part in parts) == 10_000
        assert {part.fund_id for part in parts} <= funds
        assert len({part.fund_id for part in parts}) == len(parts)


def test_people_choose_as_people_do() -> None:
    counts = Counter(min(len(one.funds), 2) for one in draw_people(draw_plans(4_000, 50, 3), 3))
    assert counts[1] > counts[2] > 0
    assert counts[0] > 0


@pytest.mark.parametrize(("born", "fund"), [(1940, "TARGET-2025"), (1981, "TARGET-2045"), (2004, "TARGET-2070")])
def test_the_target_date_fund_follows_the_birth_year(born: int, fund: str) -> None:
    assert vintage_of(born) == fund


def test_shares_fall_and_bonds_rise_on_the_second_day() -> None:
    before, after = prices(401, 2)
    assert before.keys() == after.keys() == {fund.fund_id for fund in FUNDS}
    assert all(Price.parse(price) for price in [*before.values(), *after.values()])
    assert Decimal(after["US-TOTAL-INDEX"]) < Decimal(before["US-TOTAL-INDEX"])
    assert Decimal(after["US-BOND"]) > Decimal(before["US-BOND"])


def test_every_kind_of_fault_has_its_share_of_the_lines_and_the_rest_are_good() -> None:
    kinds = paydays()[0].kinds
    assert len(kinds) == len(FAULTS) + 2
    assert kinds.pop(CLEAN) == 600 - 6 * (len(FAULTS) + 1)
    assert set(kinds.values()) == {6}


def test_every_participant_has_one_line_under_one_id() -> None:
    submissions = paydays()[0].submissions
    assert len({one.sent.ce_id for one in submissions}) == len(submissions) == 600


def test_good_lines_are_what_the_contract_says_and_ask_for_what_is_expected() -> None:
    for payday in paydays():
        for one in [*of_kind(payday, CLEAN), *of_kind(payday, OVER_LIMIT)]:
            line = Contribution.model_validate_json(one.sent.value)
            assert line.participant_id == one.sent.key
            assert sum(amount.cents for amount in line.amounts) == one.requested_cents > 0


READABLE = (
    "unknown plan",
    "unknown participant",
    "unknown source",
    "source not in plan",
    "negative amount",
    "wrong key",
)


@pytest.mark.parametrize("kind", READABLE)
def test_a_readable_faulty_line_expects_an_answer_for_each_positive_cent(kind: str) -> None:
    for one in of_kind(paydays()[0], kind):
        line = Contribution.model_validate_json(one.sent.value)
        assert sum(max(0, amount.cents) for amount in line.amounts) == one.requested_cents
        assert one.expected.rejected_cents or kind == "negative amount"


def test_faulty_lines_are_faulty() -> None:
    payday = paydays()[0]
    known = {one.participant_id for one in people_of()}
    assert all(body_of(one)["participant_id"] not in known for one in of_kind(payday, "unknown participant"))
    assert all(one.sent.key != body_of(one)["participant_id"] for one in of_kind(payday, "wrong key"))
    assert all(one.sent.key in known for one in of_kind(payday, "wrong key"))
    assert all(min(part["cents"] for part in body_of(one)["amounts"]) < 0 for one in of_kind(payday, "negative amount"))
    assert all(one.sent.lanes_astray == 1 for one in of_kind(payday, "wrong partition"))
    for one in of_kind(payday, "missing headers"):
        assert one.sent.headers is not None
        assert CE_ID not in dict(one.sent.headers)
        assert not one.expected.answered
    for one in of_kind(payday, "not JSON"):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(one.sent.value)
    for one in of_kind(payday, "cents not whole"):
        with pytest.raises(ValidationError, match="cents"):
            Contribution.model_validate_json(one.sent.value)


def test_second_sendings_repeat_the_id_and_only_the_changed_one_another_body() -> None:
    payday = paydays()[0]
    for kind, differs in (("sent twice", False), ("sent twice, changed", True)):
        for one in of_kind(payday, kind):
            assert one.again is not None
            assert (one.again.ce_id, one.again.key) == (one.sent.ce_id, one.sent.key)
            assert (one.again.value != one.sent.value) == differs
    assert sum(one.again is not None for one in payday.submissions) == 12


def test_every_expected_code_is_in_the_registry() -> None:
    for one in paydays()[0].submissions:
        assert one.expected.codes <= CODES.keys()
        assert one.expected.second is None or one.expected.second[1] <= CODES.keys()


def test_near_the_yearly_limit_half_a_deferral_fits_once_and_then_none() -> None:
    people = people_of()
    near = {one.participant_id: one for one in people if one.deferral_room_cents is not None}
    assert len(near) == 6
    facts = {one.key: Census.model_validate_json(one.value) for one in census_facts(people, SOURCE, 2026)}
    first, second = paydays()
    for one in of_kind(first, OVER_LIMIT):
        person, opening = near[one.sent.key], facts[one.sent.key].opening
        assert opening is not None
        assert LIMIT_402G_CENTS[2026] - opening.regular_cents == person.deferral_cents // 2
        assert one.expected.rejected_cents == person.deferral_cents - person.deferral_cents // 2
        assert 2026 - person.born.year < 50
    for one in of_kind(second, OVER_LIMIT):
        assert one.expected.rejected_cents == near[one.sent.key].deferral_cents
        assert one.expected.status == ("partially_accepted" if one.expected.accepted_cents else "rejected")


def test_only_the_named_plans_are_paid() -> None:
    people = people_of()
    chosen = frozenset({"PLAN-0001", "PLAN-0003"})
    payday = Payroll(people, 1, SOURCE).payday(FRIDAY, chosen)
    assert len(payday.submissions) == sum(one.plan.plan_id in chosen for one in people)
    assert {one.plan_id for one in payday.submissions} == chosen


def test_too_few_people_for_all_kinds_of_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        Payroll(people_of(12, near_limit=0), 1, SOURCE).payday(FRIDAY)


def test_no_faults_when_none_are_asked_for() -> None:
    payday = Payroll(people_of(near_limit=0), 1, SOURCE, fault_rate=0).payday(FRIDAY)
    assert payday.kinds == {CLEAN: 600}
    assert payday.requested_cents == sum(one.expected.accepted_cents for one in payday.submissions)

"""What the models take and what they refuse."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.events.base import Event
from shared.events.catalogue import EVENTS, MARKERS, events_on
from shared.events.census import Census
from shared.events.custodian import Confirmation, Holdings, Order
from shared.events.fund import FundFact
from shared.events.market import CloseRequested, PriceFact
from shared.events.payroll import Amount, Contribution, PayrollFunded
from shared.events.plan import PlanFact
from shared.events.requests import DistributionRequested, ElectionChanged, ExchangeRequested, basis_points
from shared.events.sources import SOURCES
from shared.events.topics import CUT_TOPICS, INTERNAL_TOPICS, PUBLIC_TOPICS, Topic

LINE: dict[str, Any] = {
    "plan_id": "ACME",
    "participant_id": "P1",
    "payroll_id": "R1",
    "pay_date": "2026-11-20",
    "compensation_cents": 423_077,
    "amounts": [{"source": "pre_tax", "cents": 16_923}],
}
PLAN: dict[str, Any] = {"plan_id": "ACME", "sources": ["pre_tax", "roth", "match"], "default_fund": "F1"}
PRICE = {"fund_id": "F1", "price_date": "2026-11-20", "price": "23.47", "status": "final", "version": 1}
WHO = {"plan_id": "ACME", "participant_id": "P1"}
ORDER = {"order_id": "o", "plan_id": "ACME", "fund_id": "F1", "trade_date": "2026-11-20", "side": "buy"}


def refuses(model: type[BaseModel], body: dict[str, Any]) -> bool:
    try:
        model.model_validate(body)
    except ValidationError:
        return True
    return False


@pytest.mark.parametrize("cents", [True, False, 1.0, 1.5, "1", None, 10**14, -(10**14), [1]])
def test_only_whole_numbers_of_a_sane_size_are_cents(cents: object) -> None:
    assert refuses(Amount, {"source": "pre_tax", "cents": cents})


@pytest.mark.parametrize("cents", [0, 1, -1, 10**13])
def test_whole_cents_are_taken_negative_ones_too(cents: int) -> None:
    assert Amount.model_validate({"source": "pre_tax", "cents": cents}).cents == cents


@pytest.mark.parametrize(
    "day",
    [20261120, 1_795_132_800, "1700006400", "2026-11-20T00:00:00", "20261120", "2026-13-01", "", None, "1126-11-20"],
)
def test_only_iso_dates_of_this_era_are_dates(day: object) -> None:
    assert refuses(Contribution, LINE | {"pay_date": day})


@pytest.mark.parametrize("name", ["", "a" * 129, "a\x00b", "a\nb", "\x7f", 7, None])
def test_ids_are_short_printable_text(name: object) -> None:
    assert refuses(Contribution, LINE | {"plan_id": name})


def test_an_id_may_be_in_any_language() -> None:
    assert Contribution.model_validate(LINE | {"participant_id": "Zoë-参加者"}).participant_id == "Zoë-参加者"


def test_unknown_fields_are_ignored() -> None:
    assert Contribution.model_validate(LINE | {"later": {"x": 1}}) == Contribution.model_validate(LINE)


def test_an_unknown_source_does_not_make_a_line_unreadable() -> None:
    line = Contribution.model_validate(LINE | {"amounts": [{"source": "bonus", "cents": 1}]})
    assert line.amounts[0].source not in SOURCES


def test_a_line_has_at_most_64_amounts() -> None:
    amounts = [{"source": f"s{n}", "cents": 1} for n in range(65)]
    assert refuses(Contribution, LINE | {"amounts": amounts})
    assert not refuses(Contribution, LINE | {"amounts": amounts[:64]})


@pytest.mark.parametrize("hours", [80, "80.5", None])
def test_hours_are_whole_or_decimal_text(hours: object) -> None:
    assert not refuses(Contribution, LINE | {"hours": hours})


def test_events_do_not_change_once_made() -> None:
    line = Contribution.model_validate(LINE)
    with pytest.raises(ValidationError, match="frozen"):
        line.plan_id = "OTHER"  # type: ignore[misc]
    assert isinstance(line.amounts, tuple)


@pytest.mark.parametrize(
    "price", ["0", "0.00", "-1", "1e3", "NaN", "", " 1", "1.", ".5", "+1", 23.47, 23, None, "Infinity"]
)
def test_only_positive_plain_decimal_text_is_a_price(price: object) -> None:
    with pytest.raises(ValidationError) as refused:
        PriceFact.model_validate(PRICE | {"price": price})
    assert refused.value.errors()[0]["loc"] == ("price",)


def test_a_price_may_have_any_number_of_decimals() -> None:
    assert not refuses(PriceFact, PRICE | {"price": "0.1234567890123456789"})


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0])
def test_versions_count_from_one(version: object) -> None:
    assert refuses(PriceFact, PRICE | {"version": version})


def test_cash_is_positive() -> None:
    cash = {"payroll_id": "R1", "reference": "wire 1", "received_on": "2026-11-20"}
    assert not refuses(PayrollFunded, cash | {"cents": 1})
    assert refuses(PayrollFunded, cash | {"cents": 0})


def test_a_plan_has_the_house_rules_unless_it_says_otherwise() -> None:
    plan = PlanFact.model_validate(PLAN)
    said = (plan.trade_on, plan.deferral_overflow, plan.roth_catch_up, plan.match, plan.eligibility, plan.vesting)
    assert said == ("funding", "pro_rata", "deemed", None, None, {})


@pytest.mark.parametrize(
    "change",
    [
        {"sources": []},
        {"sources": ["bonus"]},
        {"sources": ["roth", "roth"]},
        {"trade_on": "whim"},
        {"match": {"tiers": []}},
        {"match": {"tiers": [["3"]]}},
        {"match": {"tiers": [["3", "100", "1"]]}},
        {"match": {"tiers": [["-3", "100"]]}},
        {"match": {"tiers": [["3", "100"]]}, "sources": ["pre_tax"]},
        {"match": {"tiers": [["3", "100"]], "source": "roth"}},
        {"vesting": {"match": "whenever"}},
        {"vesting": {"match": ["50", "40"]}},
        {"vesting": {"match": ["101"]}},
        {"vesting": {"match": []}},
        {"vesting": {"bonus": "immediate"}},
        {"eligibility": {"age": 22}},
        {"eligibility": {"age": "21"}},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    assert refuses(PlanFact, PLAN | change)


def test_a_plan_reads_back_as_it_was_said() -> None:
    said = PLAN | {
        "match": {"tiers": [["3", "100"], ["2", "50"]], "period": "per_pay", "source": "match"},
        "vesting": {"match": ["0", "50", "100"]},
    }
    body = PlanFact.model_validate(said).model_dump(mode="json")
    assert {name: body[name] for name in said} == said
    assert PlanFact.model_validate(body).model_dump(mode="json") == body


@pytest.mark.parametrize("decimals", [-1, 7, "3", True, 3.0])
def test_share_scales_are_0_to_6(decimals: object) -> None:
    assert refuses(FundFact, {"fund_id": "F1", "share_decimals": decimals})


def test_a_fund_has_three_decimals_unless_it_says_otherwise() -> None:
    assert FundFact.model_validate({"fund_id": "F1"}).share_decimals == 3


def test_an_election_names_funds_or_a_model() -> None:
    part = {"fund_id": "F1", "percent": "100"}
    assert not refuses(ElectionChanged, WHO | {"elections": [part]})
    assert not refuses(ElectionChanged, WHO | {"model_id": "M"})
    assert refuses(ElectionChanged, WHO)
    assert refuses(ElectionChanged, WHO | {"elections": [part], "model_id": "M"})
    assert refuses(ElectionChanged, WHO | {"elections": []})


@pytest.mark.parametrize("percent", ["100.01", "33.333", "-1", "1e1", 50, "", "٣", "101"])
def test_percents_are_0_to_100_in_hundredths(percent: object) -> None:
    assert refuses(ElectionChanged, WHO | {"elections": [{"fund_id": "F1", "percent": percent}]})


@pytest.mark.parametrize(
    ("percent", "points"), [("33.33", 3333), ("100", 10_000), ("0.5", 50), ("0", 0), ("7.05", 705)]
)
def test_percents_are_counted_in_basis_points(percent: str, points: int) -> None:
    assert basis_points(percent) == points


@pytest.mark.parametrize("percent", ["1.234", "x", "1.", "1\n"])
def test_what_is_no_percent_has_no_basis_points(percent: str) -> None:
    with pytest.raises(ValueError, match="not a percentage"):
        basis_points(percent)


def test_an_exchange_says_how_much_once() -> None:
    exchange = WHO | {"from_fund_id": "F1", "to_fund_id": "F2"}
    assert not refuses(ExchangeRequested, exchange | {"shares": "1.5"})
    assert not refuses(ExchangeRequested, exchange | {"cents": 100})
    assert refuses(ExchangeRequested, exchange)
    assert refuses(ExchangeRequested, exchange | {"shares": "1", "percent": "50"})


def test_a_distribution_says_how_much_once() -> None:
    assert not refuses(DistributionRequested, WHO | {"kind": "hardship", "cents": 100})
    assert refuses(DistributionRequested, WHO | {"kind": "hardship"})
    assert refuses(DistributionRequested, WHO | {"kind": "hardship", "cents": 100, "percent": "1"})
    assert refuses(DistributionRequested, WHO | {"kind": "fun", "cents": 100})


def test_an_order_is_in_dollars_or_in_shares() -> None:
    assert not refuses(Order, ORDER | {"cents": 1})
    assert not refuses(Order, ORDER | {"shares": "1.000", "side": "sell"})
    assert refuses(Order, ORDER)
    assert refuses(Order, ORDER | {"cents": 1, "shares": "1"})
    assert refuses(Order, ORDER | {"cents": 0})


def test_a_confirmed_order_has_figures_and_zero_shares_are_valid() -> None:
    figures: dict[str, Any] = {"shares": "0.000", "price": "23.47", "cents": 1}
    confirmed: dict[str, Any] = {"order_id": "o", "status": "confirmed", "version": 1}
    assert not refuses(Confirmation, confirmed | figures)
    assert not refuses(Confirmation, confirmed | {"status": "pending"})
    assert not refuses(Confirmation, confirmed | {"status": "rejected", "reason": "closed fund"})
    for name in figures:
        assert refuses(Confirmation, confirmed | figures | {name: None})
    assert refuses(Confirmation, confirmed | figures | {"shares": "-1"})
    assert refuses(Confirmation, confirmed | figures | {"shares": 1})


def test_holdings_come_in_numbered_parts() -> None:
    part: dict[str, Any] = {"date": "2026-11-20", "positions": []}
    assert not refuses(Holdings, part | {"part": 1, "parts": 1})
    assert refuses(Holdings, part | {"part": 2, "parts": 1})
    assert refuses(Holdings, part | {"part": 0, "parts": 1})


def test_a_date_outside_the_exchange_calendar_cannot_be_closed() -> None:
    assert CloseRequested.model_validate({"trade_date": "2026-11-20"}).trade_date == date(2026, 11, 20)
    assert refuses(CloseRequested, {"trade_date": "2029-01-02"})
    assert refuses(CloseRequested, {"trade_date": "2021-12-31"})


def test_a_census_reads_hours_by_year() -> None:
    census = {**WHO, "birth_date": "1976-12-31", "hire_date": "2020-01-06", "hours_by_year": {"2025": 2080}}
    assert Census.model_validate(census).hours_by_year == {2025: 2080}
    assert Census.model_validate(Census.model_validate(census).model_dump(mode="json")).hours_by_year == {2025: 2080}
    assert refuses(Census, census | {"hours_by_year": {"2025": 2080.5}})


def test_no_event_type_is_used_twice_and_each_has_a_major_version() -> None:
    types = [event.ce_type for event in EVENTS]
    assert len(set(types)) == len(types)
    assert all(re.fullmatch(r"nestwork\.[a-z.-]+\.v1", ce_type) for ce_type in types)


@pytest.mark.parametrize("topic", PUBLIC_TOPICS, ids=lambda topic: topic.name)
def test_every_public_topic_has_events_and_internal_ones_have_none(topic: Topic) -> None:
    own = [event for event in events_on(topic) if event not in MARKERS]
    assert own
    assert (MARKERS[0] in events_on(topic)) is (topic in CUT_TOPICS)
    assert not any(events_on(internal) for internal in INTERNAL_TOPICS)


def models_of(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A model and the models of its fields."""
    found = {model}
    for field in model.model_fields.values():
        for part in re.findall(r"shared\.events\.\w+\.\w+", str(field.annotation)):
            module, _, name = part.rpartition(".")
            inner = getattr(__import__(module, fromlist=[name]), name)
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= models_of(inner)
    return found


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.ce_type)
def test_every_field_of_every_event_has_a_meaning(event: type[Event]) -> None:
    for model in models_of(event):
        missing = [name for name, field in model.model_fields.items() if not field.description]
        assert (model.__name__, missing) == (model.__name__, [])

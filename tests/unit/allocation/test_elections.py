"""Which funds a participant's money goes to."""

from __future__ import annotations

import json

import pytest

from services.allocation.rules.elections import (
    EMPLOYEE_SOURCES,
    FULL,
    InvalidElection,
    election_parts,
    funds_named,
    parts_for,
    parts_from_json,
)
from shared.events.requests import ElectionChanged, ElectionPart
from shared.events.sources import SOURCES

FORTY_SIXTY = {"all": [("F1", 400_000), ("F2", 600_000)]}


def an_election(*parts: tuple[str, str, str]) -> ElectionChanged:
    """An election; parts are (source group, fund, percent)."""
    return ElectionChanged(
        plan_id="ACME",
        participant_id="P1",
        elections=tuple(ElectionPart.model_validate(dict(zip(FIELDS, part, strict=True))) for part in parts),
    )


FIELDS = ("source_group", "fund_id", "percent")


def test_percents_are_kept_exactly_and_sorted_by_fund() -> None:
    parts = election_parts(an_election(("all", "F2", "33.33"), ("all", "F1", "33.34"), ("all", "F3", "33.33")))
    assert parts == {"all": [("F1", 333_400), ("F2", 333_300), ("F3", 333_300)]}
    assert sum(share for _, share in parts["all"]) == FULL


def test_funds_are_ordered_by_code_point() -> None:
    parts = election_parts(an_election(("all", "b", "20"), ("all", "B", "30"), ("all", "é", "50")))
    assert [fund for fund, _ in parts["all"]] == ["B", "b", "é"]


def test_a_fund_of_zero_percent_is_left_out() -> None:
    parts = election_parts(an_election(("all", "F1", "100.00"), ("all", "F2", "0")))
    assert parts == {"all": [("F1", FULL)]}
    assert funds_named(parts) == {"F1"}


@pytest.mark.parametrize("percents", [("60", "39.99"), ("60", "40.01"), ("0", "0"), ("100", "100")])
def test_percents_that_are_not_a_hundred_are_refused(percents: tuple[str, str]) -> None:
    with pytest.raises(InvalidElection, match="do not sum to 100"):
        election_parts(an_election(("all", "F1", percents[0]), ("all", "F2", percents[1])))


def test_each_group_sums_to_a_hundred_by_itself() -> None:
    parts = election_parts(an_election(("employee", "F1", "100"), ("employer", "F2", "50"), ("employer", "F1", "50")))
    assert parts == {"employee": [("F1", FULL)], "employer": [("F1", FULL // 2), ("F2", FULL // 2)]}
    assert funds_named(parts) == {"F1", "F2"}
    with pytest.raises(InvalidElection, match="employer"):
        election_parts(an_election(("employee", "F1", "100"), ("employer", "F2", "50")))


def test_a_fund_named_twice_in_a_group_is_refused() -> None:
    with pytest.raises(InvalidElection, match="F1 is named twice"):
        election_parts(an_election(("all", "F1", "50"), ("all", "F1", "50")))


def test_an_election_of_no_fund_is_refused() -> None:
    with pytest.raises(InvalidElection, match="names no fund"):
        election_parts(ElectionChanged(plan_id="ACME", participant_id="P1", model_id="BALANCED"))


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_without_an_election_all_money_goes_to_the_default_fund(source: str) -> None:
    assert list(parts_for(source, None, "DEF")) == [("DEF", FULL)]


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_an_election_for_all_governs_every_source(source: str) -> None:
    assert list(parts_for(source, FORTY_SIXTY, "DEF")) == FORTY_SIXTY["all"]


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_an_election_for_a_group_stands_before_one_for_all(source: str) -> None:
    parts = FORTY_SIXTY | {"employee": [("F3", FULL)]}
    expected = [("F3", FULL)] if source in EMPLOYEE_SOURCES else FORTY_SIXTY["all"]
    assert list(parts_for(source, parts, "DEF")) == expected


def test_a_group_without_an_election_of_its_own_goes_to_the_default_fund() -> None:
    only_employer = {"employer": [("F3", FULL)]}
    assert list(parts_for("match", only_employer, "DEF")) == [("F3", FULL)]
    assert list(parts_for("roth", only_employer, "DEF")) == [("DEF", FULL)]


def test_what_the_participant_earned_or_brought_is_employee_money() -> None:
    assert EMPLOYEE_SOURCES < SOURCES
    assert {
        "match", "safe_harbor_match", "profit_sharing", "qnec", "qmac", "forfeiture",
    } == SOURCES - EMPLOYEE_SOURCES  # fmt: skip


def test_an_election_survives_json() -> None:
    parts = election_parts(an_election(("employee", "F1", "40"), ("employee", "F2", "60"), ("all", "F3", "100")))
    assert parts_from_json(json.loads(json.dumps(parts))) == parts

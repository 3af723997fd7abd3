"""What is a payroll line, and what a plan takes of it before any limit."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.contribution.rules.intake import (
    AMOUNTS_MAX,
    CENTS_MAX,
    ID_CHARACTERS_MAX,
    MISSPELT_CHARACTERS_MAX,
    MISSPELT_MAX,
    Broken,
    has_negative,
    read_line,
    requested_cents,
)
from tests.unit.contribution.builders import a_line

BODY: dict[str, Any] = {
    "plan_id": "ACME",
    "participant_id": "P1",
    "payroll_id": "R1",
    "pay_date": "2026-11-20",
    "compensation_cents": 423_077,
    "amounts": [{"source": "pre_tax", "cents": 16_923}],
}
PLAN = frozenset({"pre_tax", "roth", "match"})


def amounts(*pairs: tuple[str, int]) -> dict[str, Any]:
    return BODY | {"amounts": [{"source": source, "cents": cents} for source, cents in pairs]}


def complaint_about(body: dict[str, Any]) -> Broken:
    with pytest.raises(Broken) as caught:
        read_line(body)
    return caught.value


# -- reading ---------------------------------------------------------------------------------------------------------


def test_a_line_is_read_field_by_field() -> None:
    line = read_line(BODY)
    assert (line.plan_id, line.participant_id, line.payroll_id) == ("ACME", "P1", "R1")
    assert (line.pay_date, line.compensation) == (date(2026, 11, 20), 423_077)
    assert (line.amounts, line.misspelt) == ([("pre_tax", 16_923)], [])


@pytest.mark.parametrize("field", ["plan_id", "participant_id", "payroll_id"])
@pytest.mark.parametrize("value", [None, 7, "", "x" * (ID_CHARACTERS_MAX + 1), "a\nb", "a\x7f", ["P1"]])
def test_an_id_is_short_text_without_control_characters(field: str, value: object) -> None:
    assert field in str(complaint_about(BODY | {field: value}))


@pytest.mark.parametrize("value", ["x" * ID_CHARACTERS_MAX, "participant 7", "Ω-\u00a0-\u2028-9"])
def test_an_id_may_be_long_and_in_any_script(value: str) -> None:
    assert read_line(BODY | {"participant_id": value}).participant_id == value


@pytest.mark.parametrize("field", sorted(BODY))
def test_no_field_may_be_missing(field: str) -> None:
    assert complaint_about({name: value for name, value in BODY.items() if name != field}).code == "WRONG_SHAPE"


@pytest.mark.parametrize("value", [-1, True, 1.0, "1", None, CENTS_MAX + 1])
def test_pay_is_whole_cents_from_zero_to_a_hundred_billion_dollars(value: object) -> None:
    assert "compensation_cents" in str(complaint_about(BODY | {"compensation_cents": value}))


@pytest.mark.parametrize("value", [0, CENTS_MAX])
def test_the_edges_of_pay_are_pay(value: int) -> None:
    assert read_line(BODY | {"compensation_cents": value}).compensation == value


@pytest.mark.parametrize("value", [None, {}, "pre_tax", [["pre_tax", 1]], [None]])
def test_amounts_are_a_list_of_objects(value: object) -> None:
    assert "amount" in str(complaint_about(BODY | {"amounts": value}))


@pytest.mark.parametrize("cents", [1.0, "1", None, True, CENTS_MAX + 1, -CENTS_MAX - 1])
def test_cents_are_whole_numbers_of_a_sane_size(cents: object) -> None:
    assert "pre_tax" in str(complaint_about(BODY | {"amounts": [{"source": "pre_tax", "cents": cents}]}))


@pytest.mark.parametrize("source", ["", None, 3, "x" * (ID_CHARACTERS_MAX + 1), "pre_tax\n"])
def test_each_amount_names_its_source(source: object) -> None:
    assert "source" in str(complaint_about(BODY | {"amounts": [{"source": source, "cents": 1}]}))


def test_a_line_has_at_most_64_amounts() -> None:
    too_many = [(f"s{number}", 1) for number in range(AMOUNTS_MAX + 1)]
    assert complaint_about(amounts(*too_many)).code == "TOO_MANY_SOURCES"
    assert len(read_line(amounts(*too_many[1:])).amounts) == AMOUNTS_MAX


@pytest.mark.parametrize(
    "text",
    ["2026-W47-5", "20261120  ", "20261120", "2026-11-20T", "2026/11/20", "2026-02-29", "1899-12-31", "2201-01-01",
     "1700006400", "", None, 20261120, ["2026-11-20"]],
)  # fmt: skip
def test_only_a_calendar_date_with_dashes_is_a_pay_date(text: object) -> None:
    assert "pay_date" in str(complaint_about(BODY | {"pay_date": text}))


@pytest.mark.parametrize("text", ["1900-01-01", "2200-12-31"])
def test_the_edges_of_the_era_are_pay_dates(text: str) -> None:
    assert read_line(BODY | {"pay_date": text}).pay_date == date.fromisoformat(text)


def test_a_pay_date_is_read_alike_when_it_comes_again() -> None:
    assert [read_line(BODY | {"pay_date": "2024-02-29"}).pay_date for _ in range(2)] == [date(2024, 2, 29)] * 2


def test_a_source_named_twice_means_the_sum() -> None:
    assert read_line(amounts(("roth", 5), ("pre_tax", 1), ("roth", 7))).amounts == [("roth", 12), ("pre_tax", 1)]


def test_a_negative_amount_cannot_hide_in_a_sum() -> None:
    line = read_line(amounts(("roth", 500), ("roth", -200)))
    assert has_negative(line)
    assert requested_cents(line) == 500


def test_a_misspelt_money_field_is_noticed_and_other_unknown_fields_are_not() -> None:
    body = BODY | {
        "compensation": 1,
        "amount": 2,
        "bonus_cents": 3,
        "cents": 4,
        "memo": "x",
        "hours": "80",
        "line_no": 3,
    }
    assert read_line(body).misspelt == ["amount", "bonus_cents", "cents", "compensation"]


def test_an_answer_to_many_long_typos_stays_short() -> None:
    typos = {f"amount{number:03d}{'x' * 1_000}": 1 for number in range(500)}
    misspelt = read_line(BODY | typos).misspelt
    assert len(misspelt) == MISSPELT_MAX
    assert {len(name) for name in misspelt} == {MISSPELT_CHARACTERS_MAX}


def test_zero_is_not_negative() -> None:
    assert has_negative(a_line(("pre_tax", "1.00"), ("roth", "-0.01")))
    assert not has_negative(a_line(("pre_tax", "1.00"), ("match", "0")))

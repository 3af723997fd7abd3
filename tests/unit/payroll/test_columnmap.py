"""A map says what it means, or is refused with the part that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.payroll.columnmap import ColumnMap, parse_map, read_map
from deploy.payroll.problems import MapInvalid
from tests.unit.payroll.builders import MAP, a_field, a_map

TEXT = """
sender: acme-payroll
money: cents
fields:
  plan_id: {constant: 401}
  participant_id: Employee
  payroll_id: {given: true}
  pay_date: {given: true}
  pay: {column: Gross, unit: dollars}
sources: {pre_tax: 401, match: on}
"""


def written(folder: Path, text: str | bytes) -> ColumnMap:
    file = folder / "map.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_map(file)


def test_names_and_constants_stay_the_text_they_are_written_as(tmp_path: Path) -> None:
    columns = written(tmp_path, TEXT)
    assert columns.fields.plan_id.constant == "401"
    assert {name: rule.column for name, rule in columns.sources.items()} == {"pre_tax": "401", "match": "on"}


def test_what_is_left_open_is_given_with_each_file(tmp_path: Path) -> None:
    columns = written(tmp_path, TEXT)
    full = columns.with_given({"payroll_id": "2026-11-20", "pay_date": "2026-11-20"})
    assert full.fields.payroll_id.constant == "2026-11-20"
    assert full.digest != columns.digest
    for too_little_or_much in (
        {}, {"payroll_id": "R1"}, {"payroll_id": "R1", "pay_date": "2026-11-20", "plan_id": "B"},
        {"payroll_id": "R1", "pay_date": "2026-11-20", "sender": "me"},
        {"payroll_id": "", "pay_date": "2026-11-20"}, {"payroll_id": "x" * 129, "pay_date": "2026-11-20"},
    ):  # fmt: skip
        with pytest.raises(MapInvalid):
            columns.with_given(too_little_or_much)


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "../etc"}, {"sender": "a\r\nce_id: x"}, {"sender": ""}, {"money": None}, {"money": "euros"},
        {"delimiter": '"'}, {"encoding": "utf-16"}, {"format": "xlsx"}, {"surprise": 1}, {"sources": {}},
        {"sources": {"Pre Tax": "a"}}, {"sources": {"pre_tax": {"column": "a", "unit": "pounds"}}},
        {"sources": ["pre_tax"]}, {"identity": "line"}, {"fields": {}},
        {"fields": a_field("plan_id", {})}, {"fields": a_field("plan_id", {"constant": "A", "column": "B"})},
        {"fields": a_field("pay_date", {"column": "D", "format": "YY"})},
        {"fields": a_field("plan_id", {"column": "D", "format": "YYYY-MM-DD"})},
        {"fields": a_field("hours", {"constant": "80"})}, {"fields": a_field("line_id", {"given": True})},
    ],
)  # fmt: skip
def test_a_map_with_a_mistake_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MapInvalid):
        a_map(**change)


def test_money_has_no_default_unit() -> None:
    with pytest.raises(MapInvalid, match="money"):
        parse_map({name: value for name, value in MAP.items() if name != "money"})


@pytest.mark.parametrize(
    "text", ["a: [", "- 1", "", b"\xff\xfe", "!!python/object/apply:os.system [ls]", "x" * 300_000]
)
def test_what_is_no_map_is_refused_in_a_sentence(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(MapInvalid):
        written(tmp_path, text)


def test_two_spellings_of_a_map_have_one_digest() -> None:
    spelt_out = {name: {"column": column} for name, column in MAP["sources"].items()}
    assert a_map(sources=spelt_out, format="csv").digest == a_map().digest

"""Money is read exactly or not at all; dates and ids have one meaning or none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.payroll.cells import DateFormat, cents, dollars, hours, identifier
from deploy.payroll.problems import MapInvalid, RowRefused
from shared.values.money import dollars_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("169.23", 16_923), ("0", 0), ("", 0), ("   ", 0), ("12", 1_200), ("12.5", 1_250), (".50", 50),
        ("1,234.50", 123_450), ("1,234,567.89", 123_456_789), ("$5.00", 500), ("$ 5", 500), ("(12.00)", -1_200),
        ("($1,200.00)", -120_000), ("-12.00", -1_200), ("12.00-", -1_200), ("+12.00", 1_200), ("-$3.10", -310),
        ("169.2300", 16_923), (" 7.00 ", 700), ("0.01", 1), ("007.10", 710),
    ],
)  # fmt: skip
def test_dollars_as_payroll_systems_and_spreadsheets_write_them(text: str, expected: int) -> None:
    assert dollars(text, "401k") == expected


@pytest.mark.parametrize(
    "text",
    [
        "12.345", "1.234,50", "1,23", "12,34.50", "1e3", "1E+05", "abc", "12.", "1 234.50", "--5", "(-5)", "(5", "5)",
        "-5-", "$", ".", "#REF!", "=1+1", "NaN", "inf", "0x10", "١٢", "12.00 USD", "9" * 30, "1" * 70, "−5",
    ],
)  # fmt: skip
def test_what_is_not_surely_dollars_is_refused(text: str) -> None:
    with pytest.raises(RowRefused) as refused:
        dollars(text, "401k")
    assert refused.value.code == "ROW_INVALID_AMOUNT"
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("cell", "expected"), [("16923", 16_923), ("16,923", 16_923), ("5.00", 5), ("(7)", -7), (42, 42)]
)
def test_cents_are_whole(cell: object, expected: int) -> None:
    assert cents(cell, "401k") == expected


@pytest.mark.parametrize("cell", ["169.23", "0.5", Decimal("1.5"), True, 1.5, [], {}])
def test_part_cents_and_other_things_are_refused(cell: object) -> None:
    with pytest.raises(RowRefused):
        cents(cell, "401k")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [(169, 16_900), (Decimal("169.23"), 16_923), (Decimal("1.6923E+2"), 16_923), (Decimal("-0.10"), -10), (None, 0),
     (Decimal("0E-400"), 0), (Decimal("5.000000"), 500)],
)  # fmt: skip
def test_json_numbers_are_exact(cell: object, expected: int) -> None:
    assert dollars(cell, "401k") == expected


@pytest.mark.parametrize("cell", [Decimal("0.001"), Decimal("1E-400"), Decimal("1E+400"), 10**12, True, 1.5, [1]])
def test_json_values_that_are_no_amount_are_refused(cell: object) -> None:
    with pytest.raises(RowRefused):
        dollars(cell, "401k")


@given(st.integers(-(10**13), 10**13))
def test_every_amount_survives_being_written_in_dollars(amount: int) -> None:
    plain = dollars_text(amount)
    grouped = f"{'-' if amount < 0 else ''}{abs(amount) // 100:,}.{abs(amount) % 100:02d}"
    bracketed = f"({dollars_text(-amount)})" if amount < 0 else plain
    assert dollars(plain, "x") == dollars(grouped, "x") == dollars(bracketed, "x") == amount
    assert dollars(Decimal(plain), "x") == amount
    assert cents(str(amount), "x") == amount


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("YYYY-MM-DD", "2026-11-20", "2026-11-20"), ("MM/DD/YYYY", "11/20/2026", "2026-11-20"),
        ("M/D/YYYY", "1/2/2026", "2026-01-02"), ("DD.MM.YYYY", "20.11.2026", "2026-11-20"),
        ("YYYYMMDD", "20261120", "2026-11-20"), ("YYYY-MM-DD", " 2026-11-20 ", "2026-11-20"),
    ],
)  # fmt: skip
def test_dates_are_read_as_the_format_says(pattern: str, text: str, expected: str) -> None:
    dates = DateFormat(pattern)
    assert [dates.iso(text, "Date"), dates.iso(text, "Date")] == [expected, expected]


@pytest.mark.parametrize(
    "text", ["2026-02-30", "20/11/2026", "2026-1-2", "0001-01-01", "9999-01-01", "46346", "2026-11-20T00", "x"]
)
def test_other_dates_are_refused(text: str) -> None:
    with pytest.raises(RowRefused) as refused:
        DateFormat("YYYY-MM-DD").iso(text, "Date")
    assert refused.value.code == "ROW_INVALID_DATE"


@pytest.mark.parametrize(
    "pattern", ["YY-MM-DD", "YYYY-MM", "YYYY-MM-MM", "", "DD/DD/YYYY", "Y" * 40, "YYYY-MM-DD-YYYY"]
)
def test_a_date_format_names_year_month_and_day_once(pattern: str) -> None:
    with pytest.raises(MapInvalid):
        DateFormat(pattern)


def test_ids_lose_blanks_around_them_and_numbers_become_text() -> None:
    assert identifier(" P1 ", "Employee") == "P1"
    assert identifier("00017", "Employee") == "00017"
    assert identifier(17, "Employee") == "17"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "ROW_VALUE_MISSING"), ("  ", "ROW_VALUE_MISSING"), (None, "ROW_VALUE_MISSING"),
        ("a" * 129, "ROW_INVALID_ID"), ("a\x00b", "ROW_INVALID_ID"), ("a\r\nce_id: x", "ROW_INVALID_ID"),
        ("1.23457E+11", "ROW_INVALID_ID"), (True, "ROW_INVALID_ID"), (1.5, "ROW_INVALID_ID"),
        ("\ud800", "ROW_INVALID_ID"), ("123-45-6789", "ROW_LOOKS_LIKE_TAX_ID"),
        ("123 45 6789", "ROW_LOOKS_LIKE_TAX_ID"),
    ],
)  # fmt: skip
def test_ids_that_cannot_be_meant_are_refused_and_never_repeated(cell: object, code: str) -> None:
    with pytest.raises(RowRefused) as refused:
        identifier(cell, "Employee")
    assert refused.value.code == code
    assert not (str(cell).strip() and str(cell) in str(refused.value))


def test_hours_are_plain_numbers() -> None:
    assert [hours(cell, "Hours") for cell in ("", None, "80", "1,080.5", 40, Decimal("37.5"))] == [
        None, None, "80", "1080.5", "40", "37.5",
    ]  # fmt: skip
    for wrong in ("-8", "eight", True):
        with pytest.raises(RowRefused):
            hours(wrong, "Hours")

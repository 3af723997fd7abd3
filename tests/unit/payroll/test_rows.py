"""Rows are the same however their bytes arrive, and what cannot be cut into rows is refused as a whole."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.payroll.problems import FileRefused, RowProblem
from deploy.payroll.rows import ROW_BYTES_MAX, CsvRows, NdjsonRows, Raw, Rows


def read(rows: Rows, content: bytes, piece: int = 1 << 20) -> list[Raw]:
    found: list[Raw] = []
    for start in range(0, len(content), piece):
        found += rows.push(content[start : start + piece])
    return found + list(rows.finish())


def cells(rows: list[Raw]) -> list[Any]:
    return [row for _, row in rows if row]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('",\n;ä'), max_size=12)


@given(
    st.lists(st.lists(TEXTS, min_size=2, max_size=4), max_size=6), st.integers(1, 40), st.sampled_from(["\n", "\r\n"])
)
def test_csv_reads_what_the_csv_module_writes_in_any_pieces(table: list[list[str]], piece: int, end: str) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator=end).writerows(table)
    content = written.getvalue().encode()
    # Bytes that begin like UTF-16 are refused before anything else; no writer of UTF-8 begins so.
    assert cells(read(CsvRows(), b"\n" + content, piece)) == table


@given(st.binary(max_size=300), st.integers(1, 50))
def test_no_bytes_make_the_readers_fail_in_another_way(content: bytes, piece: int) -> None:
    for rows in (CsvRows(), CsvRows(";", "windows-1252"), NdjsonRows()):
        try:
            read(rows, content, piece)
        except FileRefused:
            continue


def test_a_row_has_the_number_of_the_line_where_it_begins() -> None:
    rows = read(CsvRows(), b'a,b\r\n"x\r\ny",2\r\n\r\n3,4')
    assert rows == [(1, ["a", "b"]), (2, ["x\r\ny".replace("\r", ""), "2"]), (4, []), (5, ["3", "4"])]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert read(CsvRows(), b"\xef\xbb\xbfa,b\n") == [(1, ["a", "b"])]
    assert read(CsvRows(), b"\xef\xbb\xbfa,b\n", piece=1) == [(1, ["a", "b"])]


@pytest.mark.parametrize("content", [b"\xff\xfea\x00,\x00", b"\xfe\xff\x00a", b"a\x00b\x00"])
def test_utf_16_is_refused_with_advice(content: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        read(CsvRows(), content)
    assert refused.value.code == "FILE_ENCODING"


def test_a_row_that_is_not_text_is_one_problem() -> None:
    rows = read(CsvRows(), b"a,b\nM\xfcller,1\nc,d\n")
    assert [row if isinstance(row, list) else row.code for _, row in rows] == [["a", "b"], "ROW_NOT_TEXT", ["c", "d"]]
    assert read(CsvRows(encoding="windows-1252"), b"M\xfcller,1\n") == [(1, ["Müller", "1"])]


def test_a_huge_row_is_skipped_in_bounded_memory() -> None:
    rows, found = CsvRows(), []
    found += rows.push(b"a,b\n")
    for _ in range(100):
        found += rows.push(b"x" * ROW_BYTES_MAX)
    found += list(rows.push(b"\nc,d\n"))
    assert [row if isinstance(row, list) else (row.row, row.code) for _, row in found] == [
        ["a", "b"], (2, "ROW_TOO_LONG"), ["c", "d"],
    ]  # fmt: skip


def test_a_quote_that_is_never_closed_refuses_the_file_and_names_its_line() -> None:
    for content in (b'a,b\n1,"x\n' + b"2,y\n" * 10, b'a,b\n1,"x\n' + b"2,y\n" * 100_000):
        with pytest.raises(FileRefused) as refused:
            read(CsvRows(), content)
        assert (refused.value.code, refused.value.row) == ("FILE_QUOTE_OPEN", 2)


def test_a_quote_inside_a_quoted_cell_spoils_its_row_only() -> None:
    rows = read(CsvRows(), b'a,b\n"O"Neil",1\nc,d\n')
    assert [row if isinstance(row, list) else row.code for _, row in rows] == [["a", "b"], "ROW_QUOTING", ["c", "d"]]


def test_quotes_in_the_middle_of_a_cell_are_text() -> None:
    assert read(CsvRows(), b'Jim "The Rock",1\n5" pipe,2\n6" pipe,3\n') == [
        (1, ['Jim "The Rock"', "1"]), (2, ['5" pipe', "2"]), (3, ['6" pipe', "3"]),
    ]  # fmt: skip


def test_json_numbers_keep_every_digit() -> None:
    ((_, row),) = read(NdjsonRows(), b'{"pay": 4230.770000000000000001, "n": 7, "t": "x"}\r\n', piece=3)
    assert row == {"pay": Decimal("4230.770000000000000001"), "n": 7, "t": "x"}


@pytest.mark.parametrize("line", [b"[1]", b"7", b"{", b'{"a": NaN}', b"[" * 5_000, b'{"a":"\xff"}', b"null"])
def test_a_line_that_is_no_json_object_is_one_problem(line: bytes) -> None:
    first, second = read(NdjsonRows(), line + b'\n{"a": 1}\n')
    assert isinstance(first[1], RowProblem)
    assert (first[1].row, first[1].code) == (1, "ROW_NOT_JSON")
    assert second == (2, {"a": 1})

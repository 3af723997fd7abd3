"""A row becomes the event it stands for; who it is hangs on what it says, not on where it stands."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.payroll.columnmap import ColumnMap
from deploy.payroll.kept import Prepared, Store
from deploy.payroll.problems import FileRefused, OutOfScope
from deploy.payroll.reading import MALFORMED_MAX, FileReading
from deploy.payroll.totals import RUNS_MAX, closed_event, opened_event
from shared.events.payroll import Contribution, PayrollClosed, PayrollOpened
from tests.unit.payroll.builders import HEADER, ROW, a_field, a_map, kept_of

OTHER = "P2,x,y,11/20/2026,100,5.00,0\n"


def lines(folder: Path, content: str, columns: ColumnMap | None = None) -> list[Prepared]:
    return list(kept_of(folder, content, columns).prepared(0))


def test_a_row_becomes_a_contribution_of_its_mapped_cells_only(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, HEADER + ROW)
    assert Contribution.model_validate_json(line.body)
    assert orjson.loads(line.body) == {
        "plan_id": "ACME", "participant_id": "P1", "payroll_id": "R1", "pay_date": "2026-11-20",
        "compensation_cents": 423_077,
        "amounts": [{"source": "pre_tax", "cents": 16_923}, {"source": "roth", "cents": 77}],
    }  # fmt: skip


def test_names_and_tax_ids_are_kept_nowhere(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, HEADER + ROW + "P3,Secret,999-99-9999,nodate,1,1,1\n")
    stored = b"".join(file.read_bytes() for file in kept.folder.iterdir())
    assert not any(secret in stored for secret in (b"Doe", b"123-45-6789", b"Secret", b"999-99-9999"))
    assert kept.state.malformed == 1


def test_order_of_rows_and_of_unmapped_cells_changes_no_identity(tmp_path: Path) -> None:
    first = {line.ce_id for line in lines(tmp_path, HEADER + ROW + OTHER)}
    turned = lines(tmp_path, HEADER + OTHER + "\r\n" + ROW.replace("Doe", "Roe").replace("4,230.77", "4230.77"))
    assert {line.ce_id for line in turned} == first
    assert len(first) == 2


def test_by_content_another_amount_is_another_line(tmp_path: Path) -> None:
    changed = ROW.replace("169.23", "169.24")
    one, two, again = lines(tmp_path, HEADER + ROW + changed + ROW)
    assert one.ce_id == again.ce_id != two.ce_id


def test_by_key_another_amount_is_the_same_line(tmp_path: Path) -> None:
    one, two = lines(tmp_path, HEADER + ROW + ROW.replace("169.23", "169.24"), a_map(identity="key"))
    assert one.ce_id == two.ce_id
    assert one.body != two.body


@pytest.mark.parametrize("identity", ["content", "key"])
def test_the_payroll_systems_own_row_id_tells_equal_rows_apart(tmp_path: Path, identity: str) -> None:
    columns = a_map(identity=identity, fields=a_field("line_id", "Name"))
    one, two = lines(tmp_path, HEADER + ROW + ROW.replace("Doe, Jane", "row 2"), columns)
    assert one.ce_id != two.ce_id
    assert one.body == two.body


def test_the_order_of_the_maps_sources_changes_nothing(tmp_path: Path) -> None:
    turned = a_map(sources={"roth": "Roth", "pre_tax": "401k"})
    assert lines(tmp_path, HEADER + ROW, turned) == lines(tmp_path, HEADER + ROW)


def test_a_negative_amount_is_sent_for_the_engine_to_refuse(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, HEADER + "P1,x,y,11/20/2026,100,(12.00),0\n")
    assert orjson.loads(line.body)["amounts"] == [{"source": "pre_tax", "cents": -1_200}]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("P1,x,y,11/20/2026,100,5.00", "ROW_FIELD_COUNT"), ("P1,x,y,11/20/2026,100,5,0,7", "ROW_FIELD_COUNT"),
        (",x,y,11/20/2026,100,5.00,0", "ROW_VALUE_MISSING"), ("P1,x,y,11/20/2026,,5.00,0", "ROW_VALUE_MISSING"),
        ("P1,x,y,,100,5.00,0", "ROW_VALUE_MISSING"), ("P1,x,y,2026-11-20,100,5.00,0", "ROW_INVALID_DATE"),
        ("P1,x,y,11/20/2026,100,5.001,0", "ROW_INVALID_AMOUNT"), ("P1,x,y,11/20/2026,-1,5,0", "ROW_INVALID_AMOUNT"),
        ("1.2E+05,x,y,11/20/2026,100,5,0", "ROW_INVALID_ID"),
        ("123-45-6789,x,y,11/20/2026,1,5,0", "ROW_LOOKS_LIKE_TAX_ID"),
        ('"P"1,x,y,11/20/2026,100,5.00,0', "ROW_QUOTING"), ("x" * 70_000, "ROW_TOO_LONG"),
    ],
)  # fmt: skip
def test_a_malformed_row_is_named_by_number_and_code_and_the_others_go_on(tmp_path: Path, row: str, code: str) -> None:
    kept = kept_of(tmp_path, HEADER + ROW + row + "\n" + OTHER)
    (reject,) = kept.rejects()
    assert (reject["row"], reject["status"], reject["code"]) == (3, "malformed", code)
    assert [line.row for line in kept.prepared(0)] == [2, 4]


def test_empty_cells_behind_the_last_column_and_blank_rows_are_nothing(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, HEADER + ROW.strip() + ",,\n,,,,,,\n\n" + OTHER)
    assert (kept.state.lines, kept.state.malformed) == (2, 0)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "FILE_EMPTY"), ("\n\n", "FILE_EMPTY"), (HEADER, "FILE_EMPTY"), ("a,b\n1,2\n", "FILE_HEADER"),
        (HEADER.replace("Roth", "401k"), "FILE_HEADER"), (HEADER.replace("\n", ",Gross\n"), "FILE_HEADER"),
        ("x" * 70_000 + "\n", "FILE_HEADER"), ('"' + HEADER, "FILE_QUOTE_OPEN"),
        (HEADER + ROW + 'P2,"x,y,11/20/2026,100,5.00,0\n' + OTHER, "FILE_QUOTE_OPEN"),
        ((HEADER + ROW).replace("\n", "\r"), "FILE_HEADER"),
    ],
)  # fmt: skip
def test_a_file_without_clear_rows_is_refused_and_nothing_is_kept(tmp_path: Path, content: str, code: str) -> None:
    with pytest.raises(FileRefused) as refused:
        kept_of(tmp_path, content)
    assert refused.value.code == code
    assert list((tmp_path / "kept").iterdir()) == []


def test_too_many_runs_mean_a_wrong_column(tmp_path: Path) -> None:
    rows = "".join(f"P1,R{number},y,11/20/2026,1,1,1\n" for number in range(RUNS_MAX + 1))
    with pytest.raises(FileRefused, match="runs"):
        kept_of(tmp_path, HEADER + rows, a_map(fields=a_field("payroll_id", "Name")))


def test_a_file_of_another_kind_ends_early(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        kept_of(tmp_path, "x\n" * (MALFORMED_MAX + 1), a_map(format="ndjson"))
    assert refused.value.code == "FILE_TOO_MANY_ERRORS"


def test_a_row_outside_the_senders_plans_refuses_the_file(tmp_path: Path) -> None:
    columns = a_map(fields=a_field("plan_id", "Name"))
    rows = "P1,ACME,y,11/20/2026,1,1,1\nP1,OTHER,y,11/20/2026,1,1,1\n"
    with Store(tmp_path / "kept").incoming() as incoming:
        reading = FileReading(columns, incoming, {"ACME"}.__contains__)
        with pytest.raises(OutOfScope) as refused:
            reading.push((HEADER + rows).encode())
    assert refused.value.row == 3


def test_ndjson_says_the_same_as_csv(tmp_path: Path) -> None:
    row = '{"Employee": "P1", "Name": "Doe", "Date": "11/20/2026", "Gross": 4230.77, "401k": "169.23", "Roth": 0.77}\n'
    assert lines(tmp_path, row, a_map(format="ndjson"))[0][1:] == lines(tmp_path, HEADER + ROW)[0][1:]


@pytest.mark.parametrize("cell", ["true", '["P1"]', '{"a": 1}', "1.5", "null"])
def test_ndjson_ids_of_other_types_are_refused(tmp_path: Path, cell: str) -> None:
    row = f'{{"Employee": {cell}, "Date": "11/20/2026", "Gross": 1, "401k": 1, "Roth": 1}}\n'
    assert kept_of(tmp_path, row, a_map(format="ndjson")).state.malformed == 1


def test_control_totals_are_those_of_the_event_model(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, HEADER + ROW + OTHER + ROW.replace("P1", "P3"))
    (run,) = kept.state.runs
    hashes = [int.from_bytes(sha256(who.encode()).digest()[:4], "big") for who in ("P1", "P2", "P3")]
    closed: Any = PayrollClosed.model_validate_json(closed_event(run, "/x").value)
    assert (closed.line_count, closed.cents_total, closed.hash_total) == (3, 17_000 * 2 + 500, sum(hashes) % 10**10)
    assert closed.cents_by_source == {"pre_tax": 16_923 * 2 + 500, "roth": 77 * 2}
    opened = PayrollOpened.model_validate_json(opened_event(run, "/x").value)
    assert (opened.plan_id, str(opened.pay_date), opened.line_count) == ("ACME", "2026-11-20", 3)
    assert closed_event(run, "/x").ce_id == closed_event(dict(run), "/x").ce_id != opened_event(run, "/x").ce_id

"""The command says in JSON and in sentences what is wrong with a file or a map, and ends accordingly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from deploy.cli.main import app
from tests.unit.payroll.builders import HEADER, MAP, ROW, a_field


def check(folder: Path, content: str, *options: str, columns: Any = MAP) -> tuple[int, str]:
    (folder / "map.yaml").write_text(yaml.safe_dump(columns) if isinstance(columns, dict) else columns)
    (folder / "payroll.csv").write_text(content)
    command = ["payroll", "import", str(folder / "payroll.csv"), "--map", str(folder / "map.yaml"), "--check", *options]
    result = CliRunner().invoke(app, command)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def test_a_good_file_is_checked_without_a_cluster(tmp_path: Path) -> None:
    status, said = check(tmp_path, HEADER + ROW, "--json")
    document = json.loads(said)
    assert (status, document["ok"], document["phase"], document["lines"]) == (0, True, "checked", 1)
    assert document["runs"][0]["cents_by_source"] == {"pre_tax": 16_923, "roth": 77}


def test_a_malformed_row_is_shown_and_written_down(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    status, said = check(tmp_path, HEADER + ROW + "P1,x,y,11/20/2026,1,oops,0\n", "--rejects", str(rejects))
    assert status == 1
    assert "ROW_INVALID_AMOUNT" in said
    assert "oops" not in said
    assert rejects.read_text().splitlines()[1].startswith("3,,malformed,ROW_INVALID_AMOUNT,,,")


def test_a_refused_file_has_a_code_and_a_line(tmp_path: Path) -> None:
    status, said = check(tmp_path, HEADER + ROW + '"x,\n', "--json")
    assert (status, json.loads(said)["code"], json.loads(said)["row"]) == (1, "FILE_QUOTE_OPEN", 3)


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ("money: [", ()), (MAP | {"money": "euros"}, ()), (MAP, ("--set", "plan_id=B")), (MAP, ("--set", "plan_id")),
        (MAP | {"fields": a_field("payroll_id", {"given": True})}, ()),
        (MAP | {"fields": a_field("payroll_id", {"given": True})}, ("--set", "payroll_id=a\x00b")),
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_used_is_a_mistake_of_the_call(
    tmp_path: Path, columns: Any, options: tuple[str, ...]
) -> None:
    status, said = check(tmp_path, HEADER + ROW, "--json", *options, columns=columns)
    assert (status, json.loads(said)["ok"]) == (2, False)


def test_what_the_map_leaves_open_is_set(tmp_path: Path) -> None:
    columns = MAP | {"fields": a_field("payroll_id", {"given": True})}
    status, said = check(tmp_path, HEADER + ROW, "--json", "--set", "payroll_id=2026-11-20-A", columns=columns)
    assert (status, json.loads(said)["runs"][0]["payroll_id"]) == (0, "2026-11-20-A")


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(MAP))
    command = [
        "payroll",
        "import",
        str(tmp_path / "none.csv"),
        "--map",
        str(tmp_path / "map.yaml"),
        "--check",
        "--json",
    ]
    result = CliRunner().invoke(app, command)
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (1, False)

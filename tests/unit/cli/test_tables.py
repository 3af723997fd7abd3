"""What commands print for people: whole, also where the terminal is narrow."""

from __future__ import annotations

import pytest
from rich.table import Table

from deploy.cli.output import print_table

WORDS = ("contribution:parked:somebody-with-a-long-id", "x" * 150, "payroll.contributions.v1/12@123456789")


def test_no_cell_of_a_table_is_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = Table(box=None)
    for word in WORDS:
        table.add_column(word[:3], no_wrap=True)
    table.add_row(*WORDS)
    print_table(table)
    said = capsys.readouterr().out
    assert [word for word in WORDS if word not in said] == []
    assert "…" not in said

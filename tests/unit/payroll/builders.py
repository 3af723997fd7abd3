"""A column map and small files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.payroll.columnmap import ColumnMap, parse_map
from deploy.payroll.importing import Wanted, check_file
from deploy.payroll.kept import Kept

MAP: dict[str, Any] = {
    "sender": "acme-payroll",
    "money": "dollars",
    "fields": {
        "plan_id": {"constant": "ACME"},
        "participant_id": "Employee",
        "payroll_id": {"constant": "R1"},
        "pay_date": {"column": "Date", "format": "MM/DD/YYYY"},
        "pay": "Gross",
    },
    "sources": {"pre_tax": "401k", "roth": "Roth"},
}
HEADER = "Employee,Name,SSN,Date,Gross,401k,Roth\n"
ROW = 'P1,"Doe, Jane",123-45-6789,11/20/2026,"4,230.77",169.23,0.77\n'


def a_map(**changes: Any) -> ColumnMap:
    """The map with other settings."""
    return parse_map(MAP | changes)


def a_field(name: str, rule: Any) -> dict[str, Any]:
    """The map's fields with one of them changed."""
    return MAP["fields"] | {name: rule}


def kept_of(folder: Path, content: str | bytes, columns: ColumnMap | None = None, **wanted: Any) -> Kept:
    """What is kept of a file with this content."""
    file = folder / "payroll.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return check_file(Wanted(file, columns or a_map(), folder / "kept", **wanted))

"""A file that can only be a mistake is refused before it costs anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.payroll.problems import FileRefused
from deploy.payroll.reading import MALFORMED_MAX
from tests.unit.payroll.builders import HEADER, kept_of


def test_a_file_that_is_nothing_but_errors_is_refused_early(tmp_path: Path) -> None:
    rows = "P1,x,y,no date,1,1,1\n" * (MALFORMED_MAX + 1)
    with pytest.raises(FileRefused) as refused:
        kept_of(tmp_path, HEADER + rows)
    assert refused.value.code == "FILE_TOO_MANY_ERRORS"

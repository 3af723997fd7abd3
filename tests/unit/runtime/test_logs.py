"""Log lines: what a failure may say of itself, and that nobody's data comes along."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Iterator

import asyncpg
import pytest

from shared.runtime.applying import named_in_logs
from shared.runtime.logs import configure_logs, error_text, get_logger, logging_config, stack_text
from tests.unit.runtime.test_tracing import GOOD

CANARY = "Ann Canary 1970-02-03"


def broken_row() -> asyncpg.CheckViolationError:
    failure = asyncpg.CheckViolationError("new row violates a check")
    failure.detail = f"Failing row contains ({CANARY})."
    return failure


def raised(failure: Exception) -> Exception:
    try:
        raise failure
    except type(failure) as caught:
        return caught


@pytest.mark.parametrize("failure", [ValueError(CANARY), KeyError(CANARY), broken_row(), asyncpg.DataError(CANARY)])
def test_a_failure_over_somebody_s_data_says_its_kind_and_place_only(failure: Exception) -> None:
    text = stack_text(raised(failure))
    assert CANARY not in text
    assert CANARY not in error_text(failure)
    assert type(failure).__name__ in text
    assert "test_logs.py" in text


def test_the_cause_of_a_failure_is_named_too() -> None:
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as inner:
            raise OSError("no disk") from inner
    except OSError as outer:
        text = stack_text(outer)
    assert "OSError('no disk')" in text
    assert "caused by ValueError" in text
    assert CANARY not in text


@pytest.fixture
def quiet_again() -> Iterator[None]:
    """Leave logging as it was found."""
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)


@pytest.mark.usefixtures("quiet_again")
def test_both_our_lines_and_those_of_libraries_hide_messages(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("tests")
    try:
        failure = raised(broken_row())
        get_logger("ours").error("it_failed", error=error_text(failure), exc_info=failure, birth_date="1970-02-03")
        logging.getLogger("theirs").error("it failed", exc_info=failure)
    finally:
        logging.config.dictConfig(logging_config("WARNING"))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["it_failed", "it failed"]
    assert all("CheckViolationError" in line["exception"] for line in lines)
    assert CANARY not in json.dumps(lines)
    assert "1970-02-03" not in json.dumps(lines)


class Line:
    """A payroll line as an item carries it."""

    payroll_id = "R1"


class Item:
    """What is parked."""

    ce_id, trace, line, key = "c1", GOOD, Line(), "P-of-somebody"


def test_an_event_is_named_by_its_id_its_payroll_and_its_trace() -> None:
    assert named_in_logs(Item()) == {"event_id": "c1", "payroll_id": "R1", "trace_id": GOOD[3:35]}
    assert named_in_logs(object()) == {}

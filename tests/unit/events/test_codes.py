"""Every reason that is given is in the registry, with a sentence and a next step."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from shared.events.codes import CODES, Code

ROOT = Path(__file__).resolve().parents[3]
CONTRACT = (
    "KEY_MISMATCH UNKNOWN_PLAN UNKNOWN_PARTICIPANT UNKNOWN_SOURCE SOURCE_NOT_IN_PLAN NOT_ELIGIBLE TERMINATED "
    "INVALID_AMOUNT MALFORMED LIMIT_402G LIMIT_CATCH_UP LIMIT_415C LIMIT_401A17 ROTH_CATCH_UP_REQUIRED "
    "LIMITS_NOT_LOADED DUPLICATE_PAYROLL_LINE IDEMPOTENCY_MISMATCH REVERSES_UNKNOWN REVERSES_TOO_MUCH "
    "PAYROLL_TOTALS_MISMATCH"
)
LOOKS_LIKE_A_CODE = re.compile(r"[A-Z]{3,}[0-9]*(_[A-Z0-9]+)+")
NOT_CODES = re.compile(r"^(NESTWORK|KAFKA|DATABASE|SASL|PG|SCRAM|SSL|PYTHON|PLAINTEXT)_|^[A-Z_]*_$")


@pytest.mark.parametrize("name", CONTRACT.split())
def test_the_contracts_codes_are_there(name: str) -> None:
    assert name in CODES


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_a_code_is_explained_in_sentences(code: Code) -> None:
    assert CODES[code.code] is code
    assert LOOKS_LIKE_A_CODE.fullmatch(code.code) or code.code in {"MALFORMED", "TERMINATED", "PARKED"}
    assert code.sentence.endswith(".")
    assert code.what_to_do.endswith(".")
    assert re.fullmatch(r"\d+\.\d+\.\d+", code.since)


def test_what_cuts_cents_is_an_error() -> None:
    cutting = [name for name in CODES if name.startswith("LIMIT_") and name != "LIMIT_401A17"]
    cutting += ["UNKNOWN_SOURCE", "SOURCE_NOT_IN_PLAN", "NOT_ELIGIBLE", "TERMINATED", "ROTH_CATCH_UP_REQUIRED"]
    assert {CODES[name].severity for name in cutting} == {"error"}


def test_what_cuts_nothing_is_none() -> None:
    names = ("LIMIT_401A17", "MISSPELT_FIELD", "WAITING_FOR_EARLIER_LINE")
    assert [CODES[name].severity for name in names] == ["info", "warning", "info"]


def codes_in(file: Path) -> set[str]:
    """Texts of a file that look like codes; names that a module exports look so too."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    exported = {"__all__"}
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "__all__" for to in node.targets):
            exported |= set(ast.literal_eval(node.value))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts - exported if LOOKS_LIKE_A_CODE.fullmatch(text)}


def test_no_service_gives_a_reason_that_is_not_in_the_registry() -> None:
    files = [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/runtime/**/*.py")]
    given = {text for file in files for text in codes_in(file) if not NOT_CODES.match(text)}
    assert given - CODES.keys() == {"AWAITING_CUT"}, "that one is a label of waiting money; nobody is answered with it"

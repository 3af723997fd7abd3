"""Each reason code has an example that can be run, and the example is about that code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from deploy.docs.reason_codes import examples
from shared.events.codes import CODES

ROOT = Path(__file__).resolve().parents[3]
SAYS_IT_IN_WORDS = {"FILE_TOO_MANY_RUNS", "MAP_INVALID"}
"""Their tests look at the sentence of the refusal."""


def test_every_code_has_an_example_and_nothing_else_has() -> None:
    assert examples().keys() == CODES.keys()


@pytest.mark.parametrize(("code", "example"), examples().items())
def test_an_example_is_there_and_about_its_code(code: str, example: str) -> None:
    file, _, test = example.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert code in SAYS_IT_IN_WORDS or re.search(rf"\b{code}\b", text)
    if file.endswith(".py"):
        assert test in {node.name for node in ast.walk(ast.parse(text)) if hasattr(node, "name")}

"""A law that does not hold stops the program, also when asserts are switched off."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared.values.invariants import InvariantBroken, invariant


def test_a_broken_law_is_named() -> None:
    with pytest.raises(InvariantBroken, match="every cent goes somewhere"):
        invariant(False, "every cent goes somewhere")


def test_a_law_that_holds_says_nothing() -> None:
    invariant(True, "every cent goes somewhere")


def test_laws_hold_in_optimised_programs_too() -> None:
    program = "from shared.values.invariants import invariant; invariant(False, 'a law')"
    ended = subprocess.run([sys.executable, "-O", "-c", program], capture_output=True, text=True, check=False)
    assert "InvariantBroken: a law" in ended.stderr

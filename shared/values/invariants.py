"""Laws that hold where value changes hands; a broken one is our bug, never the sender's."""

from __future__ import annotations


class InvariantBroken(Exception):
    """A law of the books does not hold: a defect of this program, so the worker stops and a person looks."""


def invariant(condition: bool, law: str) -> None:
    """Raise ``InvariantBroken`` with the text of ``law`` unless ``condition``; unlike assert it survives ``-O``."""
    if not condition:
        raise InvariantBroken(law)

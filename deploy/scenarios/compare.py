"""Exact comparison of what was expected with what came out; what is not named is not compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a file and the cluster disagree."""

    path: str
    expected: Any
    actual: Any

    def as_json(self) -> dict[str, Any]:
        """The form printed by ``--json``."""
        return {"path": self.path, "expected": self.expected, "actual": self.actual}


def differences(path: str, expected: Any, actual: Any) -> list[Difference]:
    """Compare mappings by named key and lists element by element, recursively; everything else must be equal."""
    if expected is None and actual == ABSENT:
        return []  # Null says that nothing is shown.
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        found: list[Difference] = []
        for key, value in expected.items():
            found += differences(f"{path}.{key}", value, actual.get(key, ABSENT if value != {} else {}))
        return found
    if isinstance(expected, list) and isinstance(actual, list):
        return _list_differences(path, expected, actual)
    if type(expected) is type(actual) and expected == actual:
        return []
    return [Difference(path, expected, actual)]


def _list_differences(path: str, expected: Sequence[Any], actual: Sequence[Any]) -> list[Difference]:
    found: list[Difference] = []
    for index in range(max(len(expected), len(actual))):
        wanted = expected[index] if index < len(expected) else ABSENT
        found += differences(f"{path}[{index}]", wanted, actual[index] if index < len(actual) else ABSENT)
    return found

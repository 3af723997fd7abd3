"""What of a file's expectations does not hold in the state of a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deploy.scenarios.compare import Difference, differences
from deploy.scenarios.expectations import Expect
from deploy.scenarios.vested import expected_vested
from shared.values.money import dollars_text

MONEY_KEYS = frozenset({"accepted", "rejected", "amount", "short"})
MONEY_MAPPINGS = frozenset({"credited", "balances", "cash"})
COUNTED = {"breaks": (("plan", "fund"), "code"), "dlq": (("topic", "key"), "reason")}
"""The names under which the things of a list stand, outermost first, and the one word that says what each is."""


def expected_differences(path: str, expect: Expect, state: Mapping[str, Any]) -> list[Difference]:
    """What of ``expect`` does not hold in ``state``."""
    found: list[Difference] = []
    for key, value in expect.model_dump(exclude_unset=True, mode="json").items():
        if value is None:
            continue
        if key not in state:
            found.append(Difference(f"{path}.{key}", "published", "withheld: the day is not proven"))
            continue
        wanted = expected_vested(value) if key == "vested" else _as_dollars(key, value)
        actual = _in_form_of(wanted, state[key], *COUNTED[key]) if key in COUNTED else state[key]
        found += differences(f"{path}.{key}", wanted, actual)
    return found


def _as_dollars(key: str, value: Any) -> Any:
    """Cents of the parsed file back to the one way of writing dollars, so that text compares with text."""
    if isinstance(value, list):
        return [_as_dollars(key, element) for element in value]
    if isinstance(value, dict):
        inside = key if key in MONEY_MAPPINGS else ""
        return {name: _as_dollars(inside or name, element) for name, element in value.items()}
    is_money = key in MONEY_KEYS or key in MONEY_MAPPINGS
    return dollars_text(value) if is_money and isinstance(value, int) else value


def _in_form_of(wanted: Any, found: Iterable[Mapping[str, Any]], names: tuple[str, ...], word: str) -> Any:
    """What was found, in the form a file expects it: a number, a list, a list of words, or any of them by name.

    By name a single word stands for a list of one.
    """
    things = list(found)
    if isinstance(wanted, int):
        return len(things)
    if isinstance(wanted, Mapping) and names:
        return {
            name: _in_form_of(part, _under(name, things, names[0]), names[1:], word) for name, part in wanted.items()
        }
    words = sorted(thing[word] for thing in things)
    if isinstance(wanted, str):
        return words[0] if len(words) == 1 else words
    if isinstance(wanted, list) and wanted and all(isinstance(one, str) for one in wanted):
        return words
    return things


def _under(name: str, things: Iterable[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """Those that stand under a name; a topic may be named as itself or as its topic of dead letters."""
    plain = name.removesuffix(".dlq") if key == "topic" else name
    return [thing for thing in things if thing[key] == plain]

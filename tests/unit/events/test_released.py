"""What was ever published can still be read: each released event has samples that must parse, and mean the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.events.base import Event
from shared.events.catalogue import EVENTS

RELEASED = Path(__file__).parent / "released"
EVENT_BY_TYPE = {event.ce_type: event for event in EVENTS}
SAMPLES = [
    pytest.param(file.stem, body, id=f"{file.parent.name}/{file.stem}[{number}]")
    for file in sorted(RELEASED.glob("v*/*.json"))
    for number, body in enumerate(json.loads(file.read_text(encoding="utf-8")))
]


def meaning(value: Any) -> Any:
    """A parsed body without what is empty, so that a new optional field does not count as a difference."""
    if isinstance(value, dict):
        return {str(name): meaning(part) for name, part in value.items() if part is not None}
    return [meaning(part) for part in value] if isinstance(value, list | tuple) else value


def includes(whole: Any, part: Any) -> bool:
    """Everything ``part`` says, ``whole`` says too."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(name in whole and includes(whole[name], part[name]) for name in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(includes, whole, part))
    return bool(whole == part)


@pytest.mark.parametrize(("ce_type", "body"), SAMPLES)
def test_a_released_event_is_still_read_with_the_same_meaning(ce_type: str, body: dict[str, Any]) -> None:
    parsed = EVENT_BY_TYPE[ce_type].model_validate_json(json.dumps(body))
    assert includes(meaning(parsed.model_dump(mode="json")), meaning(body))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.ce_type)
def test_every_event_has_a_released_sample(event: type[Event]) -> None:
    version = event.ce_type.rpartition(".")[2]
    file = RELEASED / version / f"{event.ce_type}.json"
    assert file.exists(), f"add {file.name} with at least one body as it is published"
    assert json.loads(file.read_text(encoding="utf-8"))

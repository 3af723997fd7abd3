"""Exploding public records whose bodies are pydantic models (everything but the hot payroll line)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from shared.runtime.errors import PoisonMessage
from shared.runtime.records import PublicRecord, Record, public_record


def explode_model(model: Any, *, keyed_by: str = "participant_id") -> Callable[[Record], list[PublicRecord]]:
    """An ``explode`` that checks the body against ``model`` and the key against the body."""

    def explode(record: Record) -> list[PublicRecord]:
        items = public_record(record)
        try:
            parsed = model.model_validate(items[0].body)
        except ValidationError as broken:
            first = broken.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PoisonMessage("WRONG_SHAPE", f"{where}: {first['msg']}") from None
        if getattr(parsed, keyed_by) != items[0].key:
            raise PoisonMessage("KEY_MISMATCH", f"the record's key is not its {keyed_by}")
        return items

    return explode

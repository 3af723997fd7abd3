"""Writes docs/load-result.schema.json: ``python -m deploy.load.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.load.result import result_schema

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "load-result.schema.json"


def schema_text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(result_schema(), indent=1) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")

"""JSON Schemas of the events, from their pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from shared.events.base import Event
from shared.events.catalogue import EVENTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMPONENT = "#/components/schemas/{model}"


class PlainSchema(GenerateJsonSchema):
    """Without a title for every field: it would only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def json_text(document: Mapping[str, Any]) -> str:
    """Return a document as indented JSON with a final newline."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def event_schema(event: type[Event]) -> dict[str, Any]:
    """Return the schema of one event's body, complete in itself."""
    schema = event.model_json_schema(schema_generator=PlainSchema)
    return {"$schema": DIALECT, "$id": f"urn:nestwork:event:{event.ce_type}", **schema}


def component_schemas() -> dict[str, Any]:
    """Return the schemas of all events and their parts, as they refer to each other inside an AsyncAPI document."""
    _, document = models_json_schema(
        [(event, "validation") for event in EVENTS], schema_generator=PlainSchema, ref_template=COMPONENT
    )
    return dict(sorted(document["$defs"].items()))


def schema_pages() -> dict[str, str]:
    """Return ``docs/events/<ce_type>.schema.json`` of every event."""
    return {f"docs/events/{event.ce_type}.schema.json": json_text(event_schema(event)) for event in EVENTS}

"""Turning docstrings and schemas into words."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

DEPTH_MAX = 5


class FieldWords(NamedTuple):
    """One line of a table of fields."""

    name: str
    kind: str
    is_required: bool
    meaning: str


def docstring(thing: object) -> str:
    """Return the docstring as one paragraph."""
    return " ".join((inspect.getdoc(thing) or "").split())


def first_line(thing: object) -> str:
    """Return the first line of the docstring."""
    return (inspect.getdoc(thing) or "").split("\n", 1)[0]


def cell(text: str) -> str:
    """Return a text that does not break a table."""
    return " ".join(text.replace("|", "\\|").split())


def fields_of(schema: Mapping[str, Any]) -> list[FieldWords]:
    """Return the fields of an object's schema, nested ones after their parent: ``parent.child``, ``list[].child``."""
    return list(_fields(schema, schema.get("$defs", {}), "", 0))


def _fields(schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str, depth: int) -> Iterator[FieldWords]:
    required = schema.get("required", ())
    for name, spelt in schema.get("properties", {}).items():
        field = _resolved(spelt, definitions)
        meaning = spelt.get("description", "")
        default = spelt.get("default")
        if default not in (None, "", [], {}):
            meaning = f"{meaning} Default: `{str(default).lower() if isinstance(default, bool) else default}`."
        yield FieldWords(prefix + name, kind_of(field, definitions), name in required, meaning)
        inner, mark = (_resolved(field["items"], definitions), "[].") if "items" in field else (field, ".")
        if depth < DEPTH_MAX and "properties" in inner:
            yield from _fields(inner, definitions, f"{prefix}{name}{mark}", depth + 1)


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and look through "this or null"."""
    if "$ref" in schema:
        return _resolved(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    others = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return _resolved(others[0], definitions) if len(others) == 1 else schema


def kind_of(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return what a value is, in a few words."""
    schema = _resolved(schema, definitions)
    if "anyOf" in schema:
        return " or ".join(kind_of(option, definitions) for option in schema["anyOf"] if option.get("type") != "null")
    if "enum" in schema or "const" in schema:
        return " / ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {kind_of(schema['items'], definitions)}"
    if kind == "object" and "properties" not in schema:
        return f"mapping to {kind_of(schema.get('additionalProperties', {}), definitions)}"
    return _text_kind(schema) if kind == "string" else kind


def _text_kind(schema: Mapping[str, Any]) -> str:
    if "format" in schema:
        return str(schema["format"])
    return "decimal text" if "[0-9]" in schema.get("pattern", "") else "text"

"""The tables of a service, read from ``docs/schema``: what PostgreSQL itself said after all migrations."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.simulation.store_expressions import Environment, Scope, compile_expression, parsed
from tests.simulation.store_values import stored_as

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schema"
TABLE = re.compile(r"^CREATE TABLE public\.(\w+) \((.*?)\n\)[^;]*;", re.MULTILINE | re.DOTALL)
COLUMN = re.compile(r'^"?(\w+)"? (.+?)(?: DEFAULT (.+?))?( NOT NULL)?$')
IDENTITY = re.compile(
    r"^ALTER TABLE public\.(\w+) ALTER COLUMN \"?(\w+)\"? ADD GENERATED ALWAYS AS IDENTITY", re.MULTILINE
)
KEY = re.compile(
    r"^ALTER TABLE ONLY public\.(\w+)\n\s+ADD CONSTRAINT (\w+) (?:PRIMARY KEY|UNIQUE) \(([^)]*)\);", re.MULTILINE
)
REFERENCE = re.compile(
    r"^ALTER TABLE ONLY public\.(\w+)\n\s+ADD CONSTRAINT (\w+) FOREIGN KEY \((\w+)\)"
    r" REFERENCES public\.(\w+)\((\w+)\);",
    re.MULTILINE,
)
INDEX = re.compile(
    r"^CREATE UNIQUE INDEX (\w+) ON (?:ONLY )?public\.(\w+) USING btree \((.*?)\)(?: WHERE .*)?;$", re.MULTILINE
)
PARTITION = re.compile(r"^ALTER TABLE ONLY public\.\w+ ATTACH PARTITION public\.(\w+)", re.MULTILINE)

Check = Callable[[Environment], Any]


@dataclass
class Unique:
    """A unique index: its expressions over a row."""

    name: str
    expressions: list[Check]
    columns: tuple[str, ...]
    """The columns it was made of, for ``ON CONFLICT``; empty when it has other expressions."""


@dataclass
class Schema:
    """One table."""

    name: str
    types: dict[str, str]
    required: set[str] = field(default_factory=set)
    defaults: dict[str, Check] = field(default_factory=dict)
    identity: str | None = None
    uniques: list[Unique] = field(default_factory=list)
    checks: list[tuple[str, Check]] = field(default_factory=list)
    references: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """Names in their order."""
        return list(self.types)

    def coerced(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row as its columns' types keep it."""
        return {name: stored_as(self.types[name], value) for name, value in row.items()}

    def scope(self) -> Scope:
        """Names an expression over one row may use."""
        return Scope([(self.name, self.columns)])


@cache
def schemas_of(service: str) -> dict[str, Schema]:
    """Every table of a service, by name."""
    text = (FOLDER / f"{service}.sql").read_text().replace("public.sums_to_zero", "sums_to_zero")
    partitions = set(PARTITION.findall(text))
    schemas = {name: _table(name, body) for name, body in TABLE.findall(text) if name not in partitions}
    for table, column in IDENTITY.findall(text):
        schemas[table].identity = column
    for table, name, columns in KEY.findall(text):
        if table in schemas:
            _add_unique(schemas[table], name, columns)
    for name, table, columns in INDEX.findall(text):
        if table in schemas:
            _add_unique(schemas[table], name, columns)
    for table, name, column, other, key in REFERENCE.findall(text):
        if table in schemas:
            schemas[table].references.append((name, column, other, key))
    return schemas


def _table(name: str, body: str) -> Schema:
    schema = Schema(name, {})
    checks: list[tuple[str, str]] = []
    for line in body.strip().split("\n"):
        words = line.strip().removesuffix(",")
        if words.startswith("CONSTRAINT "):
            _, constraint, text = words.split(" ", 2)
            checks.append((constraint, text.removeprefix("CHECK ")))
            continue
        found = COLUMN.match(words)
        if found is None:
            raise ValueError(f"{name}: can't read {words!r}")
        column, kind, default, required = found.groups()
        schema.types[column] = kind
        if required:
            schema.required.add(column)
        if default:
            schema.defaults[column] = compile_expression(parsed(f"SELECT {default}").expressions[0], Scope([]))
    schema.checks = [(constraint, _over_row(schema, text)) for constraint, text in checks]
    return schema


def _add_unique(schema: Schema, name: str, text: str) -> None:
    parts = [part for part in parsed(f"SELECT {text}").expressions]
    names = tuple(part.name for part in parts if part.key == "column")
    expressions = [compile_expression(part, schema.scope()) for part in parts]
    schema.uniques.append(Unique(name, expressions, names if len(names) == len(parts) else ()))


def _over_row(schema: Schema, text: str) -> Check:
    return compile_expression(parsed(f"SELECT {text}").expressions[0], schema.scope())

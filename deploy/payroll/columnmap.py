"""The declared column map of a payroll file: which column is what, in which unit, under whose name."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from deploy.payroll.cells import DateFormat
from deploy.payroll.problems import MapInvalid

MAP_BYTES_MAX = 256 * 1024

Format = Literal["csv", "ndjson"]
Unit = Literal["dollars", "cents"]
Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Constant = Annotated[str, StringConstraints(min_length=1, max_length=128)]
SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

GIVEN_FIELDS = ("plan_id", "participant_id", "payroll_id", "pay_date")
"""Fields a caller may give for the whole file, instead of a column."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldRule(_Part):
    """Where one field comes from: a column, a constant of the map, or whoever sends the file."""

    column: Column | None = None
    constant: Constant | None = None
    given: bool = False
    """The sender of each file says it: ``--set payroll_id=…``, or the same name in the address of an upload."""
    format: str | None = None
    """Of a date; default YYYY-MM-DD."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum((self.column is not None, self.constant is not None, self.given)) != 1:
            raise ValueError("say exactly one of column, constant and given")
        if self.format is not None:
            DateFormat(self.format)
        return self


class MoneyRule(_Part):
    """A money column, in the map's unit unless it says another."""

    column: Column
    unit: Unit | None = None


class Fields(_Part):
    """The fields of a payroll line."""

    plan_id: FieldRule
    participant_id: FieldRule
    payroll_id: FieldRule
    pay_date: FieldRule
    pay: MoneyRule
    """Plan compensation of the line."""
    hours: FieldRule | None = None
    line_id: FieldRule | None = None
    """The payroll system's own id of the row, if it has one; part of the row's identity, not of the event."""

    @field_validator("*", mode="before")
    @classmethod
    def _column_name_alone(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _only_dates_have_formats(self) -> Self:
        rules = {"plan_id": self.plan_id, "participant_id": self.participant_id, "payroll_id": self.payroll_id}
        wrong = [name for name, rule in rules.items() if rule.format is not None]
        wrong += [name for name, one in (("hours", self.hours), ("line_id", self.line_id)) if one and not one.column]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: only pay_date has a format; hours and line_id are columns")
        return self


class ColumnMap(_Part):
    """The whole map, as the YAML file says it."""

    sender: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    """Who sends; part of every line's identity, so it stays the same from file to file."""
    format: Format = "csv"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8", "windows-1252"] = "utf-8"
    money: Unit
    """The unit of every money column that does not say its own; there is no default, for a guess is a factor of 100."""
    identity: Literal["content", "key"] = "content"
    fields: Fields
    sources: dict[SourceName, MoneyRule] = Field(min_length=1, max_length=64)
    """The money type of each amount column."""

    @field_validator("sources", mode="before")
    @classmethod
    def _column_names_alone(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {"column": rule} if isinstance(rule, str) else rule for name, rule in value.items()}

    @property
    def ce_source(self) -> str:
        """The sender's name on the wire."""
        return f"/payroll-files/{self.sender}"

    @property
    def digest(self) -> str:
        """The same for two spellings of one map."""
        return sha256(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()

    def with_given(self, given: Mapping[str, str]) -> ColumnMap:
        """The map with what the sender says of this file. Raises ``MapInvalid`` for too much or too little."""
        fields = self.fields.model_dump(exclude_none=True)
        for name, value in given.items():
            if name not in GIVEN_FIELDS:
                raise MapInvalid(f"{name} cannot be set; {', '.join(GIVEN_FIELDS)} can")
            if not getattr(self.fields, name).given:
                raise MapInvalid(f"{name} is not `given: true` in the map, so a file cannot set it")
            fields[name] = {"constant": value} | ({"format": "YYYY-MM-DD"} if name == "pay_date" else {})
        missing = [name for name in GIVEN_FIELDS if fields[name].get("given")]
        if missing:
            raise MapInvalid(f"the map leaves {', '.join(missing)} to be set with each file")
        return parse_map(self.model_dump(exclude={"fields"}) | {"fields": fields})


def parse_map(document: Any) -> ColumnMap:
    """Check a map. Raises ``MapInvalid`` with the first thing that is wrong."""
    try:
        return ColumnMap.model_validate(document)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the map"
        raise MapInvalid(f"{place}: {first['msg']}") from None


def read_map(file: Path) -> ColumnMap:
    """Read a map file. Raises ``MapInvalid``, ``OSError``."""
    with file.open("rb") as opened:
        text = opened.read(MAP_BYTES_MAX + 1)
    if len(text) > MAP_BYTES_MAX:
        raise MapInvalid(f"longer than {MAP_BYTES_MAX // 1024} KiB")
    try:
        document = yaml.load(text, Loader=_TextLoader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        raise MapInvalid(f"not YAML{f' (line {mark.line + 1})' if mark else ''}") from None
    except UnicodeDecodeError:
        raise MapInvalid("not UTF-8 text") from None
    return parse_map(document)


class _TextLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Scalars stay the text they are written as: a payroll 2026-11-20 is no date, a column 401 no number."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag == "tag:yaml.org,2002:bool" and first in "tTfF"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

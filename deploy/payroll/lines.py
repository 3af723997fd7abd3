"""From a row to the event it stands for: fields, money, identity. Pure; plain Python, since every row passes here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from deploy.payroll.cells import DateFormat, cents, dollars, hours, identifier
from deploy.payroll.columnmap import ColumnMap, FieldRule, MoneyRule
from deploy.payroll.problems import FileRefused, MapInvalid, RowProblem, RowRefused
from deploy.payroll.rows import CELLS_MAX, Raw
from shared.values.identity import derived_id

Take = Callable[[Sequence[Any]], Any]


class Line(NamedTuple):
    """A row that can be sent."""

    row: int
    participant_id: str
    ce_id: str
    plan_id: str
    payroll_id: str
    pay_date: str
    amounts: list[tuple[str, int]]
    body: bytes
    """The JSON of ``nestwork.payroll.contribution.v1``: mapped fields only."""


class LineReader:
    """Reads rows by a map; for CSV the first row is the header that says where the columns are."""

    def __init__(self, columns: ColumnMap) -> None:
        self._map = columns
        self._needed = _needed_columns(columns)
        self._places = {name: place for place, name in enumerate(self._needed)}
        fields = columns.fields
        self._plan = self._id_field("plan_id", fields.plan_id)
        self._participant = self._id_field("participant_id", fields.participant_id)
        self._payroll = self._id_field("payroll_id", fields.payroll_id)
        self._pay_date = self._date_field(fields.pay_date)
        self._pay = self._money("pay", fields.pay)
        self._hours = self._optional(fields.hours, hours)
        self._line_id = self._optional(fields.line_id, identifier)
        # By name, so that the body, and with it the body's hash, does not hang on the order of the map.
        self._amounts = [(name, self._money(name, rule)) for name, rule in sorted(columns.sources.items())]
        self._indexes: list[int] | None = None
        self._width = 0

    def read(self, raw: Raw) -> Line | RowProblem | None:
        """The line of a row; None for the header and for blank rows. Raises ``FileRefused`` for a wrong header."""
        number, cells = raw
        if isinstance(cells, dict):
            return self._line(number, [cells.get(name) for name in self._needed])
        if isinstance(cells, RowProblem):
            if not self.has_header:
                raise FileRefused("FILE_HEADER", f"the header cannot be read: {cells.detail}", number)
            return cells
        return self._read_cells(number, cells)

    def _read_cells(self, number: int, cells: list[Any]) -> Line | RowProblem | None:
        if not any(cell.strip() for cell in cells):
            return None
        if self._indexes is None:
            self._read_header(number, cells)
            return None
        # A spreadsheet may end its rows with delimiters that enclose nothing.
        if len(cells) < self._width or any(cell.strip() for cell in cells[self._width :]):
            return RowProblem(number, "ROW_FIELD_COUNT", f"{len(cells)} cells where the header has {self._width}")
        return self._line(number, [cells[index] for index in self._indexes])

    @property
    def has_header(self) -> bool:
        """Whether the columns are known."""
        return self._map.format != "csv" or self._indexes is not None

    def _read_header(self, number: int, cells: Sequence[str]) -> None:
        names = [cell.strip() for cell in cells]
        if len(names) > CELLS_MAX:
            raise FileRefused("FILE_HEADER", f"more than {CELLS_MAX} columns", number)
        missing = [name for name in self._needed if name not in names]
        if missing:
            raise FileRefused("FILE_HEADER", f"the header has no column {', '.join(map(repr, missing))}", number)
        twice = [name for name in self._needed if names.count(name) > 1]
        if twice:
            raise FileRefused("FILE_HEADER", f"the header names {', '.join(map(repr, twice))} more than once", number)
        self._indexes, self._width = [names.index(name) for name in self._needed], len(names)

    def _line(self, number: int, values: Sequence[Any]) -> Line | RowProblem:
        try:
            plan, participant, payroll = self._plan(values), self._participant(values), self._payroll(values)
            pay_date, pay = self._pay_date(values), self._pay(values)
            worked, line_id = self._hours(values), self._line_id(values)
            amounts = [(name, found) for name, take in self._amounts if (found := take(values))]
        except RowRefused as refused:
            return RowProblem(number, refused.code, str(refused))
        if pay < 0:
            return RowProblem(number, "ROW_INVALID_AMOUNT", f"{self._map.fields.pay.column}: pay cannot be negative")
        body: dict[str, Any] = {
            "plan_id": plan, "participant_id": participant, "payroll_id": payroll, "pay_date": pay_date,
            "compensation_cents": pay, "amounts": [{"source": name, "cents": amount} for name, amount in amounts],
        }  # fmt: skip
        if worked is not None:
            body["hours"] = worked
        key = (plan, participant, payroll, pay_date, line_id or "")
        if self._map.identity == "key":
            ce_id = derived_id("payroll-file-key", *key)
        else:
            money = ",".join([f"{name}={amount}" for name, amount in amounts])
            ce_id = derived_id("payroll-file-content", *key, str(pay), worked or "", money)
        return Line(number, participant, ce_id, plan, payroll, pay_date, amounts, orjson.dumps(body))

    def _id_field(self, name: str, rule: FieldRule) -> Take:
        if rule.constant is not None:
            value = _constant(name, lambda: identifier(rule.constant, name))
            return lambda _: value
        column = rule.column or name
        place = self._places[column]
        return lambda values: identifier(values[place], column)

    def _date_field(self, rule: FieldRule) -> Take:
        dates = DateFormat(rule.format or "YYYY-MM-DD")
        if rule.constant is not None:
            value = _constant("pay_date", lambda: dates.iso(rule.constant, "pay_date"))
            return lambda _: value
        column = rule.column or "pay_date"
        place = self._places[column]
        return lambda values: dates.iso(values[place], column)

    def _money(self, name: str, rule: MoneyRule) -> Take:
        read, column, place = _READ[rule.unit or self._map.money], rule.column, self._places[rule.column]
        if name != "pay":
            return lambda values: read(values[place], column)

        def pay(values: Sequence[Any]) -> int:
            if values[place] is None or values[place] == "":
                raise RowRefused("ROW_VALUE_MISSING", f"{column}: no value")
            return read(values[place], column)

        return pay

    def _optional(self, rule: FieldRule | None, read: Callable[[Any, str], Any]) -> Take:
        if rule is None or rule.column is None:
            return lambda _: None
        column, place = rule.column, self._places[rule.column]

        def take(values: Sequence[Any]) -> Any:
            value = values[place]
            return None if value is None or value == "" else read(value, column)

        return take


_READ: dict[str, Callable[[Any, str], int]] = {"dollars": dollars, "cents": cents}


def _constant(name: str, read: Callable[[], str]) -> str:
    try:
        return read()
    except RowRefused as refused:
        raise MapInvalid(f"the value set for {name} is refused: {refused}") from None


def _needed_columns(columns: ColumnMap) -> list[str]:
    fields = columns.fields
    rules = (fields.plan_id, fields.participant_id, fields.payroll_id, fields.pay_date, fields.hours, fields.line_id)
    if any(rule is not None and rule.given for rule in rules):
        raise MapInvalid("the map leaves fields to be set with each file")
    named = [rule.column for rule in rules if rule is not None and rule.column is not None]
    named += [fields.pay.column, *(rule.column for rule in columns.sources.values())]
    return list(dict.fromkeys(named))

"""SQL expressions as Python closures: the part of PostgreSQL's language that the project's statements use.

What is not known here is refused by name, so that a new statement can't be answered wrongly in silence.
"""

from __future__ import annotations

import base64
import hashlib
import operator
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import orjson
import sqlglot
from sqlglot import exp

from tests.simulation.store_values import EARLIEST, jsonb_text

Environment = dict[str, Any]
"""Alias to row; ``$`` the parameters, ``!`` the session, ``#`` the rows of a group, ``*`` all rows of a query."""
Compiled = Callable[[Environment], Any]


class NotInTwin(NotImplementedError):
    """The twin of PostgreSQL doesn't know this yet: teach it, with a conformance test."""


class Scope:
    """Which names an expression may use: relations of its own query, then those around it."""

    def __init__(
        self, relations: list[tuple[str, list[str]]], parent: Scope | None = None, tables: dict[str, Any] | None = None
    ) -> None:
        self.relations, self.parent = relations, parent
        self.tables: dict[str, Any] = tables if tables is not None else (parent.tables if parent else {})

    def find(self, column: str, alias: str) -> tuple[str, str]:
        """(alias, column) of a name as written."""
        for name, columns in self.relations:
            if alias in {name, ""} and column in columns:
                return name, column
        if self.parent is not None:
            return self.parent.find(column, alias)
        raise NotInTwin(f"no column {alias}.{column} in {self.relations}")


@cache
def parsed(sql: str) -> exp.Expression:
    """One statement's tree."""
    return sqlglot.parse_one(sql, read="postgres")


def compile_expression(node: exp.Expression, scope: Scope) -> Compiled:
    """A closure that computes ``node`` in an environment."""
    compiler = COMPILERS.get(type(node))
    if compiler is None:
        raise NotInTwin(f"{type(node).__name__}: {node.sql('postgres')}")
    return compiler(node, scope)


def _inner(node: Any, scope: Scope) -> Compiled:
    return compile_expression(node.this, scope)


def _column(node: Any, scope: Scope) -> Compiled:
    alias, column = scope.find(node.name, node.table)
    return lambda env: env[alias][column]


def _parameter(node: Any, _: Scope) -> Compiled:
    position = int(node.this.this) - 1
    return lambda env: env["$"][position]


def _literal(node: Any, _: Scope) -> Compiled:
    value: Any = node.this if node.is_string else (Decimal(node.this) if "." in node.this else int(node.this))
    return lambda env: value


def _constant(value: Any) -> Callable[[Any, Scope], Compiled]:
    return lambda node, scope: lambda env: value


def _boolean(node: Any, _: Scope) -> Compiled:
    value = bool(node.this)
    return lambda env: value


def _and(node: Any, scope: Scope) -> Compiled:
    left, right = _both(node, scope)

    def conjunction(env: Environment) -> Any:
        first = left(env)
        if first is False:
            return False
        second = right(env)
        return False if second is False else None if first is None or second is None else True

    return conjunction


def _or(node: Any, scope: Scope) -> Compiled:
    left, right = _both(node, scope)

    def disjunction(env: Environment) -> Any:
        first = left(env)
        if first is True:
            return True
        second = right(env)
        return True if second is True else None if first is None or second is None else False

    return disjunction


def _not(node: Any, scope: Scope) -> Compiled:
    inner = _inner(node, scope)

    def negation(env: Environment) -> Any:
        value = inner(env)
        return None if value is None else not value

    return negation


def _both(node: Any, scope: Scope) -> tuple[Compiled, Compiled]:
    return compile_expression(node.this, scope), compile_expression(node.expression, scope)


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Scope], Compiled]:
    def compiler(node: Any, scope: Scope) -> Compiled:
        if isinstance(node.expression, exp.Any):
            return _any(node, scope, compare)
        if isinstance(node.expression, exp.All) or node.expression.name.lower() == "all":
            return _all(node, scope, compare)
        left, right = _both(node, scope)

        def apply(env: Environment) -> Any:
            first, second = left(env), right(env)
            if first is None or second is None:
                return None
            if type(first) is not type(second):
                first, second = _alike(first, second), _alike(second, first)
            return compare(first, second)

        return apply

    return compiler


def _alike(value: Any, other: Any) -> Any:
    """A literal without a type takes the type of what it is compared with."""
    if isinstance(value, str) and isinstance(other, date):
        return date.fromisoformat(value)
    if isinstance(value, str) and isinstance(other, bytes):
        return value.encode()
    return value


def _any(node: Any, scope: Scope, compare: Callable[[Any, Any], Any]) -> Compiled:
    left = compile_expression(node.this, scope)
    source = node.expression.this.unnest()
    if isinstance(source, exp.Select):
        query = scope.tables["query"](source, scope)
        values: Compiled = lambda env: [row[0] for row in query(env)]  # noqa: E731
    else:
        values = compile_expression(source, scope)

    def apply(env: Environment) -> Any:
        first, among = left(env), values(env)
        if first is None or among is None:
            return None
        return (
            True if any(one is not None and compare(first, one) for one in among) else None if None in among else False
        )

    return apply


def _all(node: Any, scope: Scope, compare: Callable[[Any, Any], Any]) -> Compiled:
    listed = node.expression
    left = compile_expression(node.this, scope)
    values = compile_expression(listed.this if isinstance(listed, exp.All) else listed.expressions[0], scope)

    def apply(env: Environment) -> Any:
        first, among = left(env), values(env)
        if first is None or among is None:
            return None
        found = [None if one is None else compare(first, one) for one in among]
        return False if False in found else None if None in found else True

    return apply


def _modulo(first: Any, second: Any) -> Any:
    rest = abs(first) % abs(second)
    return -rest if first < 0 else rest


def _plus(first: Any, second: Any) -> Any:
    return first + timedelta(days=second) if isinstance(first, date) and isinstance(second, int) else first + second


def _minus(first: Any, second: Any) -> Any:
    return first - timedelta(days=second) if isinstance(first, date) and isinstance(second, int) else first - second


def _is(node: Any, scope: Scope) -> Compiled:
    left, right = _both(node, scope)
    if node.args.get("negate"):
        return lambda env: left(env) is not right(env)
    return lambda env: left(env) is right(env)


def _same(node: Any, scope: Scope) -> Compiled:
    left, right = _both(node, scope)
    return lambda env: left(env) == right(env)


def _differs(node: Any, scope: Scope) -> Compiled:
    left, right = _both(node, scope)
    return lambda env: left(env) != right(env)


def _between(node: Any, scope: Scope) -> Compiled:
    value, low, high = (compile_expression(node.args[name], scope) for name in ("this", "low", "high"))

    def apply(env: Environment) -> Any:
        one, least, most = value(env), low(env), high(env)
        return None if one is None or least is None or most is None else least <= one <= most

    return apply


def _in(node: Any, scope: Scope) -> Compiled:
    left = compile_expression(node.this, scope)
    query = node.args.get("query")
    if query is not None:
        rows = scope.tables["query"](query.unnest(), scope)
        is_tuple = isinstance(node.this, exp.Tuple)
        among: Compiled = lambda env: [tuple(row) if is_tuple else row[0] for row in rows(env)]  # noqa: E731
    else:
        listed = [compile_expression(one, scope) for one in node.expressions]
        among = lambda env: [one(env) for one in listed]  # noqa: E731

    def apply(env: Environment) -> Any:
        value, values = left(env), among(env)
        if not values:
            return False
        return None if value is None else True if value in values else None if None in values else False

    return apply


def _like(node: Any, scope: Scope) -> Compiled:
    left, right = _both(node, scope)

    def apply(env: Environment) -> Any:
        text, pattern = left(env), right(env)
        if text is None or pattern is None:
            return None
        return re.fullmatch(re.escape(pattern).replace("%", ".*").replace("_", "."), text, re.DOTALL) is not None

    return apply


def _tuple(node: Any, scope: Scope) -> Compiled:
    parts = [compile_expression(one, scope) for one in node.expressions]

    def apply(env: Environment) -> Any:
        return tuple(part(env) for part in parts)

    return apply


def _list(node: Any, scope: Scope) -> Compiled:
    parts = [compile_expression(one, scope) for one in node.expressions]
    return lambda env: [part(env) for part in parts]


def _coalesce(node: Any, scope: Scope) -> Compiled:
    parts = [compile_expression(one, scope) for one in (node.this, *node.expressions)]
    return lambda env: next((value for part in parts if (value := part(env)) is not None), None)


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[Any, Scope], Compiled]:
    def compiler(node: Any, scope: Scope) -> Compiled:
        parts = [compile_expression(one, scope) for one in (node.this, *node.expressions)]

        def apply(env: Environment) -> Any:
            values = [value for part in parts if (value := part(env)) is not None]
            return choose(values) if values else None

        return apply

    return compiler


def _case(node: Any, scope: Scope) -> Compiled:
    subject = compile_expression(node.this, scope) if node.this is not None else None
    branches = [
        (compile_expression(one.this, scope), compile_expression(one.args["true"], scope)) for one in node.args["ifs"]
    ]
    default = compile_expression(node.args["default"], scope) if node.args.get("default") else lambda env: None

    def apply(env: Environment) -> Any:
        for condition, result in branches:
            met = condition(env)
            if met is True if subject is None else met == subject(env):
                return result(env)
        return default(env)

    return apply


def _bracket(node: Any, scope: Scope) -> Compiled:
    array, index = compile_expression(node.this, scope), node.expressions[0]
    position = compile_expression(index, scope)
    first = 0 if isinstance(index, exp.Literal) else 1  # The parser has moved literals to Python's counting already.

    def apply(env: Environment) -> Any:
        values, at = array(env), position(env)
        if values is None or at is None or not 0 <= at - first < len(values):
            return None
        return values[at - first]

    return apply


def _cast(node: Any, scope: Scope) -> Compiled:
    inner, kind = compile_expression(node.this, scope), node.args["to"].sql("postgres").lower()
    convert = CASTS.get(kind.partition("(")[0].removesuffix("[]")) if not kind.endswith("[]") else list
    if convert is None:
        raise NotInTwin(f"a cast to {kind}")

    def apply(env: Environment) -> Any:
        value = inner(env)
        return None if value is None else convert(value)

    return apply


def _rounded(value: Any) -> int:
    return int(value.to_integral_value()) if isinstance(value, Decimal) else int(value)


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


CASTS: dict[str, Callable[[Any], Any]] = {
    "int": _rounded, "integer": _rounded, "bigint": _rounded, "smallint": _rounded,
    "text": _text, "date": lambda value: date.fromisoformat(value) if isinstance(value, str) else value,
    "numeric": Decimal, "decimal": Decimal, "jsonb": jsonb_text, "json": lambda value: value,
    "bit": lambda value: int(value[1:], 16), "bytea": _bytes,
    "timestamptz": lambda value: EARLIEST if value == "-infinity" else value,
    "uuid": lambda value: value, "boolean": bool, '"char"': _bytes,
}  # fmt: skip


def _json_step(node: Any, scope: Scope, as_text: bool) -> Compiled:
    document = compile_expression(node.this, scope)
    if isinstance(node.expression, exp.JSONPath):
        parts = [part.this for part in node.expression.expressions if not isinstance(part, exp.JSONPathRoot)]
        path: Compiled = lambda env: parts  # noqa: E731
    else:
        single = compile_expression(node.expression, scope)
        path = lambda env: [single(env)]  # noqa: E731

    def apply(env: Environment) -> Any:
        text = document(env)
        value = None if text is None else orjson.loads(text)
        for step in path(env):
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
        return value if as_text and isinstance(value, str) else orjson.dumps(value).decode()

    return apply


def _subquery(node: Any, scope: Scope) -> Compiled:
    inner = node.this
    query = scope.tables["query"](inner, scope)

    def apply(env: Environment) -> Any:
        rows = query(env)
        return rows[0][0] if rows else None

    return apply


def _exists(node: Any, scope: Scope) -> Compiled:
    query = scope.tables["query"](node.this, scope)
    return lambda env: bool(query(env))


def _function(node: Any, scope: Scope) -> Compiled:
    name = node.name.lower()
    parts = [compile_expression(one, scope) for one in node.expressions]
    if name == "pg_notify":
        return lambda env: env["!"].notify(*(part(env) for part in parts))
    call = FUNCTIONS.get(name)
    if call is None:
        raise NotInTwin(f"function {name}")

    def apply(env: Environment) -> Any:
        values = [part(env) for part in parts]
        return None if None in values else call(*values)

    return apply


def _position(needle: bytes, haystack: bytes) -> int:
    return haystack.find(needle) + 1


def _encoded(value: bytes, form: str) -> str:
    return value.hex() if form == "hex" else base64.b64encode(value).decode()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cardinality": len, "octet_length": lambda value: len(value.encode() if isinstance(value, str) else value),
    "convert_to": lambda text, _: text.encode(), "sums_to_zero": lambda amounts: sum(amounts) == 0,
    "sha256": lambda data: hashlib.sha256(data).digest(), "encode": _encoded, "make_date": date,
}  # fmt: skip


def _strict(call: Callable[..., Any], *names: str) -> Callable[[Any, Scope], Compiled]:
    """A function whose result is null when an argument is."""

    def compiler(node: Any, scope: Scope) -> Compiled:
        nodes = [node.args.get(name) for name in names]
        parts = [compile_expression(one, scope) if one is not None else (lambda env: 0) for one in nodes]

        def apply(env: Environment) -> Any:
            values = [part(env) for part in parts]
            return None if None in values else call(*values)

        return apply

    return compiler


def _cut_out(value: Any, start: int, length: int) -> Any:
    begin = max(0, (start or 1) - 1)
    return value[begin : begin + length] if length else value[begin:]


# -- aggregates: over the rows of a group ---------------------------------------------------------------------------


def _aggregate(combine: Callable[[list[Any]], Any]) -> Callable[[Any, Scope], Compiled]:
    def compiler(node: Any, scope: Scope) -> Compiled:
        argument, is_distinct = node.this, False
        if isinstance(argument, exp.Distinct):
            argument, is_distinct = argument.expressions[0], True
        one = (lambda env: True) if isinstance(argument, exp.Star) else compile_expression(argument, scope)

        def apply(env: Environment) -> Any:
            values = [value for member in env["#"] if (value := one(member)) is not None]
            return combine(list(dict.fromkeys(values)) if is_distinct else values)

        return apply

    return compiler


def _filtered(node: Any, scope: Scope) -> Compiled:
    inner, condition = compile_expression(node.this, scope), compile_expression(node.expression.this, scope)
    return lambda env: inner({**env, "#": [member for member in env["#"] if condition(member) is True]})


def _window(node: Any, scope: Scope) -> Compiled:
    if node.args.get("order") or node.args.get("spec"):
        raise NotInTwin(f"a window in an order: {node.sql('postgres')}")
    inner = compile_expression(node.this, scope)
    keys = [compile_expression(one, scope) for one in node.args.get("partition_by") or ()]

    def apply(env: Environment) -> Any:
        mine = [key(env) for key in keys]
        return inner({**env, "#": [member for member in env["*"] if [key(member) for key in keys] == mine]})

    return apply


AGGREGATES = (exp.Count, exp.Sum, exp.Min, exp.Max, exp.ArrayAgg, exp.LogicalOr, exp.LogicalAnd)

COMPILERS: dict[type, Callable[[Any, Scope], Compiled]] = {
    exp.Column: _column, exp.Parameter: _parameter, exp.Literal: _literal, exp.Boolean: _boolean,
    exp.Null: _constant(None), exp.Paren: _inner, exp.Alias: _inner, exp.And: _and, exp.Or: _or, exp.Not: _not,
    exp.EQ: _comparison(operator.eq), exp.NEQ: _comparison(operator.ne), exp.LT: _comparison(operator.lt),
    exp.LTE: _comparison(operator.le), exp.GT: _comparison(operator.gt), exp.GTE: _comparison(operator.ge),
    exp.Add: _comparison(_plus), exp.Sub: _comparison(_minus), exp.Mul: _comparison(operator.mul),
    exp.Mod: _comparison(_modulo), exp.BitwiseAnd: _comparison(operator.and_),
    exp.DPipe: _comparison(lambda a, b: a + b if type(a) is type(b) else _text(a) + _text(b)),
    exp.ArrayContainsAll: _comparison(lambda a, b: set(b) <= set(a)),
    exp.Neg: _strict(operator.neg, "this"), exp.Abs: _strict(abs, "this"), exp.Is: _is,
    exp.NullSafeEQ: _same, exp.NullSafeNEQ: _differs, exp.Between: _between, exp.In: _in, exp.Like: _like,
    exp.Tuple: _tuple, exp.Array: _list, exp.Coalesce: _coalesce, exp.Greatest: _extreme(max),
    exp.Least: _extreme(min), exp.Case: _case, exp.Bracket: _bracket, exp.Cast: _cast, exp.Anonymous: _function,
    exp.JSONExtract: lambda node, scope: _json_step(node, scope, as_text=False),
    exp.JSONExtractScalar: lambda node, scope: _json_step(node, scope, as_text=True),
    exp.Subquery: _subquery, exp.Exists: _exists, exp.SHA2Digest: _strict(FUNCTIONS["sha256"], "this"),
    exp.Encode: _strict(_encoded, "this", "charset"), exp.Substring: _strict(_cut_out, "this", "start", "length"),
    exp.SplitPart: _strict(lambda t, d, n: (t.split(d) + [""] * n)[n - 1], "this", "delimiter", "part_index"),
    exp.CurrentTimestamp: lambda node, scope: lambda env: env["!"].now(),
    exp.Count: _aggregate(len), exp.Min: _aggregate(lambda values: min(values, default=None)),
    exp.Max: _aggregate(lambda values: max(values, default=None)),
    exp.Sum: _aggregate(lambda values: Decimal(sum(values)) if values else None),
    exp.ArrayAgg: _aggregate(lambda values: values or None), exp.LogicalOr: _aggregate(lambda v: any(v) if v else None),
    exp.LogicalAnd: _aggregate(lambda v: all(v) if v else None), exp.Filter: _filtered, exp.Window: _window,
}  # fmt: skip

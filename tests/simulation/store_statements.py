"""Whole statements: what they return, what they write, and which rows they have to lock first."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from sqlglot import exp

from tests.simulation.store_expressions import Compiled, Environment, NotInTwin, Scope, compile_expression, parsed
from tests.simulation.store_queries import Query, relation
from tests.simulation.store_schema import Schema, schemas_of


class Answer(NamedTuple):
    """Column names, rows, and the status text of the protocol."""

    names: list[str]
    rows: list[tuple[Any, ...]]
    status: str


Statement = Callable[[Environment], Answer]


@cache
def statement_of(service: str, sql: str) -> Statement:
    """The compiled statement."""
    tables = {"schemas": schemas_of(service), "query": lambda tree, scope: Query(tree.unnest(), scope).rows, "with": {}}
    return _compile(parsed(sql), Scope([], tables=tables))


def _compile(tree: Any, scope: Scope) -> Statement:
    with_ = tree.args.get("with_") or tree.args.get("with")
    if with_ is not None:
        return _with(tree, with_, scope)
    for kind, compiler in KINDS.items():
        if isinstance(tree, kind):
            return compiler(tree, scope)
    raise NotInTwin(f"statement {tree.sql('postgres')}")


def _with(tree: Any, with_: Any, scope: Scope) -> Statement:
    tree = tree.copy()
    tree.set("with_", None)
    inner: list[tuple[str, Statement, list[str]]] = []
    known = dict(scope.tables["with"])
    for one in with_.expressions:
        name, body = one.alias, one.this
        statement = _compile(body, Scope([], tables={**scope.tables, "with": dict(known)}))
        columns = _returned(body, Scope([], tables={**scope.tables, "with": dict(known)}))
        known[name] = columns
        inner.append((name, statement, columns))
    main = _compile(tree, Scope([], tables={**scope.tables, "with": known}))

    def run(env: Environment) -> Answer:
        session = env["!"]
        session.kept = {}
        for name, statement, columns in inner:
            rows = statement(env).rows
            session.kept[name] = [dict(zip(columns, row, strict=True)) for row in rows]
        return main(env)

    return run


def _returned(tree: Any, scope: Scope) -> list[str]:
    if isinstance(tree, (exp.Select, exp.Union)):
        return Query(tree, scope).names
    returning = tree.args.get("returning")
    return [one.alias_or_name for one in returning.expressions] if returning else []


def _select(tree: Any, scope: Scope) -> Statement:
    query = Query(tree, scope)

    def run(env: Environment) -> Answer:
        rows = query.rows(env)
        return Answer(query.names, rows, f"SELECT {len(rows)}")

    return run


def _schema(name: str, scope: Scope) -> Schema:
    schema: Schema | None = scope.tables["schemas"].get(name)
    if schema is None:
        raise NotInTwin(f"table {name}")
    return schema


def _returning(tree: Any, scope: Scope) -> tuple[list[str], list[Compiled]]:
    returning = tree.args.get("returning")
    if returning is None:
        return [], []
    items = returning.expressions
    return [one.alias_or_name for one in items], [compile_expression(one, scope) for one in items]


def _answer(word: str, names: list[str], outputs: list[Compiled], touched: list[Environment]) -> Answer:
    rows = [tuple(output(one) for output in outputs) for one in touched] if outputs else []
    return Answer(names, rows, f"{word} {len(touched)}")


# -- INSERT ---------------------------------------------------------------------------------------------------------


def _insert(tree: Any, scope: Scope) -> Statement:
    target = tree.this
    table = target.this.name if isinstance(target, exp.Schema) else target.name
    schema = _schema(table, scope)
    columns = [one.name for one in target.expressions] if isinstance(target, exp.Schema) else schema.columns
    source = _source(tree.expression, scope)
    own = Scope([(table, schema.columns)], scope)
    names, outputs = _returning(tree, own)
    solve = _conflict(tree.args.get("conflict"), schema, scope)

    def run(env: Environment) -> Answer:
        touched = []
        for values in source(env):
            row = {**_defaults(schema, env), **dict(zip(columns, values, strict=True))}
            kept = env["!"].insert(schema, row, solve, env)
            if kept is not None:
                touched.append({**env, table: kept})
        return _answer("INSERT 0", names, outputs, touched)

    return run


def _source(tree: Any, scope: Scope) -> Callable[[Environment], list[tuple[Any, ...]]]:
    if isinstance(tree, exp.Values):
        listed = [[compile_expression(one, scope) for one in row.expressions] for row in tree.expressions]
        return lambda env: [tuple(one(env) for one in row) for row in listed]
    return Query(tree, scope).rows


def _defaults(schema: Schema, env: Environment) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(schema.columns)
    row.update({name: default(env) for name, default in schema.defaults.items()})
    if schema.identity is not None:
        row[schema.identity] = env["!"].next_identity(schema.name)
    return row


class Conflict(NamedTuple):
    """ON CONFLICT: the columns it is about (any unique key when there are none), and what to set instead."""

    columns: frozenset[str]
    changes: Callable[[Environment], dict[str, Any]] | None
    where: Compiled | None


def _conflict(node: Any, schema: Schema, scope: Scope) -> Conflict | None:
    if node is None:
        return None
    keys = frozenset(one.name or one.this.name for one in node.args.get("conflict_keys") or ())
    if "UPDATE" not in str(node.args.get("action")):
        return Conflict(keys, None, None)
    both = Scope([(schema.name, schema.columns), ("excluded", schema.columns)], scope)
    where = node.args.get("where")
    return Conflict(
        keys, _changes(node.expressions, both), compile_expression(where.this, both) if where is not None else None
    )


def _changes(nodes: list[Any], scope: Scope) -> Callable[[Environment], dict[str, Any]]:
    pairs = [(one.this.name, compile_expression(one.expression, scope)) for one in nodes]
    return lambda env: {name: value(env) for name, value in pairs}


# -- UPDATE and DELETE ----------------------------------------------------------------------------------------------


class _Matching:
    """The rows of one table that a statement touches, each with the rows it was joined with."""

    def __init__(self, tree: Any, target: Any, others: list[Any], scope: Scope) -> None:
        self.table, self.alias = target.name, target.alias or target.name
        self.schema = _schema(self.table, scope)
        self.scope = Scope([(self.alias, self.schema.columns)], scope)
        self._others = []
        for one in others:
            found = relation(one, self.scope)
            self._others.append(found)
            self.scope.relations.append((found[0], found[1]))
        where = tree.args.get("where")
        self._where = compile_expression(where.this, self.scope) if where is not None else None

    def find(self, env: Environment) -> list[Environment]:
        """One environment per touched row: a row is touched once, whatever it was joined with."""
        found = []
        for row in env["!"].rows(self.table):
            combined = [{**env, self.alias: row}]
            for alias, _, rows in self._others:
                combined = [{**one, alias: other} for one in combined for other in rows(one)]
            matched = next((one for one in combined if self._where is None or self._where(one) is True), None)
            if matched is not None:
                found.append(matched)
        return found


def _update(tree: Any, scope: Scope) -> Statement:
    source = tree.args.get("from_")
    others = [] if source is None else [source.this, *(join.this for join in source.this.args.get("joins") or ())]
    matching = _Matching(tree, tree.this, others, scope)
    changes = _changes(tree.expressions, matching.scope)
    names, outputs = _returning(tree, matching.scope)

    def run(env: Environment) -> Answer:
        touched = []
        found = matching.find(env)
        env["!"].lock(*(one[matching.alias] for one in found))
        for one, new in [(one, changes(one)) for one in found]:
            kept = env["!"].update(matching.schema, one[matching.alias], new)
            touched.append({**one, matching.alias: kept})
        return _answer("UPDATE", names, outputs, touched)

    return run


def _delete(tree: Any, scope: Scope) -> Statement:
    matching = _Matching(tree, tree.this, list(tree.args.get("using") or ()), scope)
    names, outputs = _returning(tree, matching.scope)

    def run(env: Environment) -> Answer:
        found = matching.find(env)
        env["!"].lock(*(one[matching.alias] for one in found))
        for one in found:
            env["!"].delete(one[matching.alias])
        return _answer("DELETE", names, outputs, found)

    return run


KINDS: dict[Any, Callable[[Any, Scope], Statement]] = {
    exp.Insert: _insert, exp.Update: _update, exp.Delete: _delete, exp.Select: _select, exp.Union: _select,
}  # fmt: skip

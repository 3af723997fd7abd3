"""SELECT, INSERT, UPDATE and DELETE over the twin's tables, compiled once per statement text."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from sqlglot import exp

from tests.simulation.store_expressions import (
    AGGREGATES,
    Compiled,
    Environment,
    NotInTwin,
    Scope,
    compile_expression,
)
from tests.simulation.store_schema import Schema

Rows = Callable[[Environment], list[tuple[Any, ...]]]
Relation = tuple[str, list[str], Callable[[Environment], list[dict[str, Any]]]]
"""Alias, columns, and the rows in an environment (which may name earlier relations)."""


class Query:
    """A compiled SELECT: ``names`` of its columns, ``rows`` as tuples; ``sources`` for row locks."""

    def __init__(self, tree: Any, scope: Scope) -> None:
        self.names: list[str] = []
        self.locks = bool(tree.args.get("locks"))
        if isinstance(tree, exp.Union):
            self._union(tree, scope)
            return
        self._joins: list[tuple[Relation, Compiled | None, bool]] = []
        self.scope = Scope([], scope)
        self._relations(tree)
        where = tree.args.get("where")
        self._where = compile_expression(where.this, self.scope) if where else None
        self._project(tree)
        self._group(tree)
        self._order(tree)
        self.rows: Rows = self._run

    def _union(self, tree: Any, scope: Scope) -> None:
        if tree.args.get("distinct"):
            raise NotInTwin("UNION that is not UNION ALL")
        first, second = Query(tree.this, scope), Query(tree.expression, scope)
        self.names = first.names
        self.rows = lambda env: first.rows(env) + second.rows(env)

    # -- FROM ----------------------------------------------------------------------------------------------------

    def _relations(self, tree: Any) -> None:
        source = tree.args.get("from_")
        if source is None:
            return
        self._add(relation(source.this, self.scope), None, False)
        for join in [*(source.this.args.get("joins") or ()), *(tree.args.get("joins") or ())]:
            outer = join.side == "LEFT"
            if join.side not in {"", "LEFT"}:
                raise NotInTwin(f"a {join.side} join")
            joined = relation(join.this, self.scope)
            before = list(self.scope.relations)
            self.scope.relations.append((joined[0], joined[1]))
            condition = self._condition(join, joined, before)
            self.scope.relations.pop()
            self._add(joined, condition, outer)

    def _condition(self, join: Any, joined: Relation, before: list[tuple[str, list[str]]]) -> Compiled | None:
        if join.args.get("on") is not None:
            return compile_expression(join.args["on"], self.scope)
        names = [one.name for one in join.args.get("using") or ()]
        if not names:
            return None
        pairs = [(next(alias for alias, columns in before if name in columns), joined[0], name) for name in names]
        return lambda env: all(
            env[left][name] is not None and env[left][name] == env[right][name] for left, right, name in pairs
        )

    def _add(self, found: Relation, condition: Compiled | None, outer: bool) -> None:
        self._joins.append((found, condition, outer))
        self.scope.relations.append((found[0], found[1]))

    def environments(self, env: Environment) -> list[Environment]:
        """Every combination of rows that the FROM and WHERE clauses let through."""
        combined = [env]
        for (alias, columns, rows), condition, outer in self._joins:
            following: list[Environment] = []
            for one in combined:
                matched = [{**one, alias: row} for row in rows(one)]
                if condition is not None:
                    matched = [candidate for candidate in matched if condition(candidate) is True]
                if outer and not matched:
                    matched = [{**one, alias: dict.fromkeys(columns)}]
                following += matched
            combined = following
        if self._where is not None:
            where = self._where
            combined = [one for one in combined if where(one) is True]
        return combined

    # -- what comes out ------------------------------------------------------------------------------------------

    def _project(self, tree: Any) -> None:
        self._outputs: list[Compiled] = []
        self._series: Compiled | None = None
        for item in tree.expressions:
            bare = item.this if isinstance(item, exp.Alias) else item
            if isinstance(bare, exp.Star) or (isinstance(bare, exp.Column) and isinstance(bare.this, exp.Star)):
                self._all_of(bare.table if isinstance(bare, exp.Column) else "")
                continue
            self.names.append(item.alias_or_name or bare.key)
            if isinstance(bare, (exp.Explode, exp.ExplodingGenerateSeries)):
                self._series = _series(bare, self.scope)
                continue
            self._outputs.append(compile_expression(item, self.scope))

    def _all_of(self, wanted: str) -> None:
        for alias, columns in self.scope.relations:
            if wanted in {"", alias}:
                for column in columns:
                    self.names.append(column)
                    self._outputs.append(lambda env, a=alias, c=column: env[a][c])  # type: ignore[misc]

    def _group(self, tree: Any) -> None:
        group = tree.args.get("group")
        self._keys = [self._named(tree, one) for one in group.expressions] if group else []
        having = tree.args.get("having")
        self._having = compile_expression(having.this, self.scope) if having else None
        self._is_grouped = bool(group) or any(_has_aggregate(item) for item in tree.expressions)

    def _named(self, tree: Any, node: Any) -> Compiled:
        """An expression of GROUP BY or ORDER BY: a name of the output, or one of the input."""
        if isinstance(node, exp.Column) and not node.table:
            for item in tree.expressions:
                if isinstance(item, exp.Alias) and item.alias == node.name:
                    return compile_expression(item.this, self.scope)
        return compile_expression(node, self.scope)

    def _order(self, tree: Any) -> None:
        order = tree.args.get("order")
        self._sorting = [
            (self._named(tree, one.this), bool(one.args.get("desc"))) for one in (order.expressions if order else ())
        ]
        distinct = tree.args.get("distinct")
        self._is_distinct = distinct is not None
        on = distinct.args.get("on") if distinct is not None else None
        self._distinct_on = [compile_expression(one, self.scope) for one in on.expressions] if on else []
        self._limit, self._offset = (
            compile_expression(tree.args[name].expression, self.scope) if tree.args.get(name) else None
            for name in ("limit", "offset")
        )

    def _groups(self, members: list[Environment], env: Environment) -> list[Environment]:
        if not self._keys:
            return [{**(members[0] if members else env), "#": members}]
        groups: dict[tuple[Any, ...], list[Environment]] = {}
        for one in members:
            groups.setdefault(tuple(key(one) for key in self._keys), []).append(one)
        return [{**group[0], "#": group} for group in groups.values()]

    def _run(self, env: Environment) -> list[tuple[Any, ...]]:
        found = self.environments(env)
        if self.locks:
            for one in found:
                env["!"].lock(*(row for alias, _, _ in (join[0] for join in self._joins) if (row := one[alias])))
        if self._is_grouped:
            found = self._groups(found, env)
            if self._having is not None:
                having = self._having
                found = [one for one in found if having(one) is True]
        for one in found:
            one["*"] = found
        for key, descending in reversed(self._sorting):
            found.sort(key=lambda one, key=key: _order_key(key(one)), reverse=descending)  # type: ignore[misc]
        if self._series is not None:
            return [(value,) for one in found for value in self._series(one)]
        rows = self._distinct(found)
        first = self._offset(env) if self._offset else 0
        last = self._limit(env) if self._limit else None
        return rows[first : None if last is None else first + last]

    def _distinct(self, found: list[Environment]) -> list[tuple[Any, ...]]:
        rows, seen = [], set()
        for one in found:
            row = tuple(output(one) for output in self._outputs)
            if self._is_distinct:
                mark = tuple(key(one) for key in self._distinct_on) if self._distinct_on else row
                if mark in seen:
                    continue
                seen.add(mark)
            rows.append(row)
        return rows


def _order_key(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def _has_aggregate(node: Any) -> bool:
    if isinstance(node, (exp.Window, exp.Subquery)):
        return False
    if isinstance(node, AGGREGATES):
        return True
    return any(_has_aggregate(child) for child in node.iter_expressions())


def _series(node: Any, scope: Scope) -> Compiled:
    if isinstance(node, exp.ExplodingGenerateSeries):
        start, end = compile_expression(node.args["start"], scope), compile_expression(node.args["end"], scope)
        return lambda env: list(range(start(env), end(env) + 1))
    return compile_expression(node.this, scope)


def relation(node: Any, scope: Scope) -> Relation:
    """A table, function or subquery of a FROM clause."""
    alias = node.alias
    if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Unnest):
        return _unnest(node.this, alias, [one.name for one in node.args["alias"].columns], scope)
    if isinstance(node, (exp.Lateral, exp.Subquery)):
        inner = node.this.this if isinstance(node, exp.Lateral) else node.this
        query = Query(inner, scope)
        renamed = [one.name for one in (node.args["alias"].columns if node.args.get("alias") else ())]
        names = renamed or query.names
        return alias, names, lambda env: [dict(zip(names, row, strict=True)) for row in query.rows(env)]
    if isinstance(node, exp.Unnest):
        return _unnest(node, alias, [one.name for one in (node.args["alias"].columns if alias else ())], scope)
    if isinstance(node, exp.Table) and isinstance(node.this, exp.ExplodingGenerateSeries):
        values = _series(node.this, scope)
        name = alias or "generate_series"
        return name, [name], lambda env: [{name: value} for value in values(env)]
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        return _table(node, alias, scope)
    raise NotInTwin(f"FROM {node.sql('postgres')}")


def _table(node: Any, alias: str, scope: Scope) -> Relation:
    name = node.name
    cte = scope.tables.get("with", {}).get(name)
    if cte is not None:
        columns = list(cte)
        return alias or name, columns, lambda env: env["!"].kept[name]
    schema: Schema | None = scope.tables["schemas"].get(name)
    if schema is None:
        raise NotInTwin(f"table {name}")
    return alias or name, schema.columns, lambda env: env["!"].rows(name)


def _unnest(node: Any, alias: str, named: list[str], scope: Scope) -> Relation:
    arrays = [compile_expression(one, scope) for one in node.expressions]
    columns = named or ([alias or "unnest"] if len(arrays) == 1 else [f"unnest_{n}" for n in range(len(arrays))])
    if node.args.get("offset") and not named:
        raise NotInTwin("WITH ORDINALITY without column names")

    def rows(env: Environment) -> list[dict[str, Any]]:
        values = [array(env) or [] for array in arrays]
        found = list(zip_longest(*values))
        if node.args.get("offset"):
            found = [(*row, number) for number, row in enumerate(found, 1)]
        return [dict(zip(columns, row, strict=True)) for row in found]

    return alias or "unnest", columns, rows

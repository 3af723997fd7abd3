"""A migration may not break the workers of the release before, which run on its schema while an upgrade rolls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MIGRATIONS = sorted([*ROOT.glob("services/*/migrations/*.sql"), *ROOT.glob("shared/runtime/migrations_frame/*.sql")])
BEFORE_FIRST_RELEASE = {"services/valuation/migrations/0003_fills_name_their_legs_once.sql"}
"""They changed tables under workers of a release that never was."""

CONTRACT = re.compile(r"^-- contract: \S.+$", re.MULTILINE)
COMMENT_OR_TEXT = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
NAME = r'(?:only\s+)?(?:if\s+exists\s+)?(?:public\.)?"?(\w+)"?'
CREATED = re.compile(
    r"\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:public\.)?\"?(\w+)\"?", re.IGNORECASE
)
ALTERED = re.compile(rf"\balter\s+table\s+{NAME}(.*)", re.IGNORECASE | re.DOTALL)
DROPPED = re.compile(
    r"\bdrop\s+(?:table|view|materialized\s+view|function|type|domain|schema|sequence)\b", re.IGNORECASE
)
BREAKING = {
    "drops a column": re.compile(
        r"\bdrop\s+(?:column\s+)?(?!constraint\b|column\b|not\b|default\b|expression\b|identity\b)\w", re.IGNORECASE
    ),
    "renames": re.compile(r"\brename\b", re.IGNORECASE),
    "forbids NULL": re.compile(r"\bset\s+not\s+null\b", re.IGNORECASE),
    "changes a type": re.compile(r"\balter\s+(?:column\s+)?\"?\w+\"?\s+(?:set\s+data\s+)?type\b", re.IGNORECASE),
}  # fmt: skip
ADDED_COLUMN = re.compile(r"\badd\s+(?:column\s+)?(?!constraint\b|check\b|primary\b|unique\b|foreign\b)[^,;]*", re.I)


def breaks(text: str) -> list[str]:
    """What the migration does that a worker of the release before could not live with."""
    plain = COMMENT_OR_TEXT.sub("''", text)
    own = {name.lower() for name in CREATED.findall(plain)}
    found = []
    for statement in plain.split(";"):
        if DROPPED.search(statement):
            found.append("drops")
        altered = ALTERED.search(statement)
        if altered and altered[1].lower() not in own:
            found += [what for what, pattern in BREAKING.items() if pattern.search(altered[2])]
            found += ["adds a column that must be given" for one in ADDED_COLUMN.findall(altered[2]) if _must(one)]
    return found


def _must(column: str) -> bool:
    words = column.lower()
    return "not null" in words and "default" not in words and "generated" not in words


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MIGRATIONS, ids=named)
def test_a_migration_only_expands_unless_it_says_what_it_contracts(path: Path) -> None:
    text = path.read_text()
    if named(path) in BEFORE_FIRST_RELEASE:
        assert breaks(text), "the exception is not needed any more"
    elif not CONTRACT.search(text):
        assert breaks(text) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ALTER TABLE journal DROP COLUMN trace;", ["drops a column"]),
        ("ALTER TABLE journal DROP trace;", ["drops a column"]),
        ("ALTER TABLE journal ADD COLUMN x int, DROP COLUMN IF EXISTS trace;", ["drops a column"]),
        ("DROP TABLE tasks;", ["drops"]),
        ("alter table only journal rename column trace to spans;", ["renames"]),
        ("ALTER TABLE tasks RENAME TO work;", ["renames"]),
        ("ALTER TABLE journal ALTER COLUMN trace SET NOT NULL;", ["forbids NULL"]),
        ("ALTER TABLE positions ALTER holdings TYPE json USING holdings::json;", ["changes a type"]),
        ("ALTER TABLE journal ADD COLUMN due date NOT NULL;", ["adds a column that must be given"]),
        ("ALTER TABLE journal ADD COLUMN due date NOT NULL DEFAULT 'today';", []),
        ("ALTER TABLE journal ALTER COLUMN trace DROP NOT NULL, DROP CONSTRAINT journal_check;", []),
        ("ALTER TABLE journal ADD COLUMN due date; -- not a DROP TABLE", []),
        ("COMMENT ON TABLE journal IS 'never DROP TABLE it; ALTER TABLE journal RENAME';", []),
        ("CREATE TABLE new (a int); ALTER TABLE new ALTER COLUMN a SET NOT NULL;", []),
    ],
)
def test_what_would_break_an_older_worker_is_seen(text: str, what: list[str]) -> None:
    assert breaks(text) == what

"""What imports cannot express about the structure: small functions, small files, names that say something."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
EMPTY_NAMES = re.compile(r"^(utils?|helpers?|common|misc|manager.*|base_.*service.*)$")
SQL = re.compile(r"^\s*(SELECT .+ FROM|INSERT INTO|UPDATE .+ SET|DELETE FROM|CREATE TABLE|WITH .+ AS \()", re.DOTALL)
FRAME_SQL = {
    "beats", "copying", "factcache", "facts", "lanes", "migrations", "outbox", "parking", "poll", "snapshot", "work",
}  # fmt: skip
"""Files of the frame with statements: each owns tables of it, and one asks the catalogue for the types of columns."""
CLOCKS = {"now", "utcnow", "today", "uuid4", "uuid1"}


def tracked_files(suffix: str) -> list[Path]:
    """Files of the project: what git knows, and what is new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", f"*{suffix}"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in listed if name and (ROOT / name).exists()]


def python_files(*folders: str) -> list[Path]:
    """The project's Python files under these folders."""
    return [file for file in tracked_files(".py") if file.relative_to(ROOT).parts[0] in folders]


SOURCE = python_files("services", "shared", "deploy")


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("file", SOURCE, ids=named)
def test_functions_are_short(file: Path) -> None:
    for function in functions(file):
        lines = (function.end_lineno or 0) - function.lineno + 1
        assert lines <= FUNCTION_LINES_MAX, (
            f"{function.name} has {lines} lines: keep branches here, move work to leaves"
        )


@pytest.mark.parametrize("file", SOURCE, ids=named)
def test_files_are_short_and_their_names_say_what_is_in_them(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= FILE_LINES_MAX, f"{lines} lines: split by what changes together"
    assert not EMPTY_NAMES.match(file.stem), "name the file after what is in it"


@pytest.mark.parametrize("file", SOURCE, ids=named)
def test_every_module_says_what_it_is_for(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text())), "begin the file with a docstring"


@pytest.mark.parametrize("file", SOURCE, ids=named)
def test_nothing_is_left_unfinished(file: Path) -> None:
    comments = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline)
        if token.type == tokenize.COMMENT
    ]
    marks = [text for text in comments if re.search(r"\b(TODO|FIXME|XXX)\b", text)]
    assert not marks, f"finish it or open an issue: {marks}"


@pytest.mark.parametrize("file", SOURCE, ids=named)
def test_no_bare_except(file: Path) -> None:
    bare = [node.lineno for node in ast.walk(ast.parse(file.read_text())) if is_bare_except(node)]
    assert not bare, f"lines {bare}: say which failure is meant"


def is_bare_except(node: ast.AST) -> bool:
    return isinstance(node, ast.ExceptHandler) and node.type is None


def pure_files() -> list[Path]:
    """Rules, values and events: the files money is decided in."""
    shared = [
        file for file in SOURCE if file.relative_to(ROOT).parts[:2] in (("shared", "values"), ("shared", "events"))
    ]
    return shared + [file for file in SOURCE if "rules" in file.relative_to(ROOT).parts]


@pytest.mark.parametrize("file", pure_files(), ids=named)
def test_no_floats_near_money(file: Path) -> None:
    tree = ast.parse(file.read_text())
    literals = [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    names = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "float"]
    assert not literals + names, f"lines {literals + names}: use whole cents, share units or Decimal"


@pytest.mark.parametrize("file", pure_files(), ids=named)
def test_rules_read_no_clock_and_throw_no_dice(file: Path) -> None:
    called = [
        node.lineno
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]
    assert not called, f"lines {called}: take the time or the id as an argument"


@pytest.mark.parametrize("file", SOURCE, ids=named)
def test_sql_lives_in_stores_and_in_the_named_files_of_the_frame(file: Path) -> None:
    if (
        "store" in file.stem
        or file.match("services/*/metrics.py")
        or (file.parent == ROOT / "shared" / "runtime" and file.stem in FRAME_SQL)
    ):
        return
    texts = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)]
    lines = [node.lineno for node in texts if isinstance(node.value, str) and SQL.match(node.value)]
    assert not lines, f"lines {lines}: move the statement to a store file"


def test_every_package_has_an_init_file() -> None:
    folders = {file.parent for file in python_files("services", "shared", "deploy", "tests")}
    missing = sorted(named(folder) for folder in folders if not (folder / "__init__.py").exists())
    assert not missing, "regular packages only"

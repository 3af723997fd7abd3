"""What the documents name exists: paths, commands, functions, metrics, variables."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from deploy.cli.main import app
from deploy.console.serving import ConsoleSettings
from deploy.docs.metrics import all_metrics
from deploy.payroll.intake import IntakeSettings
from deploy.security.roles import PASSWORDS_VARIABLE, ROLES
from shared.events.catalogue import EVENTS
from shared.events.codes import CODES
from shared.events.topics import ALL_TOPICS
from shared.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    page for folder in (".", "docs", "docs/decisions", "docs/runbook", "k8s") for page in (ROOT / folder).glob("*.md")
)
TOP_FOLDERS = ("services", "shared", "deploy", "tests", "docs", "k8s")
IN_CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def words_in_code(page: Path) -> list[str]:
    return IN_CODE.findall(prose(page))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_in_a_document_exists(page: Path) -> None:
    paths = [
        word
        for word in words_in_code(page)
        if re.fullmatch(r"[\w./-]+", word) and "/" in word and word.split("/")[0] in TOP_FOLDERS and "NAME" not in word
    ]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_between_documents_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(prose(page)) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def commands() -> set[str]:
    found: set[str] = set()

    def walk(command: object, words: tuple[str, ...]) -> None:
        found.add(" ".join(words))
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*words, name))

    walk(get_command(app), ("nestwork",))
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_in_a_document_exists(page: Path) -> None:
    known = commands()
    said = [word for word in words_in_code(page) if word.startswith("nestwork ")]
    names = [re.match(r"nestwork( [a-z][a-z-]*)*", word) for word in said]
    assert [name[0] for name in names if name is not None and name[0] not in known] == []


def test_the_readme_lists_every_command() -> None:
    readme = prose(ROOT / "README.md")
    groups = {name for name in commands() if any(other.startswith(f"{name} ") for other in commands())}
    assert sorted(name for name in commands() - groups if f"`{name}`" not in readme) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_in_a_document_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    said = [word.split()[1:] for word in words_in_code(page) if word.startswith("make ")]
    said += [line.split("#")[0].split()[1:] for line in re.findall(r"^make .*$", page.read_text("utf-8"), re.MULTILINE)]
    assert {name for names in said for name in names if "=" not in name} - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_metric_and_variable_in_a_document_exists(page: Path) -> None:
    metrics = {metric.name for metric in all_metrics()}
    variables = {
        str(field.alias)
        for model in (Settings, IntakeSettings, ConsoleSettings)
        for field in model.model_fields.values()
    }
    metrics |= set(ROLES)
    variables.add(PASSWORDS_VARIABLE)
    words = words_in_code(page)
    unknown = [
        word for word in words if re.fullmatch(r"nestwork_[a-z_]+", word) and word not in metrics and word not in ROLES
    ]
    unknown += [
        word for word in words if re.fullmatch(r"(NESTWORK|KAFKA|DATABASE)_[A-Z_]+", word) and word not in variables
    ]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_topic_in_a_document_exists(page: Path) -> None:
    topics = {topic.name for topic in ALL_TOPICS}
    said = [word for word in words_in_code(page) if re.fullmatch(r"[a-z]+(\.[a-z-]+)?\.v1", word)]
    assert sorted(set(said) - topics) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_address_in_a_document_is_served(page: Path) -> None:
    sources = [*ROOT.glob("services/*/pages*.py"), ROOT / "deploy/payroll/web.py"]
    served = {path for file in sources for path in re.findall(r'"(/v1/[^"]+)"', file.read_text(encoding="utf-8"))}
    shapes = {re.sub(r"{\w+}", "*", path) for path in served}
    said = [word.removeprefix("GET ").removeprefix("POST ") for word in words_in_code(page) if "/v1/" in word]
    asked = {re.sub(r"{\w+}|\b[A-Z_]{2,}\b", "*", word.split("?")[0]) for word in said if word.startswith("/v1/")}
    known = shapes | {"/v1/payroll/files/*", "/v1/payroll/files/*/rejects.csv", "/v1/…", "/v1/"}
    assert asked - known == set()


def test_every_step_of_the_dollar_names_a_function_that_is_there() -> None:
    table = prose(ROOT / "docs/architecture.md").split("## One dollar")[1].split("##")[0]
    steps = re.findall(r"`(\w+)`(?: and `(\w+)`)? in `([\w/]+\.py)`", table)
    assert len(steps) >= 10
    for one, other, path in steps:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        defined = {node.name for node in tree.body if hasattr(node, "name")}
        assert {one, other or one} <= defined, path


def test_python_in_the_readme_is_python() -> None:
    blocks = [
        text for language, text in FENCED.findall((ROOT / "README.md").read_text("utf-8")) if language == "python"
    ]
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")


def test_events_in_the_readme_are_events() -> None:
    (block,) = [
        text for language, text in FENCED.findall((ROOT / "README.md").read_text("utf-8")) if language == "python"
    ]
    said: dict[str, Any] = {"__name__": "readme"}
    exec(compile(block, "README.md", "exec"), said)
    models = {event.ce_type: event for event in EVENTS}
    for topic, key, ce_type, body in said["EVENTS"]:
        models[ce_type].model_validate(body)
        place = models[ce_type].topic
        assert (topic, key) == (place.name, ":".join(body[name] for name in place.key.split(":")))


def test_codes_the_documents_name_are_in_the_registry() -> None:
    assert "NOT_SUPPORTED_YET" in prose(ROOT / "docs/guarantees.md")
    assert "NOT_SUPPORTED_YET" in CODES


def imports_of(file: Path) -> set[str]:
    """The modules a file imports, also as names of a package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_rules_that_the_limits_call_unused_are_unused_and_no_other_is() -> None:
    limits = prose(ROOT / "docs/guarantees.md").split("## Limits, today")[1]
    said = set(re.findall(r"`(services/\w+/rules/\w+\.py)`", limits))
    files = sorted((ROOT / "services").rglob("*.py"))
    imported = set().union(*(imports_of(file) for file in files))
    rules = {file.relative_to(ROOT).as_posix() for file in files if file.parent.name == "rules"}
    unused = {path for path in rules if path.removesuffix(".py").replace("/", ".") not in imported}
    assert {path for path in unused if not path.endswith("__init__.py")} == said


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs/decisions"
    listed = set(LINK.findall((folder / "README.md").read_text(encoding="utf-8")))
    assert listed == {page.name for page in folder.glob("[0-9]*.md")}


def test_containers_start_programs_that_exist() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    programs = [
        one["command"][2] for one in compose["services"].values() if (one.get("command") or [""])[0] == "python"
    ]
    modules = [name for name in programs if re.fullmatch(r"[\w.]+", name)]
    paths = [ROOT / name.replace(".", "/") for name in modules]
    assert len(modules) >= 7
    assert all(path.with_suffix(".py").exists() or (path / "__main__.py").exists() for path in paths)
    for one in compose["services"].values():
        assert set(one.get("depends_on", {})) <= set(compose["services"])
    worker = compose["services"]["contribution"]["environment"]
    assert set(worker) <= {str(field.alias) for field in Settings.model_fields.values()}

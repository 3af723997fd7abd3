"""The generated documents say what the code says, and hold together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app
from deploy.docs.asyncapi import asyncapi_document
from deploy.docs.build import ROOT, build, generated, stale
from deploy.docs.schemas import event_schema
from shared.events.catalogue import EVENTS
from shared.events.codes import CODES
from shared.events.topics import PUBLIC_TOPICS


def test_the_documents_in_the_repository_are_fresh() -> None:
    assert stale(ROOT) == [], "run `nestwork docs build`"


def test_building_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    assert build(tmp_path) == sorted(generated())
    assert build(tmp_path) == []


def test_edited_missing_and_left_over_documents_are_found_and_repaired(tmp_path: Path) -> None:
    build(tmp_path)
    page = tmp_path / "docs/reason-codes.md"
    page.write_text("edited", encoding="utf-8")
    (tmp_path / "docs/events/asyncapi.json").unlink()
    (tmp_path / "docs/events/nestwork.gone.v1.schema.json").write_text("{}", encoding="utf-8")
    found = ["docs/events/asyncapi.json", "docs/events/nestwork.gone.v1.schema.json", "docs/reason-codes.md"]
    assert stale(tmp_path) == found
    assert build(tmp_path) == found
    assert stale(tmp_path) == []


def test_the_command_checks_and_speaks_json() -> None:
    ended = CliRunner().invoke(app, ["docs", "check", "--json"])
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["ok"] is True


def test_the_command_fails_when_a_document_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.cli.docs.stale", lambda: ["docs/reason-codes.md"])
    ended = CliRunner().invoke(app, ["docs", "check", "--json"])
    assert ended.exit_code == 1
    assert json.loads(ended.stdout)["stale"] == ["docs/reason-codes.md"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def resolve(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi_document()
    found = set(references(document))
    assert len(found) > len(EVENTS)
    assert all(resolve(document, reference) for reference in found)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.ce_type)
def test_every_reference_of_a_schema_leads_somewhere(event: Any) -> None:
    schema = event_schema(event)
    assert all(resolve(schema, reference) for reference in references(schema))


def test_the_catalogue_names_every_public_topic_event_and_code() -> None:
    pages = generated()
    catalogue, codes = pages["docs/events/README.md"], pages["docs/reason-codes.md"]
    assert all(f"| `{topic.name}` |" in catalogue for topic in PUBLIC_TOPICS)
    assert all(f"### {event.__name__}\n" in catalogue for event in EVENTS)
    assert all(f"| `{name}` |" in codes for name in CODES)


def test_every_field_in_the_catalogue_has_a_meaning() -> None:
    rows = [line for line in generated()["docs/events/README.md"].splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.rstrip(" |").endswith("|")] == []

"""The audit of dependencies: what concerns a version, and that not having looked is never a good result."""

from __future__ import annotations

import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.security.advisories import JARS, PYTHON, Locked, concerns
from deploy.security.audit import locked_packages, main

NOW = datetime.now(UTC)
INSTALLED = next(one for one in locked_packages() if one.name == "aiokafka")
JAR = next(one for one in locked_packages() if one.name == "org.apache.kafka:kafka-clients")


def record(package: Locked, days_ago: float = 1, **more: Any) -> dict[str, Any]:
    named = {"package": {"ecosystem": package.ecosystem, "name": package.name}, "versions": [package.version]}
    modified = (NOW - timedelta(days=days_ago)).isoformat()
    return {
        "id": "OSV-1",
        "aliases": ["CVE-1"],
        "modified": modified,
        "summary": "It leaks.",
        "affected": [named],
    } | more


HARMLESS = record(Locked(PYTHON, "somebody-elses", "1.0"))


def export(folder: Path, *records: dict[str, Any]) -> str:
    file = folder / "all.zip"
    with zipfile.ZipFile(file, "w") as opened:
        for number, one in enumerate(records):
            opened.writestr(f"OSV-{number}.json", json.dumps(one))
    return str(file)


@pytest.mark.parametrize(
    ("events", "inside", "outside"),
    [
        ([{"introduced": "0"}, {"fixed": "2.0"}], ["0.1", "1.9.9", "2.0rc1"], ["2.0", "2.0.post1", "10.0"]),
        ([{"introduced": "1.0"}, {"last_affected": "1.5"}], ["1.0", "1.5"], ["0.9", "1.5.1"]),
        ([{"fixed": "3.1"}, {"introduced": "3.0"}, {"fixed": "2.0"}, {"introduced": "1.0"}], ["1.2", "3.0"],
         ["0.1", "2.5", "3.1"]),
        ([{"introduced": "1.10"}], ["1.10", "1.11"], ["1.9"]),
        ([{"introduced": "0"}, {"fixed": "9.4.57.v2024"}], ["1.0"], []),
    ],
)  # fmt: skip
def test_a_version_lies_in_a_range_or_not(events: list[dict[str, str]], inside: list[str], outside: list[str]) -> None:
    affected = {"ranges": [{"type": "ECOSYSTEM", "events": events}]}
    assert [version for version in inside + outside if concerns(affected, version)] == inside


def test_commits_order_no_versions() -> None:
    assert not concerns({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, "1.0")


def test_a_known_weakness_is_named_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written_otherwise = record(Locked(PYTHON, "AIOKafka", INSTALLED.version))
    assert main(["--database", export(tmp_path, HARMLESS, written_otherwise)]) == 1
    said = capsys.readouterr().out
    assert f"aiokafka {INSTALLED.version}: OSV-1, CVE-1: no fixed version is known. It leaks." in said
    assert "Maven" in said
    assert "NOT looked up" in said


def test_jars_are_looked_up_with_their_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert JAR.ecosystem == JARS
    assert main(["--database", export(tmp_path, HARMLESS, record(JAR))]) == 1
    assert "NOT looked up" not in capsys.readouterr().out


def test_nothing_known_passes_and_says_how_many_were_looked_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    withdrawn = record(INSTALLED, withdrawn="2026-01-01T00:00:00Z")
    assert main(["--database", export(tmp_path, HARMLESS, withdrawn)]) == 0
    count = sum(one.ecosystem == PYTHON for one in locked_packages())
    assert count > 50
    assert f"PyPI: {count} locked packages looked up" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([record(INSTALLED, days_ago=40)], "AUDIT_DATABASE_OLD"),
        ([record(JAR)], "AUDIT_DATABASE_UNREADABLE"),
        ([{"id": "OSV-2"}], "AUDIT_DATABASE_UNREADABLE"),
        ([], "AUDIT_DATABASE_UNREADABLE"),
    ],
)
def test_a_file_that_says_nothing_is_no_result(
    records: list[dict[str, Any]], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--database", export(tmp_path, *records)]) == 2
    assert capsys.readouterr().err.startswith(f"{code}: ")


def test_a_file_that_is_not_there_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--database", str(tmp_path / "nowhere.zip")]) == 2
    assert capsys.readouterr().err.startswith("AUDIT_DATABASE_UNREADABLE: ")


def test_an_index_that_does_not_answer_is_no_result_and_names_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], online=(sys.executable, "-c", "import sys; sys.exit('ERROR: no route')")) == 2
    said = capsys.readouterr().err
    assert said.startswith("AUDIT_SOURCE_UNREACHABLE: ERROR: no route. ")
    assert "AUDIT_DATABASE" in said
    assert "Traceback" not in said


def test_what_the_index_answers_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    known = {"id": "PYSEC-1", "aliases": ["CVE-2"], "fix_versions": ["9.9"], "description": "Bad."}
    answer = json.dumps({"dependencies": [{"name": "a", "version": "1", "vulns": [known]}], "fixes": []})
    assert main([], online=(sys.executable, "-c", f"import sys; print({answer!r}); sys.exit(1)")) == 1
    assert "a 1: PYSEC-1, CVE-2: fixed in 9.9. Bad." in capsys.readouterr().out

"""A command that is used wrongly says so in the form that was asked for, and ends with 2."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from deploy.cli.load import write_result
from deploy.cli.main import main
from deploy.cli.output import answer_failure
from tests.unit.load.test_compare import a_result


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the installed command with ``words``; returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["nestwork", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def servers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not refused before it starts is refused for these, with 1."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example.invalid:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@db.example.invalid/p")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("load run --rate abc", "--rate takes lines per second or max, not 'abc'"),
        ("load run --seconds nan", "'--seconds'"),
        ("load run --profile sideways", "'--profile'"),
        ("load run --profile soak --rate 1 --seconds 86400", "calendar"),
        ("load compare one", "after"),
        ("bench payday --rounds 1000", "--rounds 1000"),
        ("bench payday --rounds 100 --compare-rules", "--rounds 100"),
        ("bench scale --partitions 8,9", "power of two"),
        ("bench scale --partitions 0", "power of two"),
        ("bench scale --workers 0", "--workers"),
        ("up --workers banking=1", "there is no service banking"),
        ("up --workers trading=0", "SERVICE=N"),
        ("up --workers x", "SERVICE=N"),
        ("up --jars nowhere", "'--jars'"),
        ("scenario run one.yaml --partitions 6", "power of two"),
        ("employer true-up P 2026 --payroll R --pay-date 2025-01-01", "outside 2026"),
        ("employer profit-sharing P 2026 --payroll R --amount abc", "abc"),
        ("backup restore --backup b --at 2026-11-20T21:00:00 --service trading", "time zone"),
        ("backup restore --backup b --at end --service banking", "banking"),
        ("backup rebuild --service banking", "banking"),
        ("dlq show nonsense", "no id"),
        ("dlq replay trading:1 nonsense", "no id"),
        ("law held --code NOPE", "no reason code"),
        ("prove", "trade_date"),
        ("prove yesterday", "yesterday"),
        ("day close 2026-11-20 --nope", "--nope"),
        ("invest", "No such command"),
    ],
)
def test_a_usage_error_is_one_document_with_json_and_a_sentence_without(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words.split(), "--json") == 2
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert said in document["error"]
    assert run(monkeypatch, *words.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err != ""


def test_help_is_help_also_with_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "prove", "--json", "--help") == 0
    assert "Usage" in capsys.readouterr().out


def test_a_folder_that_takes_no_result_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(monkeypatch, "load", "run", "--out", str(tmp_path / "file" / "deeper"), "--json") == 2
    assert "--out" in json.loads(capsys.readouterr().out)["error"]
    assert run(monkeypatch, "load", "run", "--out", str(tmp_path / "file")) == 2
    assert "--out" in capsys.readouterr().err


def test_a_result_that_can_not_be_written_after_all_is_no_stack_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write_result(a_result(), tmp_path, False) == [tmp_path / "result.json"]
    assert write_result(a_result(), tmp_path / "gone", False) == []
    assert "could not be written" in capsys.readouterr().err


def test_the_folder_of_the_result_is_made_and_left_empty_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "load", "run", "--out", str(tmp_path / "a" / "b")) == 1
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("command", ["up", "status", "down", "prove 2026-11-20", "backup pause"])
@pytest.mark.parametrize("state", ["", "{no json", "{}", "[]"])
def test_a_folder_that_is_no_clusters_is_named_and_no_stack_trace(
    tmp_path: Path, command: str, state: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cluster.json").write_text(state)
    for folder in (tmp_path, tmp_path / "cluster.json"):
        assert run(monkeypatch, *command.split(), "--folder", str(folder), "--json") == 1
        assert str(folder / "cluster.json") in json.loads(capsys.readouterr().out)["error"]


def test_a_result_that_is_none_is_named_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "result.json").write_bytes(b"\xff\xfe")
    assert run(monkeypatch, "load", "compare", str(tmp_path), str(tmp_path), "--json") == 2
    assert "is no result of" in json.loads(capsys.readouterr().out)["error"]


def test_a_timeout_says_something_although_it_has_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    answer_failure(str(TimeoutError()), as_json=True)
    assert json.loads(capsys.readouterr().out)["error"]


def test_a_fault_of_ours_is_a_document_and_a_stack_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("deploy.cli.main.app", lambda **_: broken())
    monkeypatch.setattr(sys, "argv", ["nestwork", "status", "--json"])
    with pytest.raises(RuntimeError):
        main()
    assert "a bug" in json.loads(capsys.readouterr().out)["error"]

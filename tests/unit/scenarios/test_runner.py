"""What the runner does without a cluster: files it cannot run, pages it reads, records it sorts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.scenario import as_document
from deploy.cluster.errors import StartFailed
from deploy.scenarios.feed import take
from deploy.scenarios.model import ContributionEvent
from deploy.scenarios.observed import Observed
from deploy.scenarios.runner import RunningCluster, is_answered, published, run_files
from tests.unit.scenarios.builders import TEXT, a_run, a_scenario


@dataclass
class Fetched:
    """A record as the consumer hands it over."""

    topic: str
    body: dict[str, Any]
    ce_type: str = "nestwork.something.v1"
    partition: int = 0
    offset: int = 0
    key: bytes = b"s000-P1"
    extra: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def value(self) -> bytes:
        return json.dumps(self.body).encode()

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_type", self.ce_type.encode()), ("ce_id", b"id-1"), *self.extra]


def nestwork(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The command's exit status and its document, in a process of its own as people run it."""
    command = [sys.executable, "-c", "from deploy.cli.main import main; main()", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


async def test_a_file_that_cannot_run_differs_and_starts_no_cluster(tmp_path: Path) -> None:
    wrong, later = tmp_path / "wrong.yaml", tmp_path / "later.yaml"
    wrong.write_text(TEXT.replace("trade_on", "trade_onn"))
    later.write_text(TEXT.replace("{resend: c1}", '{split: F1, ratio: "2"}'))
    first, second = await run_files([wrong, later])
    assert [(d.path, d.actual) for d in first.differences] == [("plans.ACME.trade_onn", "unknown key")]
    assert [(d.path, d.actual) for d in second.differences] == [("days[0].events[2]", "not supported yet")]


HEAD, DAYS = TEXT.split("days:")
ODD = {
    "": "valid dictionary",
    "hello": "valid dictionary",
    "scenario: [": "YAML",
    f"{TEXT}\nscenario: again\n": "given twice",
    HEAD: "required",
    f"{HEAD}days: []": "at least 1",
    f"{HEAD}days: [{{date: 2026-02-30}}]": "day is out of range",
    f"{HEAD}days: [{{date: 2022-01-03}}]": "begins after the trading day before 2022-01-03",
    f"{HEAD}days: [{{date: 2028-12-29}}]": "ends before the trading day after 2028-12-29",
    f"{HEAD}days: [{{date: 1999-01-04}}]": "covers 2022 to 2028",
    f"{HEAD}days: [{{date: 2026-11-23}}, {{date: 2026-11-20}}]": "must be 2026-11-24",
    TEXT.replace('"169.23"', '"99999999999999999999.00"'): "more money than an event can say",
    TEXT.replace('"23.47"', '"0.00"'): "a price is positive",
    "[" * 5_000: "recursion",
}


async def test_every_odd_file_has_a_result_of_its_own_and_none_ends_the_run(tmp_path: Path) -> None:
    files = [tmp_path / f"odd-{number}.yaml" for number in range(len(ODD))]
    for file, text in zip(files, ODD, strict=True):
        file.write_text(text)
    runs = await run_files([*files, tmp_path])
    assert [run.file for run in runs] == [str(file) for file in [*files, tmp_path]]
    for run, reason in zip(runs, [*ODD.values(), "not readable"], strict=True):
        (difference,) = run.differences
        assert reason in str(difference.actual)


def test_an_event_that_cannot_be_said_is_a_difference_of_its_file() -> None:
    run, day = a_run(), a_scenario().days[0]
    line = day.events[0]
    assert isinstance(line, ContributionEvent)
    assert published(run, line.model_copy(update={"compensation": 2**80}), day, 0) == []
    (difference,) = run.differences
    assert difference.path == "days[2026-11-20].events[0]"
    assert len(published(run, line, day, 0)) == 1


async def test_a_cluster_that_does_not_start_is_told_of_every_file_that_needed_it(tmp_path: Path) -> None:
    async def no_cluster(folder: Path, partitions: int, workers: int, actions: Path) -> RunningCluster:
        raise StartFailed("kafka-1 ended while starting")

    good, wrong = tmp_path / "good.yaml", tmp_path / "wrong.yaml"
    good.write_text(TEXT)
    wrong.write_text("hello")
    document = as_document(await run_files([good, wrong, good], cluster_factory=no_cluster))
    assert document["ok"] is False
    files = document["files"]
    assert isinstance(files, list)
    assert [one["file"] for one in files] == [str(good), str(wrong), str(good)]
    assert not any(one["ok"] for one in files)
    said = [one["differences"][0]["actual"] for one in files]
    assert said[0] == said[2] == "kafka-1 ended while starting"
    assert len(files[1]["differences"]) == 1


def test_the_command_prints_one_document_and_fails_when_a_file_differs(tmp_path: Path) -> None:
    status, document = nestwork("scenario", "run", str(tmp_path / "missing.yaml"))
    assert status == 1
    assert document["ok"] is False
    assert {"file", "scenario", "ok", "days", "differences"} == set(document["files"][0])
    assert {"path", "expected", "actual"} == set(document["files"][0]["differences"][0])


def test_partitions_must_be_a_power_of_two(tmp_path: Path) -> None:
    status, document = nestwork("scenario", "run", str(tmp_path / "missing.yaml"), "--partitions", "6")
    assert status == 2
    assert "power of two" in document["error"]


@pytest.mark.parametrize(
    ("page", "answered"),
    [
        ({"orders_built": True, "orders": {"confirmed": 2, "pending": 1, "rejected": 1}}, True),
        ({"orders_built": True, "orders": {}}, True),
        ({"orders_built": False, "orders": {}}, False),
        ({"orders_built": True, "orders": {"unanswered": 1}}, False),
        ({"orders_built": True, "orders": {"confirmed": 1}, "confirmations_unjudged": 1}, False),
        ({"orders_built": True, "orders": {"broken": 1}, "corrections_outstanding": 1}, False),
        ({}, False),
    ],
)
def test_a_day_is_answered_when_its_orders_are_made_and_none_waits(page: dict[str, Any], answered: bool) -> None:
    assert is_answered(page) is answered


def test_a_marker_in_the_price_log_says_that_the_day_is_cut() -> None:
    observed = Observed()
    take(observed, Fetched("market.prices.v1", {"trade_date": "2026-11-20"}, "nestwork.day.value-cut.v1"))
    assert observed.days_cut == set()
    take(observed, Fetched("market.prices.v1", {"trade_date": "2026-11-20"}, "nestwork.day.cut.v1"))
    take(observed, Fetched("custodian.confirmations.v1", {"trade_date": "2026-11-23"}, "nestwork.day.cut.v1"))
    assert observed.days_cut == {"2026-11-20"}


def test_a_dead_letter_is_kept_once_with_its_reason() -> None:
    observed = Observed()
    for _ in range(2):
        take(observed, Fetched("payroll.contributions.v1.dlq", {}, extra=[("reason", b"NOT_JSON")]))
    assert [("s000-P1", observed.day, "NOT_JSON")] == list(observed.dead_letters.values())


def test_records_repeated_on_the_wire_are_kept_once() -> None:
    observed = Observed()
    receipt = {"request": {"source": "/scenario/s000", "id": "s000-c1"}, "status": "accepted"}
    for offset in range(2):
        take(observed, Fetched("payroll.receipts.v1", receipt, offset=offset))
    assert len(observed.answers(("/scenario/s000", "s000-c1"))) == 1

"""Rules, dashboards, runbook and catalogue know each other: no name in one that is missing in another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from deploy.docs.metrics import all_metrics, expressions, names_in, users
from deploy.grafana.build import DASHBOARDS, FOLDER, dashboard_files
from deploy.prometheus.alerts import SERVICES, Alert, all_alerts
from deploy.prometheus.build import HERE, rule_files
from deploy.prometheus.pace import DAY, HOUR, MINUTE, Pace
from deploy.prometheus.recording import recording_groups
from deploy.watcher.watch import SERVICES as WATCHED_SERVICES

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = ROOT / "docs" / "runbook"
RECORDED = {rule["record"] for group in recording_groups(Pace()) for rule in group["rules"]}
CASES = [
    case
    for name in ("rules_test.yml", "slow_rules_test.yml", "budget_rules_test.yml")
    for case in yaml.safe_load((ROOT / "tests" / "alerts" / name).read_text())["tests"]
]


def test_every_metric_that_is_asked_for_exists() -> None:
    series = {name for metric in all_metrics() for name in metric.series}
    missing = {(user, name) for user, query in expressions() for name in names_in(query) - series}
    assert missing == set()


def test_every_recorded_name_that_is_asked_for_is_recorded() -> None:
    asked = {name for _, query in expressions() for name in re.findall(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", query)}
    assert asked - RECORDED == set()


def test_every_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    asked = users()
    unused = {metric.name for metric in all_metrics() if not any(name in asked for name in metric.series)}
    assert unused == set()


def test_every_metric_says_what_it_is_and_names_nobody() -> None:
    for metric in all_metrics():
        assert metric.name.startswith("nestwork_")
        assert metric.help.endswith(".") or metric.help.endswith("page.")
        assert not {"participant", "participant_id", "plan", "plan_id", "order_id", "payroll_id"} & set(metric.labels)
        assert metric.name.endswith("_total") == (metric.kind == "counter")


@pytest.mark.parametrize("alert", all_alerts(), ids=lambda alert: alert.name)
def test_every_alert_has_a_page_and_two_cases(alert: Alert) -> None:
    page = (RUNBOOK / f"{alert.name}.md").read_text()
    assert page.startswith(f"# {alert.name}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    fires = [case for case in CASES if case["name"].startswith(f"{alert.name} fires")]
    silent = [case for case in CASES if case["name"].startswith(f"{alert.name} is silent")]
    assert all(case["promql_expr_test"][0]["exp_samples"] for case in fires)
    assert all(case["promql_expr_test"][0]["exp_samples"] == [] for case in silent)
    assert (len(fires), len(silent)) == (1, 1)


def test_every_page_of_the_runbook_has_an_alert() -> None:
    assert {page.stem for page in RUNBOOK.glob("*.md")} == {alert.name for alert in all_alerts()}


def test_the_runbook_lists_every_page() -> None:
    listed = re.findall(r"\(runbook/(\w+)\.md\)", (ROOT / "docs" / "runbook.md").read_text())
    assert sorted(set(listed)) == sorted(alert.name for alert in all_alerts())


@pytest.mark.parametrize("name", rule_files())
def test_rule_files_are_fresh(name: str) -> None:
    assert (HERE / name).read_text() == rule_files()[name], "run `python -m deploy.prometheus.build`"


@pytest.mark.parametrize("name", dashboard_files())
def test_dashboards_are_fresh(name: str) -> None:
    assert (FOLDER / name).read_text() == dashboard_files()[name], "run `python -m deploy.grafana.build`"


def test_alerts_name_dashboards_that_exist() -> None:
    assert {alert.dashboard for alert in all_alerts()} <= {dashboard.name for dashboard in DASHBOARDS}


def test_panels_of_a_dashboard_do_not_overlap() -> None:
    for dashboard in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in dashboard.as_json()["panels"]:
            grid = panel["gridPos"]
            cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
            assert not cells & taken, (dashboard.name, panel["title"])
            assert grid["x"] + grid["w"] <= 24
            taken |= cells


def test_a_faster_pace_changes_only_lengths_of_time() -> None:
    def bare(text: str) -> str:
        return re.sub(r"\[[0-9]+[smhd]\]|(> |time\(\) - )[0-9]+", "", text)

    for slow, fast in zip(all_alerts(Pace()), all_alerts(Pace(60)), strict=True):
        assert bare(slow.expr) == bare(fast.expr)


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "90s"), (5 * MINUTE, "5m"), (6 * HOUR, "6h"), (3 * DAY, "3d"), (25 * HOUR, "25h")]
)
def test_durations_are_written_as_promql_reads_them(seconds: int, text: str) -> None:
    assert Pace().window(seconds) == text


def test_alerts_and_watcher_look_at_the_same_services() -> None:
    assert SERVICES == WATCHED_SERVICES

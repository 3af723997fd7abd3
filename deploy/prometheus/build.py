"""Write the rule files and Alertmanager's configuration: ``python -m deploy.prometheus.build``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deploy.prometheus.alerts import alert_groups
from deploy.prometheus.pace import Pace
from deploy.prometheus.recording import recording_groups

HERE = Path(__file__).parent
HEAD = "# Made by `python -m deploy.prometheus.build`; do not edit. What to do about an alert: docs/runbook/NAME.md.\n"
GROUP_WAIT_SECONDS, GROUP_INTERVAL_SECONDS, REPEAT_SECONDS = 15, 60, 4 * 3_600


def rule_files(pace: Pace | None = None) -> dict[str, str]:
    """File names and contents."""
    given = pace or Pace()
    return {
        "recording.yml": _yaml({"groups": recording_groups(given)}),
        "alerts.yml": _yaml({"groups": alert_groups(given)}),
        "alertmanager.yml": _yaml(alertmanager(given)),
    }


def alertmanager(pace: Pace, *, page_url: str | None = None, ticket_url: str | None = None) -> dict[str, Any]:
    """Who hears what. Without URLs the receivers are empty: put in your pager and your ticket system."""
    silences = [
        ("ServiceSilent", "LanesWithoutOwner|NoProgress|BooksNotWatched|RecordsWait.*", ["service"]),
        ("PayrollFundingOverdue", "PayrollFundingLate", []),
        ("BooksDoNotAddUp", "DateUnpublished", []),
    ]
    return {
        "route": {
            "receiver": "ticket",
            "group_by": ["alertname", "service"],
            "group_wait": pace.window(GROUP_WAIT_SECONDS),
            "group_interval": pace.window(GROUP_INTERVAL_SECONDS),
            "repeat_interval": pace.window(REPEAT_SECONDS),
            "routes": [{"matchers": ['severity="page"'], "receiver": "page"}],
        },
        "inhibit_rules": [
            {"source_matchers": [f'alertname="{loud}"'], "target_matchers": [f'alertname=~"{quiet}"'], "equal": equal}
            for loud, quiet, equal in silences
        ],
        "receivers": [_receiver("page", page_url), _receiver("ticket", ticket_url)],
    }


def _receiver(name: str, url: str | None) -> dict[str, Any]:
    hooks = {"webhook_configs": [{"url": url, "send_resolved": True}]} if url else {}
    return {"name": name, **hooks}


def _yaml(document: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)
    return HEAD + text


def main() -> None:
    """Write the files beside this one."""
    for name, text in rule_files().items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()

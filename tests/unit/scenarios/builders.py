"""Builders for the runner's tests: everything a test is not about."""

from __future__ import annotations

from datetime import date
from typing import Any

from deploy.scenarios.filerun import FileRun
from deploy.scenarios.model import Scenario, parse_scenario
from deploy.scenarios.names import Namespace

DAY = date(2026, 11, 20)
NEXT_DAY = date(2026, 11, 23)

TEXT = """
scenario: two participants
plans:
  ACME: {sources: [pre_tax, roth], default_fund: F1, trade_on: funding}
funds: {F1: {share_decimals: 3}, F2: {}}
participants:
  P1: {plan: ACME, born: 1986-03-02, hired: 2020-01-06, elections: {F1: "60", F2: "40"}}
  P2: {plan: ACME, born: 1976-12-31, hired: 2021-05-03, prior_year_wages: "150000.01", ytd: {pre_tax: "24300.00", roth: "1.00"}}
days:
  - date: 2026-11-20
    events:
      - {contribution: c1, participant: P1, payroll: R1, pay_date: 2026-11-20, compensation: "4230.77", amounts: {pre_tax: "169.23"}}
      - {contribution: c2, participant: P2, payroll: R1, pay_date: 2026-11-20, compensation: "5000.00", amounts: {pre_tax: "500.00"}}
      - {resend: c1}
      - {funding: R1}
    prices: {F1: "23.47", F2: "10.00"}
    custodian: {orders: [{fund: F1, side: buy, action: late}]}
  - {date: 2026-11-23, prices: {F1: "24.00", F2: "10.00"}}
"""  # noqa: E501 - one event a line reads better


def a_scenario() -> Scenario:
    return parse_scenario(TEXT)


def a_run() -> FileRun:
    """A file whose first day's lines were sent."""
    run = FileRun("two.yaml", Namespace(0), a_scenario())
    assert run.scenario is not None
    for event in run.scenario.days[0].events[:3]:
        run.outgoing(event, DAY)
    return run


def a_receipt(
    line: str, status: str = "accepted", cents: int = 16_923, rejected: int = 0, **more: Any
) -> dict[str, Any]:
    return {
        "request": {"source": "/scenario/s000", "id": f"s000-{line}"},
        "status": status,
        "accepted_cents": cents,
        "rejected_cents": rejected,
        "credited": [{"source": "pre_tax", "cents": cents}] if cents else [],
        "codes": [],
    } | more


def a_code(code: str, severity: str = "error") -> dict[str, str]:
    return {"code": code, "severity": severity, "message": "in words"}

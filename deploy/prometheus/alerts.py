"""Alerts. A *page* wakes somebody: money is wrong, late or about to be. A *ticket* waits for the morning.

Objectives: the books add up, no cent off (no budget); every date is cut at its cut-off (no budget); 99.9 % of payroll
lines are decided within 5 seconds (burn rates). Each alert has its page in ``docs/runbook/`` and its cases in
``tests/alerts/rules_test.yml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.prometheus.pace import DAY, HOUR, MINUTE, Pace

SERVICES = ("contribution", "allocation", "trading", "valuation")
BUDGET = 0.001
RUNBOOK = "docs/runbook"
FAST_BURN, SLOW_BURN, TICKET_BURN = 14.4, 6, 1
RECORDS_LEAST = 100
"""A burn rate of fewer records says nothing: at night there are no payrolls."""


@dataclass(frozen=True)
class Alert:
    """One alert; ``expr`` and ``wait_seconds`` are in the pace they were made for."""

    name: str
    severity: str
    expr: str
    summary: str
    dashboard: str
    wait_seconds: int = 0

    def as_rule(self, pace: Pace) -> dict[str, Any]:
        """In the shape of a Prometheus rule file."""
        rule: dict[str, Any] = {"alert": self.name, "expr": self.expr}
        if self.wait_seconds:
            rule["for"] = pace.window(self.wait_seconds)
        rule["labels"] = {"severity": self.severity}
        rule["annotations"] = {
            "summary": self.summary,
            "runbook_url": f"{RUNBOOK}/{self.name}.md",
            "dashboard_url": f"/d/nestwork-{self.dashboard}",
        }
        return rule


def alert_groups(pace: Pace) -> list[dict[str, Any]]:
    """Groups in the shape of a Prometheus rule file."""
    made = {"money": money_alerts(pace), "days": day_alerts(pace), "workers": worker_alerts(pace),
            "flow": flow_alerts(pace), "slo": slo_alerts(pace)}  # fmt: skip
    return [
        {"name": f"nestwork-{name}", "rules": [alert.as_rule(pace) for alert in alerts]}
        for name, alerts in made.items()
    ]


def _older(oldest: str, seconds: int, by: str = "") -> str:
    """The oldest of what waits is older than so long; 0 means that nothing waits."""
    return f"time() - min{by} ({oldest} > 0) > {seconds}"


def money_alerts(pace: Pace) -> list[Alert]:
    """Is the money right, and does it go on?"""
    settling = 'reason!~"AWAITING_CUT|FUNDING_SHORT|PARKED"'
    return [
        Alert("BooksDoNotAddUp", "page", "sum(nestwork_conservation_breaks) > 0",
              "The last proof has equations that do not hold; the date is not published.", "money"),
        Alert("DateUnpublished", "ticket", "sum(nestwork_unproven_dates) > 0",
              "A closed date was never proven; its balances are not served.", "money"),
        Alert("ParticipantParked", "page", 'sum by (service) (nestwork_suspense_items{reason="PARKED"}) > 0',
              "Our code failed on a participant's event; his money stands still.", "money"),
        Alert("PayrollFundingLate", "ticket", "max(nestwork_payroll_funding_age_business_days) >= 3",
              "A payroll run has had no cash for three business days.", "money"),
        Alert("PayrollFundingOverdue", "page", "max(nestwork_payroll_funding_age_business_days) >= 7",
              "A payroll run has had no cash for seven business days, the safe harbour of small plans.", "money"),
        Alert("DepositOverdue", "page", "sum(nestwork_deposits_overdue_cents) > 0",
              "Cash that was due under the seven-day safe harbour is not there.", "money"),
        Alert("MoneyInSuspense", "ticket",
              _older(f"nestwork_suspense_oldest_timestamp_seconds{{{settling}}}", pace.seconds(DAY),
                     " by (service, reason)"),
              "Money has been held for a day for a reason that somebody must settle.", "money"),
        Alert("ContributionUntraded", "ticket",
              _older("nestwork_untraded_oldest_timestamp_seconds", pace.seconds(5 * DAY)),
              "Accepted money has not been traded for five days.", "money"),
        Alert("CustodianBreak", "ticket", "sum by (code) (nestwork_breaks_open) > 0",
              "The custodian confirmed something that is not believed, and has not corrected it.", "money",
              15 * MINUTE),
        Alert("OrdersUnanswered", "ticket",
              _older('nestwork_orders_open_oldest_timestamp_seconds{state=~"open|pending"}', pace.seconds(6 * HOUR)),
              "The custodian has not answered an order for six hours.", "money"),
        Alert("ReversalWaits", "ticket",
              _older("nestwork_reversals_oldest_timestamp_seconds", pace.seconds(3 * DAY)),
              "Reversed money has waited three days for the fill of its buy.", "money"),
        Alert("DeadLetters", "ticket",
              f"sum by (service, code) (increase(nestwork_dead_letters_total[{pace.window(15 * MINUTE)}])) > 0",
              "A sender breaks the contract.", "money"),
    ]  # fmt: skip


def day_alerts(pace: Pace) -> list[Alert]:
    """Do the dates end when they should?"""
    return [
        Alert("CutOffMissed", "page",
              f"time() - max(nestwork_cutoff_due_timestamp_seconds > 0) > {pace.seconds(MINUTE)}",
              "The cut-off has passed and the date is not cut.", "money"),
        Alert("DayNotClosed", "page",
              _older("nestwork_closing_oldest_timestamp_seconds", pace.seconds(15 * MINUTE), " by (service, cycle)"),
              "A date was ended and a lane has not closed it for a quarter of an hour.", "money"),
        Alert("DayNotValued", "ticket",
              _older("nestwork_unvalued_oldest_timestamp_seconds", pace.seconds(6 * HOUR)),
              "A date was cut six hours ago and is not valued.", "money"),
    ]  # fmt: skip


def worker_alerts(pace: Pace) -> list[Alert]:
    """Is somebody at work?"""
    silent = " or ".join(f'absent(nestwork_lanes_owned{{service="{service}"}})' for service in SERVICES)
    fresh = f"time() - {pace.seconds(2 * MINUTE)}"
    return [
        Alert("WorkerDown", "ticket", 'up{job=~".*nestwork.*"} == 0',
              "A process does not answer; a worker's lanes are taken over.", "sre", MINUTE),
        Alert("ServiceSilent", "page", silent, "No worker of a service answers.", "sre", MINUTE),
        Alert("LanesWithoutOwner", "page",
              "max by (service) (nestwork_lanes_configured) - sum by (service) (nestwork_lanes_owned) > 0",
              "Lanes have no owner: their money stands still.", "sre", MINUTE),
        Alert("LaneStopped", "page", "sum by (service) (nestwork_lanes_stopped) > 0",
              "An internal log lost records; a lane stands still.", "sre"),
        Alert("NoProgress", "page",
              f"time() - nestwork_last_progress_timestamp_seconds > {pace.seconds(MINUTE)}",
              "A worker neither polls nor waits.", "sre", MINUTE),
        Alert("BooksNotWatched", "page",
              f"max by (service) (nestwork_lanes_configured)"
              f" unless max by (service) (nestwork_snapshot_timestamp_seconds > {fresh})",
              "The money gauges of a service are stale: nobody would see trouble.", "sre", 2 * MINUTE),
        Alert("WatcherBlind", "ticket",
              "absent(nestwork_watched_timestamp_seconds)"
              f" or time() - nestwork_watched_timestamp_seconds > {pace.seconds(2 * MINUTE)}",
              "The outside watcher does not see the logs or the books.", "sre", MINUTE),
        Alert("LanesChangeHands", "ticket",
              f"sum by (service) (increase(nestwork_fenced_total[{pace.window(15 * MINUTE)}])) > 20"
              f" or sum by (service) (increase(nestwork_rebalances_total[{pace.window(15 * MINUTE)}])) > 20",
              "Lanes change owners all the time.", "sre"),
    ]  # fmt: skip


def flow_alerts(pace: Pace) -> list[Alert]:
    """Do records flow?"""
    # A worker that reconnects has nothing fetched for a moment; the lag is there all the same.
    lag = f"max by (service, topic) (max_over_time(nestwork_lag_seconds[{pace.window(2 * MINUTE)}]))"
    outbox_full = "max by (service) (nestwork_outbox_waiting_bytes / nestwork_outbox_limit_bytes) > 0.8"
    return [
        Alert("RecordsWait", "ticket",
              f"{lag} > {pace.seconds(5 * MINUTE)}",
              "Records wait for more than five minutes to be decided.", "sre", 5 * MINUTE),
        Alert("RecordsWaitOutside", "page",
              f"max by (service, topic) (nestwork_watched_lag_seconds) > {pace.seconds(5 * MINUTE)}",
              "Seen from outside, records wait for more than five minutes: perhaps nobody is there to decide them.",
              "sre", 2 * MINUTE),
        Alert("OutboxStuck", "page",
              _older("nestwork_outbox_oldest_timestamp_seconds", pace.seconds(2 * MINUTE), " by (service)"),
              "What was decided two minutes ago is not published.", "sre"),
        Alert("PayrollFileWaits", "ticket",
              _older("nestwork_payroll_files_oldest_timestamp_seconds", pace.seconds(30 * MINUTE)),
              "A payroll file came half an hour ago and its lines are not all sent and answered.", "sre"),
        Alert("PagesFail", "ticket",
              f'sum by (service) (increase(nestwork_http_requests_total{{outcome="failed"}}'
              f"[{pace.window(15 * MINUTE)}])) > 5",
              "The payroll intake or the console answers with failures of its own.", "sre"),
        Alert("PollsFail", "ticket", "service:nestwork_polls_failed:ratio_rate5m > 0.05",
              "More than one poll in twenty is rolled back.", "sre", 10 * MINUTE),
        Alert("WorkersSaturated", "ticket",
              f"service:nestwork_poll_busy:ratio_rate5m > 0.9 or {outbox_full}",
              "Workers do nothing but poll, or publishing can't keep up: more of them are needed.", "capacity",
              15 * MINUTE),
        Alert("LoopBlocked", "ticket",
              f"max by (service) (max_over_time(nestwork_loop_lag_seconds[{pace.window(5 * MINUTE)}])) > 2",
              "Something keeps a worker's event loop from running for seconds.", "capacity"),
    ]  # fmt: skip


def slo_alerts(pace: Pace) -> list[Alert]:
    """How fast is the error budget of the receipts used up? Both windows must agree."""

    def enough(seconds: int) -> str:
        read = 'nestwork_records_read_total{topic="payroll.contributions.v1"}'
        return f"sum(increase({read}[{pace.window(seconds)}])) > {RECORDS_LEAST}"

    def burns(factor: float, long: str, short: str) -> str:
        limit = f"{factor * BUDGET:g}"
        ratio = "receipts:nestwork_records_late:ratio_rate"
        return f"({ratio}{long} > {limit} and {ratio}{short} > {limit})"

    fast = f"({burns(FAST_BURN, '1h', '5m')} or {burns(SLOW_BURN, '6h', '30m')}) and {enough(HOUR)}"
    return [
        Alert("ReceiptsLate", "page", fast,
              "Payroll lines are decided late; the month's budget would be gone in days.", "sre"),
        Alert("ReceiptsLateForDays", "ticket", f"{burns(TICKET_BURN, '3d', '6h')} and {enough(3 * DAY)}",
              "Payroll lines have been decided late for days; the month's budget will not last.", "sre"),
    ]  # fmt: skip


def all_alerts(pace: Pace | None = None) -> list[Alert]:
    """Every alert."""
    given = pace or Pace()
    return [
        *money_alerts(given), *day_alerts(given), *worker_alerts(given), *flow_alerts(given), *slo_alerts(given)
    ]  # fmt: skip

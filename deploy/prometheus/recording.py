"""Recording rules: what dashboards and burn-rate alerts ask for again and again, named level:metric:operations."""

from __future__ import annotations

from typing import Any

from deploy.prometheus.pace import DAY, HOUR, MINUTE, Pace

SLO_WINDOWS = {"5m": 5 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR, "6h": 6 * HOUR, "3d": 3 * DAY}
RECEIPTS = '{topic="payroll.contributions.v1"}'


def recording_groups(pace: Pace) -> list[dict[str, Any]]:
    """Groups in the shape of a Prometheus rule file."""
    five = pace.window(5 * MINUTE)
    rules = {
        "service:nestwork_records_read:rate5m": f"sum by (service) (rate(nestwork_records_read_total[{five}]))",
        "service:nestwork_records_published:rate5m": (
            f"sum by (service) (rate(nestwork_records_published_total[{five}]))"
        ),
        "service:nestwork_polls_failed:ratio_rate5m": (
            f'sum by (service) (rate(nestwork_polls_total{{result!="committed"}}[{five}]))'
            f" / sum by (service) (rate(nestwork_polls_total[{five}]))"
        ),
        "service:nestwork_poll_seconds:p99_rate5m": _quantile("nestwork_poll_seconds", five),
        "service:nestwork_stage_age_seconds:p99_rate5m": _quantile("nestwork_stage_age_seconds", five),
        "service:nestwork_poll_busy:ratio_rate5m": f"avg by (service) (rate(nestwork_poll_seconds_sum[{five}]))",
        "service:nestwork_lag_records:sum": "sum by (service) (nestwork_lag_records)",
        "service:nestwork_lag_seconds:max": "max by (service) (nestwork_lag_seconds)",
        "nestwork:suspense_cents:sum": "sum(nestwork_suspense_cents)",
    }
    ratios = {
        f"receipts:nestwork_records_late:ratio_rate{name}": (
            f"sum(rate(nestwork_records_late_total{RECEIPTS}[{pace.window(seconds)}]))"
            f" / sum(rate(nestwork_records_read_total{RECEIPTS}[{pace.window(seconds)}]))"
        )
        for name, seconds in SLO_WINDOWS.items()
    }
    return [
        {"name": "nestwork-services", "rules": [{"record": name, "expr": expr} for name, expr in rules.items()]},
        {"name": "nestwork-slo", "rules": [{"record": name, "expr": expr} for name, expr in ratios.items()]},
    ]


def _quantile(histogram: str, window: str) -> str:
    return f"histogram_quantile(0.99, sum by (service, le) (rate({histogram}_bucket[{window}])))"

"""From the moments of every line to figures: quantiles, windows, steps, the knee. Pure but for numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hdrh.histogram import HdrHistogram

from deploy.load.flight import Flight
from deploy.load.profiles import Seconds
from deploy.load.result import Achieved, Offered, Quantiles, Step, Window

MICROSECONDS_MAX = 3_600_000_000
SIGNIFICANT_DIGITS = 3
GENERATOR_LAG_MS_MAX = 100.0
P99_BOUND_MS = 250.0
"""A rate is sustained when p99 from publish to receipt stays within this (issue's target for a payday)."""
WINDOWS_MAX = 120


def histogram(seconds: Seconds) -> HdrHistogram:
    """Delays as an HdrHistogram of microseconds, three significant digits; what never happened is left out."""
    made = HdrHistogram(1, MICROSECONDS_MAX, SIGNIFICANT_DIGITS)
    happened = seconds[~np.isnan(seconds)]
    values, counts = np.unique(
        np.clip(np.rint(happened * 1e6), 1, MICROSECONDS_MAX).astype(np.int64), return_counts=True
    )
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        made.record_value(value, count)
    return made


def quantiles(made: HdrHistogram) -> Quantiles:
    """The usual figures of a histogram, in milliseconds."""

    def at(percent: float) -> float:
        return round(float(made.get_value_at_percentile(percent)) / 1000, 3)

    count = int(made.get_total_count())
    mean = round(made.get_mean_value() / 1000, 3) if count else 0.0
    return Quantiles(
        count=count,
        mean=mean,
        p50=at(50),
        p90=at(90),
        p99=at(99),
        p999=at(99.9),
        max=round(made.get_max_value() / 1000, 3),
    )


def delays(flight: Flight) -> dict[str, Seconds]:
    """Every delay counts from the intended moment, so that nothing hides what had to wait (coordinated omission)."""
    return {
        "acknowledged": flight.acknowledged - flight.intended,
        "receipt_appended": flight.appended - flight.intended,
        "publish_to_receipt": flight.answered - flight.intended,
    }


def offered(flight: Flight, *, open_loop: bool) -> Offered:
    """What the sender did."""
    sent = flight.sent_lines
    seconds = float(flight.intended[sent - 1] - flight.intended[0]) if sent > 1 else 0.0
    lag = quantiles(histogram(flight.sent[:sent] - flight.intended[:sent]))
    return Offered(
        open_loop=open_loop,
        lines=sent,
        seconds=round(seconds, 3),
        per_s=round(sent / seconds, 1) if seconds else float(sent),
        generator_lag_ms=lag,
        generator_kept_up=lag.p99 <= GENERATOR_LAG_MS_MAX,
    )


def achieved(flight: Flight) -> Achieved:
    """What the engine did."""
    sent = flight.sent_lines
    due, answered = flight.intended[:sent], np.sort(flight.answered[:sent][~np.isnan(flight.answered[:sent])])
    if not len(answered):
        return Achieved(answered=0, per_s=0.0, drain_seconds=0.0, backlog_lines_max=sent)
    seconds = float(answered[-1] - due[0])
    backlog = np.arange(1, sent + 1) - np.searchsorted(answered, due, side="right")
    return Achieved(
        answered=len(answered),
        per_s=round(len(answered) / seconds, 1),
        drain_seconds=round(max(0.0, float(answered[-1] - due[-1])), 3),
        backlog_lines_max=int(backlog.max()),
    )


def windows(flight: Flight, began: float) -> list[Window]:
    """The run in windows of a second, longer ones when the run is long."""
    sent = flight.sent_lines
    due, answered = flight.intended[:sent] - began, flight.answered[:sent] - began
    length = float(np.nanmax(answered)) if np.count_nonzero(~np.isnan(answered)) else float(due[-1])
    size = max(1.0, float(np.ceil(length / WINDOWS_MAX)))
    found = []
    for begin in np.arange(0.0, length, size).tolist():
        inside = (due >= begin) & (due < begin + size)
        came = int(np.count_nonzero((answered >= begin) & (answered < begin + size)))
        p50, p99, worst = _percentiles((answered - due)[inside])
        found.append(
            Window(second=begin, seconds=size, offered=int(inside.sum()), answered=came, p50=p50, p99=p99, max=worst)
        )
    return found


def steps(flight: Flight, began: float, bounds: Sequence[tuple[float, float]]) -> list[Step]:
    """Each step of a ramp: what was offered in it, what came, how long it took."""
    due, answered = flight.intended - began, flight.answered - began
    found = []
    for begin, end in bounds:
        inside = (due >= begin) & (due < end)
        rate = float(inside.sum()) / (end - begin)
        came = float(np.count_nonzero((answered >= begin) & (answered < end))) / (end - begin)
        p50, p99, _ = _percentiles((answered - due)[inside])
        kept_up = 0 < p99 <= P99_BOUND_MS and came >= 0.9 * rate
        found.append(Step(rate=round(rate, 1), answered_per_s=round(came, 1), p50=p50, p99=p99, sustained=kept_up))
    return found


def knee(found: Sequence[Step]) -> float | None:
    """The highest rate that was sustained; None when none was.

    A lower step that failed does not count against it: what holds at more holds at less, so something else was in the
    way then. The other way round nothing is forgiven, since above its knee an engine falls behind for good.
    """
    return max((step.rate for step in found if step.sustained), default=None)


def worst_after(flight: Flight, moment: float, seconds: float) -> float:
    """The largest latency in milliseconds of lines due within ``seconds`` after ``moment``; 0 without such lines."""
    inside = (flight.intended >= moment) & (flight.intended < moment + seconds)
    return _percentiles((flight.answered - flight.intended)[inside])[2]


def _percentiles(seconds: Seconds) -> tuple[float, float, float]:
    happened = seconds[~np.isnan(seconds)] * 1000
    if not len(happened):
        return 0.0, 0.0, 0.0
    p50, p99 = np.percentile(happened, (50, 99)).tolist()
    return round(p50, 3), round(p99, 3), round(float(happened.max()), 3)

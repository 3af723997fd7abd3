"""Two results side by side, with the noise each run shows in itself: what is within the band is no difference. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from deploy.load.profiles import RAMP_STEPS
from deploy.load.result import LoadResult, Window

NOISE_MIN = 0.05
"""Two runs of the same code on a quiet machine differ by this much anyway."""
OTHERS_SHARE_MAX = 0.1
"""When others take more of the machine than this, a difference may be theirs, and no band of a run's own can tell."""
EDGE_WINDOWS = 1
"""The first and the last window are half empty and say nothing about noise."""
Verdict = Literal["better", "worse", "within noise"]


class NotComparable(ValueError):
    """The two runs did different things; the text says which."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in both runs."""

    figure: str
    before: float
    after: float
    change: float
    """(after - before) / before."""
    band: float
    """How large a relative change is still noise."""
    verdict: Verdict


def compare(before: LoadResult, after: LoadResult, *, noise: float = NOISE_MIN) -> list[Difference]:
    """Every figure of both results. Raises ``NotComparable`` when profile, rate, size or cluster differ."""
    _refuse_different(before, after)
    windows = _inner(before.windows), _inner(after.windows)
    found = [
        _difference(
            "answered per second", before.achieved.per_s, after.achieved.per_s, _band("answered", windows, noise), 1
        ),
    ]
    first, second = before.latency_ms["publish_to_receipt"], after.latency_ms["publish_to_receipt"]
    slow = _band("p99", windows, noise)
    found.append(_difference("publish to receipt p50, ms", first.p50, second.p50, _band("p50", windows, noise), -1))
    found.append(_difference("publish to receipt p99, ms", first.p99, second.p99, slow, -1))
    found.append(_difference("publish to receipt p99.9, ms", first.p999, second.p999, 2 * slow, -1))
    spent, spends = (sum(one.cpu_microseconds_per_contribution.values()) for one in (before, after))
    if spent and spends:
        found.append(_difference("CPU per contribution, µs", spent, spends, noise, -1))
    if before.profile == "ramp" and before.rate:
        found.append(_knees(before.knee_per_s or 0.0, after.knee_per_s or 0.0, before.rate / RAMP_STEPS))
    return found


def _knees(before: float, after: float, step: float) -> Difference:
    """The knees of two ramps, in their steps: one step up or down is as much as a ramp can't tell. 0: no step held."""
    steps = round((after - before) / step)
    base = before or step
    verdict: Verdict = "within noise" if abs(steps) <= 1 else "better" if steps > 0 else "worse"
    return Difference(
        "knee, per second", before, after, round((after - before) / base, 4), round(step / base, 4), verdict
    )


def _refuse_different(before: LoadResult, after: LoadResult) -> None:
    for name in ("profile", "shape", "rate", "seconds", "participants"):
        first, second = getattr(before, name), getattr(after, name)
        if first != second:
            raise NotComparable(f"{name} is {first} in the first and {second} in the second run")
    for name in ("partitions", "workers", "cpus"):
        first, second = before.environment.get(name), after.environment.get(name)
        if first != second:
            raise NotComparable(f"{name}: {first} in the first and {second} in the second run")


def _inner(windows: Sequence[Window]) -> list[Window]:
    """Windows with load in them, without the edges."""
    loaded = [window for window in windows if window.offered]
    return loaded[EDGE_WINDOWS:-EDGE_WINDOWS] or loaded


def _band(name: str, windows: tuple[list[Window], list[Window]], noise: float) -> float:
    """Twice the combined standard error of the windows' median, relative to it; never below ``noise``.

    The standard error of a median is about 1.2533 times that of a mean; the spread is taken from the middle half of
    the windows (interquartile range / 1.349), so that one hiccup does not make everything look like noise.
    """
    errors = 0.0
    for one in windows:
        values = np.array([getattr(window, name) for window in one], dtype=np.float64)
        if len(values) < 2 or not (median := float(np.median(values))):
            continue
        low, high = np.percentile(values, (25, 75)).tolist()
        errors += (1.2533 * (high - low) / 1.349 / math.sqrt(len(values)) / median) ** 2
    return round(max(noise, 2 * math.sqrt(errors)), 4)


def _difference(figure: str, before: float, after: float, band: float, good: int) -> Difference:
    change = (after - before) / before if before else 0.0
    verdict: Verdict = "within noise" if abs(change) <= band else "better" if change * good > 0 else "worse"
    return Difference(figure, round(before, 3), round(after, 3), round(change, 4), band, verdict)


def comparison(before: LoadResult, after: LoadResult, *, noise: float = NOISE_MIN) -> dict[str, Any]:
    """The comparison as one document. ``ok``: both runs are right by their own figures, and nothing is worse beyond the
    noise."""
    differences = compare(before, after, noise=noise)
    faults = {name: complaints(one) for name, one in (("before", before), ("after", after))}
    right = not any(faults.values())
    return {
        "ok": right and all(one.verdict != "worse" for one in differences),
        "both_correct": right,
        "faults": faults,
        "others_cpu_share": {"before": before.others_cpu_share, "after": after.others_cpu_share},
        "machine_was_busy": any((one.others_cpu_share or 0.0) > OTHERS_SHARE_MAX for one in (before, after)),
        "differences": [asdict(one) for one in differences],
    }


def complaints(result: LoadResult) -> list[str]:
    """Everything that speaks against a run."""
    found = result.correctness.complaints()
    return found if found or result.ok else ["the run says of itself that it is not ok"]

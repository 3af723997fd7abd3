"""Figures of a run: they count from the intended moment, so a sender or an engine that was late cannot hide it."""

from __future__ import annotations

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from deploy.load import measure
from deploy.load.result import Step
from tests.unit.load.flying import BEGAN, a_flight, answer, answered


def test_quantiles_are_those_of_the_delays() -> None:
    found = measure.quantiles(measure.histogram(np.arange(1, 1_001) / 1_000))
    assert found.count == 1_000
    assert found.p50 == pytest.approx(500, rel=0.002)
    assert found.p99 == pytest.approx(990, rel=0.002)
    assert found.max == pytest.approx(1_000, rel=0.002)


def test_a_line_that_went_out_late_is_measured_from_when_it_was_due() -> None:
    flight = a_flight(np.zeros(1))
    flight.sent[0] += 2.0
    answer(flight, 0, 2.1)
    assert measure.delays(flight)["publish_to_receipt"][0] == pytest.approx(2.1)
    told = measure.offered(flight, open_loop=True)
    assert told.generator_lag_ms.p50 == pytest.approx(2_000, rel=0.002)
    assert not told.generator_kept_up


def test_a_histogram_survives_its_text() -> None:
    made = measure.histogram(np.array([0.001, 0.1, 5.0]))
    again = HdrHistogram.decode(made.encode())
    assert again.get_total_count() == 3
    assert again.get_max_value() == made.get_max_value()


def test_the_backlog_is_what_is_due_and_not_answered() -> None:
    flight = answered([1.0] * 20)
    told = measure.achieved(flight)
    assert told.answered == 20
    assert told.backlog_lines_max in (10, 11)
    assert told.drain_seconds == pytest.approx(1.0)


def test_a_run_without_answers_has_its_whole_load_as_backlog() -> None:
    assert measure.achieved(a_flight(np.zeros(7))).backlog_lines_max == 7


def test_windows_tell_when_it_was_slow() -> None:
    flight = answered([0.01] * 20 + [0.9] * 10, spacing=0.1)
    found = measure.windows(flight, BEGAN)
    assert [window.offered for window in found[:3]] == [10, 10, 10]
    assert found[0].p99 == pytest.approx(10, abs=1)
    assert found[2].p50 == pytest.approx(900, abs=1)
    assert sum(window.answered for window in found) == 30


def test_a_step_is_sustained_when_answers_keep_up_within_the_bound() -> None:
    flight = answered([0.05] * 10 + [1.5] * 10, spacing=0.1)
    first, second = measure.steps(flight, BEGAN, [(0.0, 1.0), (1.0, 2.0)])
    assert first.sustained
    assert not second.sustained


@pytest.mark.parametrize(
    ("sustained", "rate"),
    [([1, 1, 0, 0], 20), ([1, 0, 1, 0], 30), ([0, 1, 0, 0], 20), ([1, 1, 1, 1], 40), ([0, 0, 0, 0], None)],
)
def test_the_knee_is_the_highest_step_that_was_sustained(sustained: list[int], rate: float | None) -> None:
    steps = [Step(rate=10 * number, answered_per_s=10 * number, p50=1, p99=1, sustained=bool(held))
             for number, held in enumerate(sustained, 1)]  # fmt: skip
    assert measure.knee(steps) == rate


def test_the_worst_after_a_kill_looks_at_lines_due_after_it() -> None:
    flight = answered([3.0] + [0.1] * 19, spacing=0.1)
    assert measure.worst_after(flight, BEGAN + 0.05, 10) == pytest.approx(100, abs=1)
    assert measure.worst_after(flight, BEGAN + 60, 10) == 0

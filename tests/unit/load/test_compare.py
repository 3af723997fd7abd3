"""Two results: a difference within the noise is none, one beyond it has a direction, and a wrong run is never good."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.load.compare import NotComparable, compare, comparison
from deploy.load.result import Achieved, Correctness, LoadResult, Offered, Quantiles, Window
from deploy.load.schema import SCHEMA, schema_text


def quantiles(p50: float) -> Quantiles:
    return Quantiles(count=100, mean=p50, p50=p50, p90=p50 * 2, p99=p50 * 4, p999=p50 * 5, max=p50 * 6)


def a_result(p50: float = 20.0, per_s: float = 1_000.0, spread: float = 0.0, **changed: Any) -> LoadResult:
    """A run of 20 windows whose medians are ``spread`` (relative) apart in turns."""
    windows = [
        Window(second=number, seconds=1, offered=1_000, answered=int(per_s), p50=p50 * (1 + spread * (number % 2)),
               p99=4 * p50 * (1 + spread * (number % 2)), max=6 * p50)
        for number in range(20)
    ]  # fmt: skip
    right = Correctness(ok=True, faults=[], lines=1, final_receipts=1, accepted_cents=1, expected_cents=1,
                        invested_cents=1, repeats_on_the_wire=0, days=[])  # fmt: skip
    fields: dict[str, Any] = {
        "ok": True, "profile": "steady", "rate": 1_000.0, "seconds": 20.0, "participants": 100, "seed": 1, "tag": "a",
        "started_at": "2026-11-20T00:00:00", "target": "own",
        "offered": Offered(open_loop=True, lines=20_000, seconds=20, per_s=1_000, generator_lag_ms=quantiles(1),
                           generator_kept_up=True),
        "achieved": Achieved(answered=20_000, per_s=per_s, drain_seconds=0, backlog_lines_max=10),
        "latency_ms": {"publish_to_receipt": quantiles(p50)}, "histograms": {}, "windows": windows, "steps": [],
        "knee_per_s": None, "kills": [], "cpu_seconds": {}, "memory_mb": {},
        "cpu_microseconds_per_contribution": {"contribution": 50.0}, "correctness": right,
        "environment": {"cpus": 2, "partitions": 8, "workers": ["contribution-0"]},
    }  # fmt: skip
    return LoadResult(**(fields | changed))


def verdicts(before: LoadResult, after: LoadResult) -> dict[str, str]:
    return {one.figure: one.verdict for one in compare(before, after)}


def test_a_run_is_within_the_noise_of_itself() -> None:
    assert set(verdicts(a_result(), a_result()).values()) == {"within noise"}
    assert comparison(a_result(), a_result())["ok"]


def test_slower_answers_are_worse_and_quicker_ones_better() -> None:
    assert verdicts(a_result(p50=20), a_result(p50=30))["publish to receipt p50, ms"] == "worse"
    assert verdicts(a_result(p50=30), a_result(p50=20))["publish to receipt p50, ms"] == "better"
    assert not comparison(a_result(p50=20), a_result(p50=30))["ok"]


def test_more_throughput_is_better_and_more_cpu_is_worse() -> None:
    assert verdicts(a_result(per_s=500), a_result(per_s=900))["answered per second"] == "better"
    dear = a_result(cpu_microseconds_per_contribution={"contribution": 80.0})
    assert verdicts(a_result(), dear)["CPU per contribution, µs"] == "worse"


def test_runs_that_waver_have_a_wider_band() -> None:
    calm = compare(a_result(), a_result())[1].band
    wavering = compare(a_result(spread=2.0), a_result(spread=2.0))[1].band
    assert calm == pytest.approx(0.05)
    assert wavering > 0.2


def test_a_quicker_run_that_is_wrong_is_not_ok() -> None:
    assert not comparison(a_result(p50=20), a_result(p50=5, ok=False))["ok"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"accepted_cents": 2},
        {"invested_cents": 0},
        {"final_receipts": 0},
        {"days": [{"trade_date": "2026-11-20", "proof": "broken"}]},
        {"faults": ["line 1 has a second final receipt"]},
        {"ok": False},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_one_wrong_cent_counts_although_the_result_says_ok(wrong: dict[str, Any], side: str) -> None:
    broken = a_result(correctness=a_result().correctness.model_copy(update=wrong))
    told = comparison(*((broken, a_result()) if side == "before" else (a_result(), broken)))
    assert (told["ok"], told["both_correct"]) == (False, False)
    assert [bool(faults) for faults in told["faults"].values()] == [side == "before", side == "after"]


@pytest.mark.parametrize(("share", "busy"), [(None, False), (0.05, False), (0.6, True)])
def test_a_comparison_says_when_the_machine_had_other_work(share: float | None, busy: bool) -> None:
    assert comparison(a_result(), a_result(others_cpu_share=share))["machine_was_busy"] is busy


@pytest.mark.parametrize(
    ("knees", "verdict"),
    [
        ((300.0, 200.0), "within noise"),
        ((300.0, 100.0), "worse"),
        ((200.0, 400.0), "better"),
        ((200.0, None), "worse"),
        ((100.0, None), "within noise"),
        ((None, 200.0), "better"),
        ((None, None), "within noise"),
    ],
)
def test_a_ramp_can_tell_two_of_its_steps(knees: tuple[float | None, float | None], verdict: str) -> None:
    before, after = (a_result(profile="ramp", knee_per_s=knee) for knee in knees)
    assert verdicts(before, after)["knee, per second"] == verdict


@pytest.mark.parametrize(
    "changed", [{"profile": "ramp"}, {"rate": 5.0}, {"environment": {"cpus": 64}}, {"shape": "10:5"}]
)
def test_runs_that_did_different_things_are_not_compared(changed: dict[str, Any]) -> None:
    with pytest.raises(NotComparable):
        compare(a_result(), a_result(**changed))


def test_a_result_survives_its_json() -> None:
    assert LoadResult.model_validate_json(a_result().model_dump_json()) == a_result()


def test_the_published_schema_is_that_of_the_result() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run: python -m deploy.load.schema"

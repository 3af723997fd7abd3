"""A run as pictures: latency over time, offered and answered, the distribution; PNG files and one page with them."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

from deploy.load.result import LatencyFrom, LoadResult

MOMENTS: dict[LatencyFrom, str] = {
    "intended": "the intended moment", "sent": "sending, in a closed loop", "released": "the backlog's release",
}  # fmt: skip
"""What latencies count from, in words."""
PERCENTS = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99)
PICTURES = ("latency.png", "throughput.png", "distribution.png")


def draw(result: LoadResult, folder: Path) -> list[Path]:
    """Write the pictures and the page; returns their paths."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    drawn = []
    for name, paint in zip(PICTURES, (_latency, _throughput, _distribution), strict=True):
        figure, axes = pyplot.subplots(figsize=(8, 3.5), layout="constrained")
        paint(axes, result)
        for kill in result.kills:
            if name != PICTURES[2]:
                axes.axvline(kill.second, color="tab:red", linewidth=0.8, linestyle=":")
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        figure.savefig(folder / name, dpi=110)
        pyplot.close(figure)
        drawn.append(folder / name)
    page = folder / "index.html"
    page.write_text(_page(result), encoding="utf-8")
    return [*drawn, page]


def _latency(axes: Any, result: LoadResult) -> None:
    loaded = [window for window in result.windows if window.offered]
    seconds = [window.second for window in loaded]
    for name in ("p50", "p99", "max"):
        axes.plot(seconds, [max(getattr(window, name), 0.1) for window in loaded], label=name)
    axes.set(
        xlabel=f"seconds, by {MOMENTS[result.latency_from or 'intended']}",
        ylabel="publish to receipt, ms",
        yscale="log",
    )


def _throughput(axes: Any, result: LoadResult) -> None:
    seconds = [window.second for window in result.windows]
    axes.plot(seconds, [window.offered / window.seconds for window in result.windows], label="offered")
    axes.plot(seconds, [window.answered / window.seconds for window in result.windows], label="answered")
    axes.set(xlabel="seconds", ylabel="lines per second")


def _distribution(axes: Any, result: LoadResult) -> None:
    for name, text in result.histograms.items():
        made = HdrHistogram.decode(text.encode())
        values = [made.get_value_at_percentile(percent) / 1000 for percent in PERCENTS]
        axes.plot([1 / (1 - percent / 100) for percent in PERCENTS], values, label=name.replace("_", " "))
    axes.set(
        xscale="log", yscale="log", xlabel="percentile", ylabel=f"ms from {MOMENTS[result.latency_from or 'intended']}"
    )
    axes.set_xticks([1, 2, 10, 100, 1000, 10000], ["0", "50", "90", "99", "99.9", "99.99"])


def _page(result: LoadResult) -> str:
    latency = result.latency_ms["publish_to_receipt"]
    verdict = "correct to the cent" if result.ok else "NOT correct: " + "; ".join(result.correctness.faults)
    rows = {
        "profile": f"{result.profile}, {result.rate or 'max'} lines per second, {result.seconds:g} s",
        "offered": f"{result.offered.lines} lines, {result.offered.per_s} per second",
        "answered": f"{result.achieved.answered} lines, {result.achieved.per_s} per second",
        "latency counts from": MOMENTS[result.latency_from or "intended"],
        "publish to receipt, ms": f"p50 {latency.p50}, p99 {latency.p99}, p99.9 {latency.p999}, max {latency.max}",
        "drained after": f"{result.achieved.drain_seconds} s",
        "books": verdict,
        "machine": f"{result.environment.get('cpus')} CPUs, {result.environment.get('cpu_model')}",
    }
    told = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
    pictures = "".join(f'<p><img src="{name}" alt="{name.removesuffix(".png")}"></p>' for name in PICTURES)
    style = (
        "body{font:16px system-ui;margin:2rem;max-width:60rem}th{text-align:left;padding-right:2rem}img{max-width:100%}"
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Load: {escape(result.profile)}</title>'
        f"<style>{style}</style><h1>Load: {escape(result.profile)}</h1><table>{told}</table>{pictures}</html>\n"
    )
